import { Size } from './abi/structs.ts';
import type { Attr, Entry, LockRange, StatfsResult } from './attributes.ts';
import { putStatx } from './statx.ts';

const two32 = 2 ** 32;
const maxTimeoutSeconds = 2 ** 31;
const body = Size.outHeader / 4;

/**
 * The buffer replies and notifications are written in. Every method that puts a body returns the length of the whole message;
 * header() then completes it. Offsets are in 4-byte words from the start of the message.
 */
export class ReplyBuffer {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  /** The body: all behind the header. */
  readonly data: Buffer<ArrayBuffer>;

  /** @param capacity the longest body, in bytes. */
  constructor(capacity: number) {
    const memory = new ArrayBuffer(Size.outHeader + Math.ceil(capacity / 8) * 8);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
    this.data = this.bytes.subarray(Size.outHeader);
  }

  /** @param code minus an errno, 0, or the code of a notification (then unique is 0). */
  header(length: number, code: number, uniqueLow: number, uniqueHigh: number): void {
    const { words } = this;
    words[0] = length;
    words[1] = code;
    words[2] = uniqueLow;
    words[3] = uniqueHigh;
  }

  put64(at: number, value: number): void {
    this.words[at] = value;
    this.words[at + 1] = Math.floor(value / two32);
  }

  /** A body of one 64-bit number: a count of bytes written, an offset, the size of an attribute, poll events. */
  number(value: number): number {
    this.put64(body, value);
    return Size.outHeader + 8;
  }

  attr(attr: Attr, timeoutMs: number): number {
    const { words } = this;
    const seconds = wholeSeconds(timeoutMs);
    this.put64(body, seconds);
    words[body + 2] = nanoseconds(timeoutMs, seconds);
    words[body + 3] = 0;
    this.putAttr(body + 4, attr);
    return Size.outHeader + Size.attrOut;
  }

  statx(attr: Attr, timeoutMs: number): number {
    const seconds = wholeSeconds(timeoutMs);
    this.words.fill(0, body, body + Size.statxOut / 4);
    this.put64(body, seconds);
    this.words[body + 2] = nanoseconds(timeoutMs, seconds);
    putStatx(this, body + 8, attr);
    return Size.outHeader + Size.statxOut;
  }

  entry(entry: Entry): number {
    this.putEntry(body, entry);
    return Size.outHeader + Size.entryOut;
  }

  open(fh: number, openFlags: number): number {
    return this.#putOpen(body, fh, openFlags);
  }

  create(entry: Entry, fh: number, openFlags: number): number {
    this.putEntry(body, entry);
    return this.#putOpen(body + Size.entryOut / 4, fh, openFlags);
  }

  #putOpen(at: number, fh: number, openFlags: number): number {
    this.put64(at, fh);
    this.words[at + 2] = openFlags;
    this.words[at + 3] = 0;
    return at * 4 + Size.openOut;
  }

  /** @returns 0 when there are more bytes than fit. */
  raw(bytes: Uint8Array): number {
    if (bytes.length > this.data.length) return 0;
    this.data.set(bytes);
    return Size.outHeader + bytes.length;
  }

  statfs(st: StatfsResult): number {
    const { words } = this;
    this.put64(body, st.blocks);
    this.put64(body + 2, st.bfree);
    this.put64(body + 4, st.bavail);
    this.put64(body + 6, st.files);
    this.put64(body + 8, st.ffree);
    words[body + 10] = st.bsize;
    words[body + 11] = st.namelen;
    words[body + 12] = st.frsize;
    words.fill(0, body + 13, body + 20);
    return Size.outHeader + Size.statfsOut;
  }

  lock(lock: LockRange): number {
    this.put64(body, lock.start);
    if (lock.end === Number.POSITIVE_INFINITY) {
      this.words[body + 2] = 0xffffffff;
      this.words[body + 3] = 0x7fffffff;
    } else this.put64(body + 2, lock.end);
    this.words[body + 4] = lock.type;
    this.words[body + 5] = lock.pid;
    return Size.outHeader + Size.lkOut;
  }

  putEntry(at: number, entry: Entry): void {
    const { words } = this;
    const entrySeconds = wholeSeconds(entry.entryTimeoutMs);
    this.put64(at, entry.nodeid);
    this.put64(at + 2, entry.generation);
    this.put64(at + 4, entrySeconds);
    words[at + 8] = nanoseconds(entry.entryTimeoutMs, entrySeconds);
    if (entry.nodeid === 0) {
      words.fill(0, at + 6, at + 8);
      words.fill(0, at + 9, at + Size.entryOut / 4);
      return;
    }
    const attrSeconds = wholeSeconds(entry.attrTimeoutMs);
    this.put64(at + 6, attrSeconds);
    words[at + 9] = nanoseconds(entry.attrTimeoutMs, attrSeconds);
    this.putAttr(at + 10, entry.attr);
  }

  putAttr(at: number, attr: Attr): void {
    const { words } = this;
    this.put64(at, attr.ino);
    this.put64(at + 2, attr.size);
    this.put64(at + 4, attr.blocks);
    this.putTime(at + 6, at + 12, attr.atimeNs ?? attr.atimeMs);
    this.putTime(at + 8, at + 13, attr.mtimeNs ?? attr.mtimeMs);
    this.putTime(at + 10, at + 14, attr.ctimeNs ?? attr.ctimeMs);
    words[at + 15] = attr.mode;
    words[at + 16] = attr.nlink;
    words[at + 17] = attr.uid;
    words[at + 18] = attr.gid;
    words[at + 19] = attr.rdev;
    words[at + 20] = attr.blksize;
    words[at + 21] = 0;
  }

  /** @param time nanoseconds, or a number of milliseconds. */
  putTime(secondsAt: number, nanosecondsAt: number, time: bigint | number): void {
    if (typeof time === 'number') {
      // A double of milliseconds since 1970 is good to a quarter of a microsecond: rounded to whole ones, a time that was set reads back equal.
      const microseconds = Math.round(time * 1000);
      const seconds = Math.floor(microseconds / 1e6);
      this.put64(secondsAt, seconds);
      this.words[nanosecondsAt] = (microseconds - seconds * 1e6) * 1000;
      return;
    }
    const rest = time % second;
    const nanosecond = rest < 0n ? rest + second : rest;
    this.put64(secondsAt, Number((time - nanosecond) / second));
    this.words[nanosecondsAt] = Number(nanosecond);
  }
}

const second = 1_000_000_000n;

/** The whole seconds of a timeout, at most what the kernel can count with. */
function wholeSeconds(ms: number): number {
  return ms < maxTimeoutSeconds * 1000 ? Math.floor(ms / 1000) : maxTimeoutSeconds;
}

/** What a timeout has behind its whole seconds, in nanoseconds. */
function nanoseconds(ms: number, seconds: number): number {
  const rest = ms - seconds * 1000;
  return rest < 1000 ? Math.floor(rest * 1e6) : 0;
}
