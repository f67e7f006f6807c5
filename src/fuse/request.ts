import { Errno } from '../errors/errno.ts';
import { RequestFlag, SetattrValid } from './abi/flags.ts';
import { Opcode } from './abi/opcodes.ts';
import { Header, Size } from './abi/structs.ts';
import type { Attr, Entry, LockRange, StatfsResult } from './attributes.ts';
import type { DirectoryWriter } from './directory-writer.ts';
import { type Exchange, Stage } from './exchange.ts';
import type { Input } from './input.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Ticket } from './ticket.ts';

const two32 = 2 ** 32;

/** Where each request has its open flags and its lock owner: word of the body. */
const flagsAt: { readonly [opcode: number]: number } = {
  [Opcode.OPEN]: 0,
  [Opcode.OPENDIR]: 0,
  [Opcode.CREATE]: 0,
  [Opcode.READ]: 8,
  [Opcode.WRITE]: 8,
  [Opcode.RELEASE]: 2,
  [Opcode.RELEASEDIR]: 2,
};
const lockOwnerAt: { readonly [opcode: number]: number } = {
  [Opcode.READ]: 6,
  [Opcode.WRITE]: 6,
  [Opcode.RELEASE]: 4,
  [Opcode.FLUSH]: 4,
  [Opcode.GETLK]: 2,
  [Opcode.SETLK]: 2,
  [Opcode.SETLKW]: 2,
  [Opcode.SETATTR]: 6,
};

/**
 * The request in hand: who asks, about what, and the ways to answer. One object serves every request of a session, so nothing of it, and no
 * buffer it shows, may be kept when the handler returns; what shall be answered later is deferred. A handler answers exactly once, with one
 * reply method or with defer(). Answering twice throws; not answering sends EIO.
 */
