import type { GuestFiles } from './guest-files.ts';
import { type Link, Names } from './names.ts';

/** Where a tree of user files begins on this machine. */
export interface Backing {
  /** Absolute path; asked each time, for it changes when the object is renamed. @throws RootClosedError */
  path(): string;
  /** Of the root of a guest, which someone else (the guest) changes while we walk it. */
  readonly guest: GuestFiles | undefined;
}

/**
 * A user file, or directory, that the kernel has looked up. It is found again by the names it was looked up under; one with
 * no name left lives on in its open files.
 */
export class UserNode {
  readonly nodeid: number;
  /** True for the directory where the backing begins. */
  readonly top: boolean;
  /** Open files of it. */
  readonly fds = new Set<number>();
  /** How often the kernel was told of it (nlookup, fuse.h). */
  lookups = 0;
  readonly #firstBacking: Backing;
  readonly #names = new Names<UserNode>();

  constructor(nodeid: number, backing: Backing, options: { readonly top: boolean }) {
    this.nodeid = nodeid;
    this.#firstBacking = backing;
    this.top = options.top;
  }

  /** Where it is now: a rename can take it, or a directory above it, from one VNF to another. */
  get backing(): Backing {
    let node: UserNode = this;
    for (let link = node.newestLink; link !== undefined && !node.top; link = node.newestLink) node = link.parent;
    return node.#firstBacking;
  }

  /** The name it was found by last; undefined for a top directory, and when the last one is gone. */
  get newestLink(): Link<UserNode> | undefined {
    return this.#names.newest;
  }

  /** Takes note of a name, the newest. @returns whether it is news. */
  addLink(parent: UserNode, name: string): boolean {
    return this.#names.add(parent, name);
  }

  removeLink(parent: UserNode, name: string): void {
    this.#names.remove(parent, name);
  }

  /** Names from the backing directory down; undefined when the last name is gone. */
  components(): string[] | undefined {
    const names: string[] = [];
    for (let node: UserNode = this; !node.top; ) {
      const link: Link<UserNode> | undefined = node.newestLink;
      if (link === undefined) return undefined;
      names.push(link.name);
      node = link.parent;
    }
    return names.reverse();
  }
}
