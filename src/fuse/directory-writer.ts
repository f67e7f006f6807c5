import { Size } from './abi/structs.ts';
import type { Entry } from './attributes.ts';
import { byteLengthOfText, bytesOfText } from './byte-names.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

/** Fills a reply to READDIR or READDIRPLUS entry by entry, until the size the kernel asked for is reached. */
export class DirectoryWriter {
  readonly #out: ReplyBuffer;
  #plus = false;
  #limit: number = Size.outHeader;
  /** Whether begin() was called for the request in hand. */
  begun = false;
  /** Length of the message so far. */
  length: number = Size.outHeader;

  constructor(out: ReplyBuffer) {
    this.#out = out;
  }

  /** @param size how many bytes of entries the kernel has room for. */
  begin(size: number, plus: boolean): void {
    this.begun = true;
    this.#plus = plus;
    this.length = Size.outHeader;
    this.#limit = Size.outHeader + Math.min(size, this.#out.data.length);
  }

  /** @returns false when there is no room: nothing was written. In READDIRPLUS this is an entry the kernel does not count as looked up. */
  add(name: string, ino: number, type: number, nextOffset: number): boolean {
    const start = this.length;
    const header = this.#plus ? Size.direntplus : Size.dirent;
    if (!this.#name(start + header, name, ino, type, nextOffset)) return false;
    if (this.#plus) this.#out.words.fill(0, start / 4, (start + Size.entryOut) / 4);
    return true;
  }

  /** The same with attributes; the kernel counts it as one lookup (not for `.` and `..`, which go through add). */
  addPlus(name: string, entry: Entry, nextOffset: number): boolean {
    const { ino, mode } = entry.attr;
    if (!this.#plus) return this.add(name, ino, (mode >>> 12) & 15, nextOffset);
    const start = this.length;
    if (!this.#name(start + Size.direntplus, name, ino, (mode >>> 12) & 15, nextOffset)) return false;
    this.#out.putEntry(start / 4, entry);
    return true;
  }

  /** Writes the dirent whose name begins at byte `nameAt`, and pads it to 8 bytes. */
  #name(nameAt: number, name: string, ino: number, type: number, nextOffset: number): boolean {
    const { bytes, words } = this.#out;
    const length = byteLengthOfText(name);
    const end = (nameAt + length + 7) & ~7;
    if (end > this.#limit) return false;
    const at = (nameAt - Size.dirent) / 4;
    this.#out.put64(at, ino);
    this.#out.put64(at + 2, nextOffset);
    words[at + 4] = length;
    words[at + 5] = type;
    if (name.isWellFormed()) bytes.write(name, nameAt, length, 'utf8');
    else bytes.set(bytesOfText(name), nameAt);
    bytes.fill(0, nameAt + length, end);
    this.length = end;
    return true;
  }
}
