import { closeSync, constants, openSync, type PathLike } from 'node:fs';
import { pathArgument } from '../fuse/byte-names.ts';
import { O_PATH } from './change-attributes.ts';

const directoryFlags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Where a tree of user files begins on this machine. */
export interface Backing {
  /** Absolute path; asked each time, for it changes when the object is renamed. */
  path(): string;
  /** True when someone else (a guest) can change the files while we walk them. */
  readonly hostile: boolean;
}

/** One name of a user file. */
interface Link {
  readonly parent: UserNode;
  readonly name: string;
}

/**
 * A user file, or directory, that the kernel has looked up. It is found again by the names it was looked up under; one with
 * no name left lives on in its open files.
 */
export class UserNode {
  readonly nodeid: number;
  /** True for the directory where the backing begins. */
  readonly top: boolean;
  /** Number of the file system it is on (st_dev, stat(2)). */
  readonly dev: number;
  /** Open files of it. */
  readonly fds = new Set<number>();
  /** How often the kernel was told of it (nlookup, fuse.h). */
  lookups = 0;
  readonly #firstBacking: Backing;
  #links: Link[] = [];

  constructor(nodeid: number, backing: Backing, options: { readonly top: boolean; readonly dev: number }) {
    this.nodeid = nodeid;
    this.#firstBacking = backing;
    this.top = options.top;
    this.dev = options.dev;
  }

  /** Where it is now: a rename can take it, or a directory above it, from one VNF to another. */
  get backing(): Backing {
    let node: UserNode = this;
    for (let link = node.#links[0]; link !== undefined && !node.top; link = node.#links[0]) node = link.parent;
    return node.#firstBacking;
  }

  /** Takes note of a name, the newest first. */
  addLink(parent: UserNode, name: string): void {
    const [first] = this.#links;
    if (first?.parent === parent && first.name === name) return;
    this.removeLink(parent, name);
    this.#links.unshift({ parent, name });
  }

  removeLink(parent: UserNode, name: string): void {
    this.#links = this.#links.filter((link) => link.parent !== parent || link.name !== name);
  }

  /** Names from the backing directory down; undefined when the last name is gone. */
  components(): string[] | undefined {
    const names: string[] = [];
    for (let node: UserNode = this; !node.top; ) {
      const link: Link | undefined = node.#links[0];
      if (link === undefined) return undefined;
      names.unshift(link.name);
      node = link.parent;
    }
    return names;
  }
}

/**
 * Calls `use` with a path for a user file, or for `name` in it. No symbolic link on the way is followed. Where the files are hostile
 * the path leads through a descriptor of the directory (`/proc/self/fd/N/name`), so that a directory swapped for a link in
 * the middle of the walk gains nothing. The last component may be a link: open it with O_NOFOLLOW.
 *
 * @throws ENOENT when the file has no name left.
 */
export function withPath<T>(node: UserNode, name: string | undefined, use: (path: PathLike) => T): T {
  const components = node.components();
  if (components === undefined) throw Object.assign(new Error('the file has no name left'), { code: 'ENOENT' });
  if (name !== undefined) components.push(name);
  if (!node.backing.hostile) return use(pathArgument([node.backing.path(), ...components].join('/')));
  return walk(node.backing.path(), components, use);
}

function walk<T>(top: string, components: readonly string[], use: (path: PathLike) => T): T {
  const last = components.at(-1);
  if (last === undefined) return use(top);
  let fd = openSync(top, directoryFlags);
  try {
    for (const component of components.slice(0, -1)) {
      const next = openSync(pathArgument(`/proc/self/fd/${fd}/${component}`), directoryFlags);
      closeSync(fd);
      fd = next;
    }
    return use(pathArgument(`/proc/self/fd/${fd}/${last}`));
  } finally {
    closeSync(fd);
  }
}
