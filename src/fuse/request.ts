import { Errno } from '../errors/errno.ts';
import { Opcode } from './abi/opcodes.ts';
import { Size } from './abi/structs.ts';
import type { Attr, Entry, LockRange, StatfsResult } from './attributes.ts';
import { bytesOfText } from './byte-names.ts';
import type { DirectoryWriter } from './directory-writer.ts';
import { type Exchange, Stage } from './exchange.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import { RequestFields } from './request-fields.ts';
import type { Ticket } from './ticket.ts';

/**
 * The request in hand: who asks, about what, and the ways to answer. One object serves every request of a session, so nothing of it, and no
 * buffer it shows, may be kept when the handler returns; what shall be answered later is deferred. A handler answers exactly once, with one
 * reply method or with defer(). Answering twice throws; not answering sends EIO.
 */
export class Request extends RequestFields {
  readonly #exchange: Exchange;
  readonly #out: ReplyBuffer;

  constructor(exchange: Exchange) {
    super(exchange);
    this.#exchange = exchange;
    this.#out = exchange.out;
  }

  /** Puts the answer off: the ticket can be posted to another thread, whose Replier answers it. */
  defer(): Ticket {
    this.#exchange.claim();
    this.#exchange.stage = Stage.deferred;
    const { uniqueLow, uniqueHigh, opcode, nodeid, uid, gid, pid } = this;
    return { uniqueLow, uniqueHigh, opcode, nodeid, uid, gid, pid };
  }

  /** Puts the request aside, without an answer: what is returned is to be given to FuseSession.resume, later and on the same thread. */
  park(): Uint8Array {
    this.#exchange.claim();
    this.#exchange.stage = Stage.deferred;
    return Uint8Array.from(this.input.subarray(0, this.#exchange.input.length));
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

  /** The answer to GETATTR, STATX and SETATTR. */
  replyAttr(attr: Attr, timeoutMs: number): void {
    this.#exchange.claim();
    this.#exchange.send(this.opcode === Opcode.STATX ? this.#out.statx(attr, timeoutMs) : this.#out.attr(attr, timeoutMs));
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

  /** The same for text, as UTF-8; or the bytes it stands for (byte-names.ts). */
  replyText(text: string): void {
    this.replyBytes(bytesOfText(text));
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

  /** Whether a name was added to the answer. */
  get listsAny(): boolean {
    return this.#exchange.directory.begun && this.#exchange.directory.length > Size.outHeader;
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
