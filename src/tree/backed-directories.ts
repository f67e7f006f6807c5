import { mkdirSync } from 'node:fs';
import type { GuestFiles, GuestOwner } from '../vfs/guest-files.ts';
import type { Backing } from '../vfs/user-node.ts';
import { attributesOf } from './attributes.ts';
import { type FileSpec, rootIndex } from './file-spec.ts';
import { fileAt } from './files.ts';
import type { OpenRoots } from './open-roots.ts';
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
  readonly #roots: OpenRoots;
  readonly #known = new Map<string, BackedDirectory>();

  constructor(tree: Tree, roots: OpenRoots) {
    this.#tree = tree;
    this.#roots = roots;
  }

  /** The one behind a special file of an object. */
  of(view: ObjectView, spec: FileSpec): BackedDirectory {
    return this.#of(view.serial, spec.name);
  }

  /** Makes the root file system of a VNF that was never deployed, empty: nobody needs it before someone looks. Throws as node:fs does. */
  makeRoot(view: ObjectView, spec: FileSpec): void {
    if (spec.name !== 'rfs' || view.kind !== 'vnf' || view.root.process !== undefined || view.root.path === undefined) return;
    mkdirSync(view.root.path, { recursive: true, mode: 0o755 });
  }

  /** Every one there is. */
  *all(): Iterable<BackedDirectory> {
    for (const view of this.#tree.all()) {
      if (view.kind !== 'vnf') continue;
      for (const name of ['config', 'rfs']) yield this.#of(view.serial, name);
    }
  }

  #of(serial: number, name: string): BackedDirectory {
    const key = `${serial}/${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const backing = name === 'rfs' ? this.#root(serial, name) : this.#configuration(serial, name);
    this.#known.set(key, backing);
    return backing;
  }

  #configuration(serial: number, name: string): BackedDirectory {
    return { serial, name, path: () => this.#vnf(serial).configPath, guest: undefined };
  }

  /** The guest writes its root file system while we walk it; only this mount writes config/. */
  #root(serial: number, name: string): BackedDirectory {
    const guest: GuestFiles = {
      serial,
      owner: () => ownerOf(this.#vnf(serial)),
      devices: () => this.#roots.devices(serial, this.#vnf(serial).root),
      held: () => this.#roots.held(serial, this.#vnf(serial).root),
      written: () => this.#vnf(serial).root.written,
    };
    return { serial, name, path: () => this.#roots.path(serial, this.#vnf(serial).root), guest };
  }

  #vnf(serial: number): VnfView {
    const view = this.#tree.get(serial);
    if (view?.kind !== 'vnf') throw Object.assign(new Error('the VNF has been removed'), { code: 'ENOENT' });
    return view;
  }
}

/** Of `rfs`, as set by chown and chmod: private at first, and apart from the `/` that the guest has. */
function ownerOf(view: VnfView): GuestOwner {
  const spec = fileAt(view, rootIndex);
  if (spec === undefined) throw Object.assign(new Error('a VNF has rfs'), { code: 'ENOENT' });
  const { uid, gid, mode } = attributesOf(view, spec);
  return { uid, gid, mode };
}

/** True for the file that configures a VNF: config/nf_conf. */
export function isConfiguration(backing: BackedDirectory, name: string): boolean {
  return backing.name === 'config' && name === 'nf_conf';
}
