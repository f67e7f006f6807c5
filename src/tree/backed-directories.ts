import { mkdirSync } from 'node:fs';
import type { Backing } from '../vfs/user-node.ts';
import type { FileSpec } from './file-spec.ts';
import type { Tree } from './tree.ts';
import type { ObjectView, VnfView } from './views.ts';

/** A directory of a VNF whose files are user files: config/ and rfs/. */
export interface BackedDirectory extends Backing {
  readonly serial: number;
  readonly name: string;
}

/** The backed directories of every VNF; asked for their path each time, for a rename changes it. */
export class BackedDirectories {
  readonly #tree: Tree;
  readonly #known = new Map<string, BackedDirectory>();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** The one behind a special file of an object. */
  of(view: ObjectView, spec: FileSpec): BackedDirectory {
    const key = `${view.serial}/${spec.name}`;
    let backing = this.#known.get(key);
    if (backing === undefined) {
      backing = this.#make(view.serial, spec.name);
      this.#known.set(key, backing);
    }
    return backing;
  }

  /** Makes the root file system of a VNF that was never deployed, empty: nobody needs it before someone looks. Throws as node:fs does. */
  makeRoot(view: ObjectView, spec: FileSpec): void {
    if (spec.name === 'rfs') mkdirSync(this.of(view, spec).path(), { recursive: true, mode: 0o755 });
  }

  /** Every one there is. */
  *all(): Iterable<{ readonly backing: BackedDirectory }> {
    for (const view of this.#tree.all()) {
      if (view.kind !== 'vnf') continue;
      for (const name of ['config', 'rfs']) yield { backing: this.#make(view.serial, name) };
    }
  }

  #make(serial: number, name: string): BackedDirectory {
    const path = (): string => {
      const view = this.#tree.get(serial);
      if (view?.kind !== 'vnf') throw Object.assign(new Error('the VNF has been removed'), { code: 'ENOENT' });
      return pathIn(view, name);
    };
    // The guest writes its root file system while we walk it; only this mount writes config/.
    return { serial, name, path, hostile: name === 'rfs' };
  }
}

/** True for the file that configures a VNF: config/nf_conf. */
export function isConfiguration(backing: BackedDirectory, name: string): boolean {
  return backing.name === 'config' && name === 'nf_conf';
}

function pathIn(view: VnfView, name: string): string {
  return name === 'config' ? view.configPath : view.rootPath;
}
