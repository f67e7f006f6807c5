import { padding } from './xdr-writer.ts';

/** Longest array that a reply may hold, REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX. */
const longestArray = 262_144;

/** Reads values from XDR (RFC 4506). Every read throws a RangeError when the bytes end before the value does. */
export class XdrReader {
  readonly #buffer: Buffer;
  #next = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  int(): number {
    return this.#buffer.readInt32BE(this.#advance(4));
  }

  uint(): number {
    return this.#buffer.readUInt32BE(this.#advance(4));
  }

  /** An unsigned hyper, as the nearest number. */
  uhyper(): number {
    return Number(this.#buffer.readBigUInt64BE(this.#advance(8)));
  }

  /** A hyper, as the nearest number. */
  hyper(): number {
    return Number(this.#buffer.readBigInt64BE(this.#advance(8)));
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#advance(8));
  }

  /** Bytes whose number both sides know. */
  fixed(length: number): Buffer {
    const start = this.#advance(length + padding(length));
    return this.#buffer.subarray(start, start + length);
  }

  string(): string {
    return this.fixed(this.uint()).toString();
  }

  /** What may be missing. */
  optional<T>(read: (reader: this) => T): T | undefined {
    return this.uint() === 0 ? undefined : read(this);
  }

  /** A counted array. */
  array<T>(read: (reader: this) => T): T[] {
    const length = this.uint();
    if (length > longestArray) throw new RangeError(`an array of ${length} items`);
    return Array.from({ length }, () => read(this));
  }

  #advance(bytes: number): number {
    const start = this.#next;
    if (start + bytes > this.#buffer.length) throw new RangeError(`${bytes} bytes at ${start} of ${this.#buffer.length}`);
    this.#next += bytes;
    return start;
  }
}
