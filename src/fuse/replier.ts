import { Errno } from '../errors/errno.ts';
import { Opcode } from './abi/opcodes.ts';
import { Size } from './abi/structs.ts';
import type { Attr, Entry, LockRange, StatfsResult } from './attributes.ts';
import { bytesOfText } from './byte-names.ts';
import { DirectoryWriter } from './directory-writer.ts';
import { sendableErrno } from './exchange.ts';
import { ReplyBuffer } from './reply-buffer.ts';
import type { Ticket } from './ticket.ts';
import { DeviceTransport, type Transport } from './transport.ts';

const defaultCapacity = 1024 * 1024;

/**
 * Answers deferred requests, from whichever thread it lives on. Each ticket is answered at most once: what comes later (the result of
 * something that was interrupted) is dropped. All methods return whether the answer was given; false also says that nobody waits any longer.
 */
export class Replier {
  readonly #transport: Transport;
  readonly #out: ReplyBuffer;
  readonly #outstanding = new Map<string, { readonly ticket: Ticket; uniqueHigh: number }>();
  readonly #answered = new WeakSet<Ticket>();

  /** @param channel a descriptor of /dev/fuse, the same as the session's. @param capacity the longest data of a reply, in bytes. */
  constructor(channel: number | Transport, capacity: number = defaultCapacity) {
    this.#transport = typeof channel === 'number' ? new DeviceTransport(channel) : channel;
    this.#out = new ReplyBuffer(capacity);
  }

  /**
   * Notes a ticket that came in, so that find() knows it until it is answered.
   *
   * @returns false when the request is outstanding already (the kernel sent it again): drop this ticket, the answer to the first serves both.
   */
  accept(ticket: Ticket): boolean {
    if (this.#answered.has(ticket)) return false;
    const id = keyOf(ticket.uniqueLow, ticket.uniqueHigh);
    const known = this.#outstanding.get(id);
    if (known === undefined) {
      this.#outstanding.set(id, { ticket, uniqueHigh: ticket.uniqueHigh });
      return true;
    }
    // The kernel renamed the request when it sent it again: only the new name finds it.
    known.uniqueHigh = ticket.uniqueHigh;
    if (known.ticket !== ticket) this.#answered.add(ticket);
    return false;
  }

  /** The accepted ticket of a request that is not answered yet: for FileSystem.interrupt. */
  find(uniqueLow: number, uniqueHigh: number): Ticket | undefined {
    return this.#outstanding.get(keyOf(uniqueLow, uniqueHigh))?.ticket;
  }

  /** How many accepted tickets wait for their answer. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** @param errno 1 to 511, else EIO is sent. */
  error(ticket: Ticket, errno: number): boolean {
    return this.#claim(ticket) && this.#send(ticket, Size.outHeader, -sendableErrno(errno));
  }

  ok(ticket: Ticket): boolean {
    return this.#claim(ticket) && this.#send(ticket, Size.outHeader);
  }

  entry(ticket: Ticket, entry: Entry): boolean {
    return this.#claim(ticket) && this.#send(ticket, this.#out.entry(entry));
  }

  /** GETATTR, STATX, SETATTR. */
  attr(ticket: Ticket, attr: Attr, timeoutMs: number): boolean {
    if (!this.#claim(ticket)) return false;
    return this.#send(ticket, ticket.opcode === Opcode.STATX ? this.#out.statx(attr, timeoutMs) : this.#out.attr(attr, timeoutMs));
  }

  open(ticket: Ticket, fh: number, openFlags: number): boolean {
    return this.#claim(ticket) && this.#send(ticket, this.#out.open(fh, openFlags));
  }

  create(ticket: Ticket, entry: Entry, { fh, openFlags }: { readonly fh: number; readonly openFlags: number }): boolean {
    return this.#claim(ticket) && this.#send(ticket, this.#out.create(entry, fh, openFlags));
  }

  /** The data of READ, READLINK, GETXATTR, LISTXATTR; at most what the request asked for. EIO when it exceeds the capacity. */
  bytes(ticket: Ticket, bytes: Uint8Array): boolean {
    return this.#claim(ticket) && this.#send(ticket, this.#out.raw(bytes));
  }

  /** The same for text. */
  text(ticket: Ticket, text: string): boolean {
    return this.bytes(ticket, bytesOfText(text));
  }

  /** WRITE and COPY_FILE_RANGE: how many bytes were taken. */
  write(ticket: Ticket, size: number): boolean {
    return this.#number(ticket, size);
  }

  statfs(ticket: Ticket, st: StatfsResult): boolean {
    return this.#claim(ticket) && this.#send(ticket, this.#out.statfs(st));
  }

  xattrSize(ticket: Ticket, size: number): boolean {
    return this.#number(ticket, size);
  }

  lseek(ticket: Ticket, offset: number): boolean {
    return this.#number(ticket, offset);
  }

  lock(ticket: Ticket, lock: LockRange): boolean {
    return this.#claim(ticket) && this.#send(ticket, this.#out.lock(lock));
  }

  poll(ticket: Ticket, revents: number): boolean {
    return this.#number(ticket, revents);
  }

  /**
   * READDIR and READDIRPLUS. `size` is request.size and `plus` the parameter of readdir; `fill` adds entries until there is no room.
   */
  directory(
    ticket: Ticket,
    { size, plus }: { readonly size: number; readonly plus: boolean },
    fill: (listing: DirectoryWriter) => void,
  ): boolean {
    if (!this.#claim(ticket)) return false;
    const listing = new DirectoryWriter(this.#out);
    listing.begin(size, plus);
    fill(listing);
    return this.#send(ticket, listing.length);
  }

  #number(ticket: Ticket, value: number): boolean {
    return this.#claim(ticket) && this.#send(ticket, this.#out.number(value));
  }

  /** True the first time. */
  #claim(ticket: Ticket): boolean {
    if (this.#answered.has(ticket)) return false;
    const known = this.#outstanding.get(keyOf(ticket.uniqueLow, ticket.uniqueHigh));
    if (known !== undefined && known.ticket !== ticket) return false;
    this.#answered.add(ticket);
    return true;
  }

  /** Sends what is in the buffer. A refusal must not leave the caller waiting: then it gets EIO, and the error is thrown. */
  #send(ticket: Ticket, length: number, code = 0): boolean {
    const id = keyOf(ticket.uniqueLow, ticket.uniqueHigh);
    const uniqueHigh = this.#outstanding.get(id)?.uniqueHigh ?? ticket.uniqueHigh;
    this.#outstanding.delete(id);
    if (length === 0) return this.#write(ticket.uniqueLow, uniqueHigh, Size.outHeader, -Errno.EIO);
    try {
      return this.#write(ticket.uniqueLow, uniqueHigh, length, code);
    } catch (error) {
      if (length !== Size.outHeader) this.#write(ticket.uniqueLow, uniqueHigh, Size.outHeader, -Errno.EIO);
      throw error;
    }
  }

  #write(...[uniqueLow, uniqueHigh, length, code]: readonly [number, number, number, number]): boolean {
    this.#out.header(length, code, uniqueLow, uniqueHigh);
    try {
      this.#transport.write(this.#out.bytes, length);
      return true;
    } catch (error) {
      const { code: reason } = error as { code?: unknown };
      if (reason === 'ENOENT' || reason === 'ENODEV') return false;
      throw error;
    }
  }
}

/** The top bit only says that the request was sent again. */
function keyOf(uniqueLow: number, uniqueHigh: number): string {
  return `${uniqueHigh & 0x7fffffff}.${uniqueLow}`;
}