export class Request {
  readonly #exchange: Exchange;
  readonly #in: Input;
  readonly #words: Uint32Array;
  readonly #out: ReplyBuffer;
  /** Room for the data of a reply, sent with replyData. */
  readonly data: Buffer;
  /** The bytes the request came in. Data of a WRITE or SETXATTR is at `inputOffset`. */
  readonly input: Buffer;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#in = exchange.input;
    this.#words = exchange.input.words;
    this.#out = exchange.out;
    this.data = exchange.out.data;
    this.input = exchange.input.bytes;
  }

  get opcode(): number {
    return this.#words[Header.opcode] as number;
  }

  /** The lower half of the number the kernel gave the request. */
  get uniqueLow(): number {
    return this.#words[Header.unique] as number;
  }

  /** The upper half; its top bit says that the request is a resent one. */
  get uniqueHigh(): number {
    return this.#words[Header.unique + 1] as number;
  }

  /** True when a server on this connection read the request before, and perhaps carried it out (NOTIFY_RESEND). */
  get resent(): boolean {
    return this.uniqueHigh >= 2 ** 31;
  }

  get nodeid(): number {
    return (this.#words[Header.nodeid] as number) + (this.#words[Header.nodeid + 1] as number) * two32;
  }

  get uid(): number {
    return this.#words[Header.uid] as number;
  }

  get gid(): number {
    return this.#words[Header.gid] as number;
  }

  /** The thread that asks, 0 for the kernel itself or a process in another pid namespace. */
  get pid(): number {
    return this.#words[Header.pid] as number;
  }

  /** The open(2) flags, in OPEN, OPENDIR, CREATE, READ, WRITE, RELEASE and RELEASEDIR; 0 in others. */
  get flags(): number {
    const at = flagsAt[this.opcode];
    return at === undefined ? 0 : this.#in.u32(at);
  }

  /** Who a lock belongs to, in READ, WRITE, SETATTR, FLUSH, RELEASE and lock requests; 0n in others. */
  get lockOwner(): bigint {
    const at = lockOwnerAt[this.opcode];
    return at === undefined ? 0n : this.#in.big64(at);
  }

  /** True when set-user-id and set-group-id bits are to be cleared by the file system (only if it took that upon itself: options.killPriv). */
  get killSuidgid(): boolean {
    switch (this.opcode) {
      case Opcode.OPEN:
        return (this.#in.u32(1) & RequestFlag.OPEN_KILL_SUIDGID) !== 0;
      case Opcode.CREATE:
        return (this.#in.u32(3) & RequestFlag.OPEN_KILL_SUIDGID) !== 0;
      case Opcode.WRITE:
        return (this.#in.u32(5) & RequestFlag.WRITE_KILL_SUIDGID) !== 0;
      case Opcode.SETATTR:
        return (this.#in.u32(0) & SetattrValid.KILL_SUIDGID) !== 0;
      default:
        return false;
    }
  }

  /** True for a WRITE that comes from the page cache, later than the write(2): uid, pid and fh are the kernel's guess. */
  get fromPageCache(): boolean {
    return this.opcode === Opcode.WRITE && (this.#in.u32(5) & RequestFlag.WRITE_CACHE) !== 0;
  }

  /** How many bytes READ, READDIR or READDIRPLUS ask for at most. */
  get size(): number {
    return Math.min(this.#in.u32(4), this.data.length);
  }

  /** Where the data of a WRITE begins in `input`. */
  get inputOffset(): number {
    return Size.inHeader + 40;
  }

  /** The data of a WRITE: a view, good until the handler returns. */
  written(size: number): Uint8Array {
    return this.input.subarray(this.inputOffset, this.inputOffset + size);
  }

  /** Puts the answer off: the ticket can be posted to another thread, whose Replier answers it. */
  defer(): Ticket {
    this.#exchange.claim();
    this.#exchange.stage = Stage.deferred;
    const { uniqueLow, uniqueHigh, opcode, nodeid, uid, gid, pid } = this;
    return { uniqueLow, uniqueHigh, opcode, nodeid, uid, gid, pid };
  }

  /** @param errno 1 to 511, else EIO is sent. */
  replyError(errno: number): void {
    this.#exchange.fail(errno);
  }

  /** Success without a result. */
  replyOk(): void {
    this.#exchange.send(Size.outHeader);
  }

  /** The answer to LOOKUP, SYMLINK, MKNOD, MKDIR and LINK. */
  replyEntry(entry: Entry): void {
    this.#exchange.claim();
    this.#exchange.send(this.#out.entry(entry));
  }

  /** The answer to GETATTR and SETATTR. */
  replyAttr(attr: Attr, timeoutMs: number): void {
    this.#exchange.claim();
    this.#exchange.send(this.#out.attr(attr, timeoutMs));
  }

  /** The answer to OPEN and OPENDIR; openFlags as in OpenReplyFlag. */
  replyOpen(fh: number, openFlags: number): void {
    this.#exchange.claim();
    this.#exchange.send(this.#out.open(fh, openFlags));
  }

  replyCreate(entry: Entry, fh: number, openFlags: number): void {
    this.#exchange.claim();
    this.#exchange.send(this.#out.create(entry, fh, openFlags));
  }

  /** Sends the first `length` bytes of `data`. */
  replyData(length: number): void {
    if (!(length >= 0 && length <= this.data.length)) throw new RangeError(`A reply of ${length} bytes does not fit.`);
    this.#exchange.send(Size.outHeader + length);
  }

  /** Copies and sends bytes: the answer to READ, READLINK, GETXATTR and LISTXATTR. EIO when they exceed the reply buffer. */
  replyBytes(bytes: Uint8Array): void {
    this.#exchange.claim();
    const length = this.#out.raw(bytes);
    if (length === 0) this.#exchange.fail(Errno.EIO);
    else this.#exchange.send(length);
  }

  /** The same for text, as UTF-8. */
  replyText(text: string): void {
    this.#exchange.claim();
    if (Buffer.byteLength(text) > this.data.length) this.#exchange.fail(Errno.EIO);
    else this.#exchange.send(Size.outHeader + this.data.write(text, 'utf8'));
  }

  /** The answer to WRITE and COPY_FILE_RANGE: how many bytes were taken. */
  replyWrite(size: number): void {
    this.#replyNumber(size);
  }

  replyStatfs(st: StatfsResult): void {
    this.#exchange.claim();
    this.#exchange.send(this.#out.statfs(st));
  }

  /** The answer to GETXATTR and LISTXATTR of size 0: how many bytes there are. */
  replyXattrSize(size: number): void {
    this.#replyNumber(size);
  }

  replyLseek(offset: number): void {
    this.#replyNumber(offset);
  }

  /** The answer to GETLK: the lock that is in the way, or one of type UNLOCK. */
  replyLock(lock: LockRange): void {
    this.#exchange.claim();
    this.#exchange.send(this.#out.lock(lock));
  }

  /** The answer to POLL: the events that are ready, as in poll(2). */
  replyPoll(revents: number): void {
    this.#replyNumber(revents);
  }

  #replyNumber(value: number): void {
    this.#exchange.claim();
    this.#exchange.send(this.#out.number(value));
  }

  /**
   * Adds a name to the answer of readdir; `nextOffset` is what the next readdir begins with. Does not count as a lookup.
   *
   * @returns false when the answer is full: the name was not added.
   */
  addEntry(name: string, ino: number, type: number, nextOffset: number): boolean {
    return this.#listing().add(name, ino, type, nextOffset);
  }

  /** The same with attributes. Where `plus` is set this counts as one lookup, so never use it for `.` and `..`. */
  addEntryPlus(name: string, entry: Entry, nextOffset: number): boolean {
    return this.#listing().addPlus(name, entry, nextOffset);
  }

  /** Sends what was added; nothing added is the end of the directory. */
  replyDirectory(): void {
    this.#exchange.send(this.#listing().length);
  }

  /** The listing of this request; begun by its first use. */
  #listing(): DirectoryWriter {
    const { directory } = this.#exchange;
    this.#exchange.claim();
    if (!directory.begun) directory.begin(this.size, this.opcode === Opcode.READDIRPLUS);
    return directory;
  }
}
