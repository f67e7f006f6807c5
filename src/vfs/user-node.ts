import type { GuestFiles } from './guest-files.ts';

/** Where a tree of user files begins on this machine. */
export interface Backing {
  /** Absolute path; asked each time, for it changes when the object is renamed. @throws RootClosedError */
  path(): string;
  /** Of the root of a guest, which someone else (the guest) changes while we walk it. */
  readonly guest: GuestFiles | undefined;
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
  /** Open files of it. */
  readonly fds = new Set<number>();
  /** How often the kernel was told of it (nlookup, fuse.h). */
  lookups = 0;
  readonly #firstBacking: Backing;
  #links: Link[] = [];

  constructor(nodeid: number, backing: Backing, options: { readonly top: boolean }) {
    this.nodeid = nodeid;
    this.#firstBacking = backing;
    this.top = options.top;
  }

  /** Where it is now: a rename can take it, or a directory above it, from one VNF to another. */
  get backing(): Backing {
    let node: UserNode = this;
    for (let link = node.#links[0]; link !== undefined && !node.top; link = node.#links[0]) node = link.parent;
    return node.#firstBacking;
  }

  /** The name it was found by last; undefined for a top directory, and when the last one is gone. */
  get newestLink(): Link | undefined {
    return this.#links[0];
  }

  /** Takes note of a name, the newest first. @returns whether it is news. */
  addLink(parent: UserNode, name: string): boolean {
    const [first] = this.#links;
    if (first?.parent === parent && first.name === name) return false;
    this.removeLink(parent, name);
    this.#links.unshift({ parent, name });
    return true;
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
