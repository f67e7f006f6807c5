import { isAbsence } from '../errors/index.ts';
import type { DirectoryNames } from './directory-names.ts';
import { type FileStats, isDirectory } from './file-stats.ts';
import type { NodeJournal } from './node-journal.ts';
import { guestOfTop, isGuestFile } from './nodeid.ts';
import type { UnlinkedFiles } from './unlinked-files.ts';
import { type Backing, UserNode } from './user-node.ts';

interface Found {
  readonly node: UserNode;
  readonly stats: FileStats;
}

/** User files as they are found from above. */
interface Files {
  enter(backing: Backing): Found;
  get(nodeid: number): UserNode;
  lookup(parent: UserNode, name: string): Found | undefined;
  names(directory: UserNode): DirectoryNames;
}

/** Where to look for them. */
export interface Places {
  /** Every directory where user files begin. */
  readonly backings: () => Iterable<Backing>;
  /** Where they were found before. */
  readonly journal?: NodeJournal | undefined;
  /** Those that are open and have no name. */
  readonly unlinked?: UnlinkedFiles | undefined;
}

/**
 * Finds files by their nodeids of which a server before this one told the kernel. Where each was found is in its journal; only when that is not whole, for want of room, all files of
 * config/ are looked through.
 */
export class EarlierFiles {
  readonly #files: Files;
  readonly #places: Places;
  /** Nodeids that were searched and are of no file. */
  readonly #missing = new Set<number>();

  constructor(files: Files, places: Places) {
    this.#files = files;
    this.#places = places;
  }

  /** Undefined when there is none (any more). */
  find(nodeid: number): UserNode | undefined {
    if (guestOfTop(nodeid) !== undefined) return this.#top(nodeid);
    return isGuestFile(nodeid) ? this.#inGuest(nodeid) : this.#inConfiguration(nodeid);
  }

  /** A nodeid has become a file's. */
  isUsed(nodeid: number): void {
    this.#missing.delete(nodeid);
  }

  /** The directory where a VNF's files begin. */
  #top(nodeid: number): UserNode | undefined {
    const serial = guestOfTop(nodeid);
    for (const backing of this.#places.backings()) {
      if (backing.guest?.serial !== serial) continue;
      const node = this.#entered(backing);
      if (node?.nodeid === nodeid) return node;
    }
    return undefined;
  }

  /** Undefined for the directory of a VNF that is gone. */
  #entered(backing: Backing): UserNode | undefined {
    try {
      return this.#files.enter(backing).node;
    } catch (error) {
      if (backing.guest === undefined && isAbsence(error)) return undefined;
      throw error;
    }
  }

  /** Whose name the guest may have changed since. */
  #inGuest(nodeid: number): UserNode | undefined {
    const noted = this.#places.journal?.find(nodeid);
    if (noted === undefined) return undefined;
    const parent = this.#files.get(noted.parent);
    const node = new UserNode(nodeid, parent.backing, { top: false });
    node.addLink(parent, noted.name);
    return node;
  }

  #inConfiguration(nodeid: number): UserNode | undefined {
    const { journal, unlinked } = this.#places;
    if (unlinked?.path(nodeid) !== undefined) return new UserNode(nodeid, unlinked.backing, { top: false });
    const noted = journal?.find(nodeid);
    if (noted === undefined) return this.#searchOnce(nodeid);
    const found = this.#files.lookup(this.#files.get(noted.parent), noted.name)?.node;
    return found?.nodeid === nodeid ? found : undefined; // another file may have its name by now
  }

  /** What is not noted is the top of a configuration, or the journal lacks it. */
  #searchOnce(nodeid: number): UserNode | undefined {
    if (this.#missing.has(nodeid)) return undefined;
    const found = this.#top(nodeid) ?? (this.#places.journal?.isWhole ? undefined : this.#search(nodeid));
    if (found === undefined) this.#missing.add(nodeid);
    return found;
  }

  #search(nodeid: number): UserNode | undefined {
    for (const backing of this.#places.backings()) {
      const top = backing.guest === undefined ? this.#entered(backing) : undefined;
      for (const node of top === undefined ? [] : this.#below(top)) if (node.nodeid === nodeid) return node;
    }
    return undefined;
  }

  *#below(top: UserNode): Iterable<UserNode> {
    const pending = [top];
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const { node, stats } of this.#in(directory)) {
        yield node;
        if (isDirectory(stats)) pending.push(node);
      }
    }
  }

  *#in(directory: UserNode): Iterable<Found> {
    using names = this.#files.names(directory);
    for (let position = 0; names.reach(position, Number.POSITIVE_INFINITY); position += 1) {
      const name = names.at(position);
      if (name === undefined) return;
      const found = this.#files.lookup(directory, name);
      if (found !== undefined) yield found;
    }
  }
}
