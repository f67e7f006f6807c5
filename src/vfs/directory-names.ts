import { type Dir, opendirSync, type PathLike } from 'node:fs';
import { textOfBytes } from '../fuse/byte-names.ts';

/** So many names are read from the file system at once. */
const batch = 64;

/**
 * The names in an open directory, read from it as they are asked for: a directory may hold millions. Each has a position, counted from 0, and keeps it, whatever is made
 * or removed meanwhile (readdir(3), seekdir(3)). What was read is kept, until it is dropped.
 */
export class DirectoryNames implements Disposable {
  #directory: Dir | undefined;
  #names: string[] = [];
  /** Position of the first that is kept. */
  #first = 0;

  /** @param path of the directory, good while this is made; undefined: there are none. @throws as opendir(3). */
  constructor(path: PathLike | undefined) {
    if (path === undefined) return;
    // As bytes: where the file system does not tell kinds, Node looks at each name, and finds it.
    this.#directory = opendirSync(path, { encoding: 'buffer' as BufferEncoding, bufferSize: batch });
  }

  /** How many names are kept. */
  get kept(): number {
    return this.#names.length;
  }

  /** Whether the name at a position was dropped: the directory has to be opened again to find it. */
  hasDropped(position: number): boolean {
    return Math.max(0, position) < this.#first;
  }

  /**
   * Reads on until the name at a position is known, or `most` have been read.
   *
   * @returns whether it is known, or known that there is none.
   */
  reach(position: number, most: number): boolean {
    for (let read = 0; this.#directory !== undefined && position >= this.#first + this.#names.length; read += 1) {
      if (read >= most) return false;
      const entry = this.#directory.readSync();
      if (entry === null) this[Symbol.dispose]();
      else this.#names.push(textOfBytes(entry.name as unknown as Buffer));
    }
    return true;
  }

  /** The name at a position that was reached; undefined at the end. */
  at(position: number): string | undefined {
    return this.#names[position - this.#first];
  }

  /** Forgets all names but those that were read last. @returns how many are forgotten. */
  drop(butLast: number): number {
    const dropped = Math.max(0, this.#names.length - butLast);
    this.#names = this.#names.slice(dropped);
    this.#first += dropped;
    return dropped;
  }

  /** Closes the directory; what was read is still known. */
  [Symbol.dispose](): void {
    this.#directory?.closeSync();
    this.#directory = undefined;
  }
}
