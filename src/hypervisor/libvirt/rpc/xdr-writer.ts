const initialBytes = 512;

/** Writes values as XDR (RFC 4506): big-endian, each padded to four bytes. */
export class XdrWriter {
  #buffer = Buffer.alloc(initialBytes);
  #length = 0;

  int(value: number): this {
    const at = this.#room(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  uint(value: number): this {
    const at = this.#room(4);
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  /** An unsigned hyper. */
  uhyper(value: number): this {
    const at = this.#room(8);
    this.#buffer.writeBigUInt64BE(BigInt(Math.round(value)), at);
    return this;
  }

  /** A hyper. */
  hyper(value: number): this {
    const at = this.#room(8);
    this.#buffer.writeBigInt64BE(BigInt(Math.round(value)), at);
    return this;
  }

  /** Bytes whose number both sides know. */
  fixed(bytes: Uint8Array): this {
    const at = this.#room(bytes.length + padding(bytes.length));
    this.#buffer.set(bytes, at);
    return this;
  }

  string(text: string): this {
    const bytes = Buffer.from(text);
    return this.uint(bytes.length).fixed(bytes);
  }

  /** A string that may be missing. */
  optionalString(text: string | undefined): this {
    return text === undefined ? this.uint(0) : this.uint(1).string(text);
  }

  /** A counted array. */
  array<T>(items: readonly T[], write: (writer: this, item: T) => void): this {
    this.uint(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Makes room, zeroed, for so many bytes, if need be in a new buffer; returns where it begins. */
  #room(bytes: number): number {
    const start = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], Math.max(this.#length, this.#buffer.length * 2));
    return start;
  }
}

/** How many bytes follow so many to make them a multiple of four. */
export function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
