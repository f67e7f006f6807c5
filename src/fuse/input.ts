import { Errno } from '../errors/errno.ts';
import { Header, minReadBuffer, nameMax, Size, writeOverhead } from './abi/structs.ts';
import { textOfBytes } from './byte-names.ts';

const two32 = 2 ** 32;
const slash = 0x2f;

/**
 * The buffer one request is read into, as words and as bytes. Numbers are in the machine's byte order, as FUSE has them; 64-bit values become
 * JavaScript numbers, exact below 2^53. Reading a name sets `position` behind it and, where the name is no good, `nameErrno`.
 */
export class Input {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  /** Bytes of the request. */
  length = 0;
  /** Where the next name begins. */
  position = 0;
  /** Why the last name read was refused: ENAMETOOLONG, EINVAL, or EIO for a request that was cut off. 0: it was not. */
  nameErrno = 0;

  /** @param maxWrite the longest WRITE, in bytes. */
  constructor(maxWrite: number) {
    const size = Math.max(minReadBuffer, writeOverhead + maxWrite);
    const memory = new ArrayBuffer(Math.ceil(size / 8) * 8);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
  }

  /** Bytes behind the header. */
  get bodyLength(): number {
    return this.length - Size.inHeader;
  }

  /** The 32-bit word `index` of the body. */
  u32(index: number): number {
    return this.words[Header.body + index] ?? 0;
  }

  /** The 64-bit value whose lower half is word `index` of the body. */
  u64(index: number): number {
    return this.u32(index) + this.u32(index + 1) * two32;
  }

  /** The same, all 64 bits. */
  big64(index: number): bigint {
    return BigInt(this.u32(index)) | (BigInt(this.u32(index + 1)) << 32n);
  }

  /** Puts the position at a byte of the body. */
  seek(bodyOffset: number): void {
    this.position = Size.inHeader + bodyOffset;
  }

  /** The entry name at the position: 1 to 255 bytes without a slash, as text (byte-names.ts). An empty string when it is refused. */
  name(): string {
    return this.#text(slash, nameMax);
  }

  /** The string at the position: at least one byte, as text (byte-names.ts). An empty string when it is refused. */
  text(): string {
    return this.#text(0, this.length);
  }

  #text(forbidden: number, maxBytes: number): string {
    const { bytes, length, position } = this;
    let at = position;
    let seen = 0;
    let allowed = true;
    for (; at < length; at += 1) {
      const byte = bytes[at] as number;
      if (byte === 0) break;
      seen |= byte;
      if (byte === forbidden) allowed = false;
    }
    this.position = at + 1;
    this.nameErrno = 0;
    if (at >= length) return this.#refuse(Errno.EIO);
    if (at === position || !allowed) return this.#refuse(Errno.EINVAL);
    if (at - position > maxBytes) return this.#refuse(Errno.ENAMETOOLONG);
    return seen < 0x80 ? bytes.toString('latin1', position, at) : textOfBytes(bytes.subarray(position, at));
  }

  #refuse(errno: number): '' {
    this.nameErrno = errno;
    return '';
  }
}
