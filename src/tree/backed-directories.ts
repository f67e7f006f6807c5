import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { appliedName, configurationName } from '../domain/configuration-names.ts';
import { statsOf } from '../vfs/file-stats.ts';
import type { GuestFiles, GuestOwner } from '../vfs/guest-files.ts';
import { userNodeid } from '../vfs/nodeid.ts';
import type { Backing, UserNode } from '../vfs/user-node.ts';
import { ownershipOf } from './attributes.ts';
import { type FileSpec, rootIndex } from './file-spec.ts';
import { fileAt } from './files.ts';
import type { OpenRoots } from './open-roots.ts';
import type { Tree } from './tree.ts';
import type { ObjectView, VnfView } from './views.ts';

/** A directory of a VNF whose files are user files: config/ and rfs/. */
export interface BackedDirectory extends Backing {
  readonly serial: number;
  readonly name: string;
  /** True while the VNF has a guest. */
  deployed(): boolean;
}

const names = ['config', 'rfs'] as const;

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

  /** A VNF has been removed. @returns those of its directories that were known. */
  forget(serial: number): readonly BackedDirectory[] {
    return names.flatMap((name) => {
      const known = this.#known.get(`${serial}/${name}`);
      this.#known.delete(`${serial}/${name}`);
      return known === undefined ? [] : [known];
    });
  }

  /** How many are known. */
  get count(): number {
    return this.#known.size;
  }

  /** Every one there is. */
  *all(): Iterable<BackedDirectory> {
    for (const view of this.#tree.all()) {
      if (view.kind !== 'vnf') continue;
      for (const name of names) yield this.#of(view.serial, name);
    }
  }

  /** The VNFs that a user file configures. A file with several names may have one in each of several. */
  configuredBy(node: UserNode, links: number): readonly number[] {
    const own = node.backing as BackedDirectory;
    if (own.name !== 'config') return [];
    const places = links > 1 ? this.all() : [own];
    return [...places].filter((place) => place.name === 'config' && configures(node, place)).map(({ serial }) => serial);
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
    return { serial, name, path: () => this.#vnf(serial).configPath, deployed: () => this.#vnf(serial).deployed, guest: undefined };
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
    const path = (): string => this.#roots.path(serial, this.#vnf(serial).root);
    return { serial, name, path, deployed: () => this.#vnf(serial).deployed, guest };
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
  const { uid, gid, mode } = ownershipOf(view, spec);
  return { uid, gid, mode };
}

/** True for that directory and what is in it; `name`: of a file in the directory `node`. */
export function isApplied(node: UserNode, name?: string): boolean {
  const backing = node.backing as BackedDirectory;
  if (backing.name !== 'config') return false;
  const [first = name] = node.components() ?? [];
  return first === appliedName;
}

/** True for that name in a config/ directory. */
export function isConfigurationName(parent: UserNode, name: string): boolean {
  return parent.top && (parent.backing as BackedDirectory).name === 'config' && name === configurationName;
}

/** True when a user file is the configuration of this directory's VNF, by whatever name it was opened: a link to it, or one that it had before. */
function configures(node: UserNode, { path }: BackedDirectory): boolean {
  const stats = statsOf(join(path(), configurationName));
  return stats !== undefined && userNodeid(stats) === node.nodeid;
}
