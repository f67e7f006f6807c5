import { EntryType } from '../fuse/abi/flags.ts';
import type { Request } from '../fuse/request.ts';
import type { DirectoryNames } from '../vfs/directory-names.ts';

/** So many names are looked at for one request, as lstat(2) does: others wait meanwhile. */
const mostLooked = 128;
/** So many are only read, on the way to a position. */
const mostRead = 2048;
/** So many names are kept for all open directories together; of those read last by each, these are always kept, for what a caller had no room for is asked for again. */
const mostKept = 1_000_000;
const alwaysKept = 1024;

/** What came of a name: in the answer; not there, or not shown; no room in the answer. */
export type Added = 'added' | 'absent' | 'full';

/** One READDIR or READDIRPLUS request. */
export interface UserListingPart {
  readonly fh: number;
  readonly offset: number;
  /** Opens the directory. */
  open(): DirectoryNames;
  /** Closes it. */
  close(names: DirectoryNames): void;
  /** Looks at a name and adds it to the answer. */
  add(name: string, nextOffset: number): Added;
}

/** An open directory. */
interface Listing {
  readonly names: DirectoryNames;
  readonly close: (names: DirectoryNames) => void;
  /** Who continues at `from` finds nothing to show before `to`. */
  nothing: { readonly from: number; readonly to: number };
}

/**
 * Open directories of user files. A request reads and looks at a page of names; a directory with a million of them holds nobody else up. What is made or removed meanwhile neither
 * shifts nor repeats a name, and seekdir(3) finds every place again: a name has the position at which it was read, after `.` and `..`.
 *
 * Where more names were read than are kept, by all together, going far back counts them anew.
 */
export class UserListings {
  readonly #open = new Map<number, Listing>();
  #kept = 0;

  /** Answers with a page. @returns false when it is not answered: it takes longer, and is to be served once more when others have had their turn. */
  reply(request: Request, part: UserListingPart): boolean {
    const listing = this.#listing(part);
    const { names } = listing;
    const first = part.offset === listing.nothing.from ? listing.nothing.to : part.offset;
    const before = names.kept;
    const reached = names.reach(first - 2, mostRead);
    const { next, done } = reached ? fill(request, { part, names, first }) : { next: first, done: false };
    this.#kept += names.kept - before;
    this.#forget();
    if (done || request.listsAny) {
      request.replyDirectory();
      return true;
    }
    listing.nothing = { from: part.offset, to: next };
    return false;
  }

  /** How many directories are open. */
  get count(): number {
    return this.#open.size;
  }

  close(fh: number): void {
    const listing = this.#open.get(fh);
    if (listing === undefined) return;
    this.#open.delete(fh);
    this.#kept -= listing.names.kept;
    listing.close(listing.names);
  }

  /** The newest in use is the last. */
  #listing({ fh, offset, open, close }: UserListingPart): Listing {
    const known = this.#open.get(fh);
    if (known !== undefined && offset > 0 && !known.names.hasDropped(offset - 2)) {
      this.#open.delete(fh);
      this.#open.set(fh, known);
      return known;
    }
    this.close(fh);
    const listing = { names: open(), close, nothing: { from: 0, to: 0 } };
    this.#open.set(fh, listing);
    return listing;
  }

  /** Those that were not read from for longest forget first. */
  #forget(): void {
    for (const { names } of this.#open.values()) {
      if (this.#kept <= mostKept) return;
      this.#kept -= names.drop(alwaysKept);
    }
  }
}

/** Adds names from a position on. @returns the position after the last that was looked at, and whether the answer is full or there are no more. */
function fill(
  request: Request,
  { part, names, first }: { readonly part: UserListingPart; readonly names: DirectoryNames; readonly first: number },
): { readonly next: number; readonly done: boolean } {
  for (let next = first; next < first + mostLooked; next += 1) {
    if (next < 2) {
      if (!request.addEntry(next === 0 ? '.' : '..', request.nodeid, EntryType.DIR, next + 1)) return { next, done: true };
      continue;
    }
    names.reach(next - 2, 1);
    const name = names.at(next - 2);
    if (name === undefined || part.add(name, next + 1) === 'full') return { next, done: true };
  }
  return { next: first + mostLooked, done: false };
}
