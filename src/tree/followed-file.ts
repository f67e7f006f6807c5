import { closeSync, fstatSync, readSync } from 'node:fs';

/** Longer than the longest line of a file that is replaced, bytes. */
const longestLine = 64 * 1024;

/** An open file, and at which offset of its reader it begins. */
interface Part {
  readonly fd: number;
  readonly start: number;
}

/**
 * A file that grows, as one who has it open reads it, also when it is replaced by a shorter one that holds the newest of its lines: then its reader is given the old one to its
 * end, and goes on where that ends in the new one. So offsets go on, and `tail -f` sees each line once.
 */
export class FollowedFile {
  readonly #open: () => number | undefined;
  readonly #closed: (fd: number) => void;
  #part: Part;
  /** What has taken its place. */
  #next: Part | undefined;

  /**
   * @param fd of the file as it is.
   * @param how.open opens the file of that name: undefined while there is none.
   * @param how.closed is told of each descriptor that is closed.
   */
  constructor(fd: number, how: { readonly open: () => number | undefined; readonly closed: (fd: number) => void }) {
    this.#part = { fd, start: 0 };
    this.#open = how.open;
    this.#closed = how.closed;
  }

  /** Its size, as its reader counts, bytes. */
  get size(): number {
    this.#look();
    return endOf(this.#next ?? this.#part);
  }

  /** Fills a buffer from an offset. @returns how many bytes there were. */
  read(buffer: Uint8Array, { offset, size }: { readonly offset: number; readonly size: number }): number {
    this.#look();
    if (this.#next !== undefined && offset >= endOf(this.#part)) this.#goOn(this.#next);
    if (offset < this.#part.start) this.#beginAnew();
    return readSync(this.#part.fd, buffer, 0, size, offset - this.#part.start);
  }

  close(): void {
    for (const part of [this.#part, this.#next]) if (part !== undefined) this.#close(part.fd);
  }

  /** Finds out whether the file was replaced, and opens what took its place. */
  #look(): void {
    const { fd, start } = this.#next ?? this.#part;
    const { nlink, size } = fstatSync(fd);
    if (nlink > 0) return;
    const replacement = this.#open();
    if (replacement === undefined) return;
    // Who is two behind has lost what was between.
    if (this.#next !== undefined) this.#goOn(this.#next);
    this.#next = { fd: replacement, start: start + size - placeAfter(replacement, lastLine(fd, size)) };
  }

  #goOn(next: Part): void {
    this.#close(this.#part.fd);
    this.#part = next;
    this.#next = undefined;
  }

  /** Who goes back to what is no more sees the file as it is now. */
  #beginAnew(): void {
    if (this.#next !== undefined) this.#goOn(this.#next);
    this.#part = { fd: this.#part.fd, start: 0 };
  }

  #close(fd: number): void {
    this.#closed(fd);
    closeSync(fd);
  }
}

function endOf({ fd, start }: Part): number {
  return start + fstatSync(fd).size;
}

/** The last line of a file. */
function lastLine(fd: number, size: number): Buffer {
  const end = Buffer.alloc(Math.min(longestLine, size));
  readSync(fd, end, 0, end.length, size - end.length);
  return end.subarray(end.lastIndexOf('\n', -2) + 1);
}

/** The offset after a line, which is there once; 0 when it is not there: then all of the file is new. */
function placeAfter(fd: number, line: Buffer): number {
  const content = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, content, 0, content.length, 0);
  const place = line.length === 0 ? -1 : content.lastIndexOf(line);
  return place < 0 ? 0 : place + line.length;
}
