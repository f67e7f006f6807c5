import { EntryType } from '../fuse/abi/flags.ts';
import type { Request } from '../fuse/request.ts';

/** One READDIR or READDIRPLUS request. */
export interface ListingPart<T> {
  readonly fh: number;
  readonly offset: number;
  /** Everything in the directory; asked when the listing begins. */
  list(): readonly T[];
  /** Adds an item to the answer; false when it is full. */
  add(item: T, nextOffset: number): boolean;
}

/** Open directories, each as it was when its listing began: what is made or removed meanwhile neither shifts nor repeats a name (readdir(3)). */
export class Listings<T> {
  readonly #open = new Map<number, readonly T[]>();

  /** Answers with as much as fits. */
  reply(request: Request, part: ListingPart<T>): void {
    let items = part.offset === 0 ? undefined : this.#open.get(part.fh);
    if (items === undefined) {
      items = part.list();
      this.#open.set(part.fh, items);
    }
    for (let position = part.offset; position < items.length + 2; position += 1) {
      const added =
        position < 2
          ? request.addEntry(position === 0 ? '.' : '..', request.nodeid, EntryType.DIR, position + 1)
          : part.add(items[position - 2] as T, position + 1);
      if (!added) break;
    }
    request.replyDirectory();
  }

  close(fh: number): void {
    this.#open.delete(fh);
  }
}
