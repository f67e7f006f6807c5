import { NotifyCode } from './abi/opcodes.ts';
import { nameMax, Size } from './abi/structs.ts';
import { bytesOfText } from './byte-names.ts';
import { ReplyBuffer } from './reply-buffer.ts';
import { DeviceTransport, type Transport } from './transport.ts';

const body = Size.outHeader / 4;
const longestBody = 24 + nameMax + 1;

/**
 * Tells the kernel what it cannot know. The kernel takes locks for that which a request may hold that is waiting to be answered: so never call this on a
 * thread that answers requests. Methods return false when there is nothing to tell: the kernel
 * knows no such node or name. They throw what write(2) fails with.
 */
export class Notifier {
  readonly #transport: Transport;
  readonly #out = new ReplyBuffer(longestBody);

  /** @param channel a descriptor of /dev/fuse, the same as the session's. */
  constructor(channel: number | Transport) {
    this.#transport = typeof channel === 'number' ? new DeviceTransport(channel) : channel;
  }

  /**
   * The attributes of a node changed, and its data from `offset` on for `length` bytes.
   *
   * @param offset negative: only the attributes changed. @param length 0: to the end.
   */
  invalInode(nodeid: number, offset: number, length: number): boolean {
    this.#out.put64(body, nodeid);
    this.#out.put64(body + 2, offset);
    this.#out.put64(body + 4, length);
    return this.#send(NotifyCode.INVAL_INODE, 24);
  }

  /** A name means something else now. Also ends a remembered absence. */
  invalEntry(parent: number, name: string): boolean {
    this.#out.put64(body, parent);
    const length = this.#putName(body + 2, 16, name);
    return this.#send(NotifyCode.INVAL_ENTRY, length);
  }

  /** A name is gone, and those who watch it (inotify) or are in it shall know. `child` is the node it named. False also for a directory not empty. */
  delete(parent: number, child: number, name: string): boolean {
    this.#out.put64(body, parent);
    this.#out.put64(body + 2, child);
    const length = this.#putName(body + 4, 24, name);
    return this.#send(NotifyCode.DELETE, length);
  }

  /** Something may be ready for those who poll with the kernel's handle `kh`. Returns true for handles long gone, too. */
  poll(kh: number): boolean {
    this.#out.put64(body, kh);
    return this.#send(NotifyCode.POLL, 8);
  }

  /**
   * Has the kernel send the reading thread a NOTIFY_REPLY, which is not answered: it wakes a thread that waits for requests. Unlike a request of one's own
   * (stat, statfs) it comes by no mount, and so keeps nobody from unmounting meanwhile.
   *
   * @param nodeid of a regular file. False when the kernel does not know it now.
   */
  wake(nodeid: number): boolean {
    this.#out.put64(body, 0); // unique
    this.#out.put64(body + 2, nodeid);
    this.#out.put64(body + 4, 0); // offset
    this.#out.put64(body + 6, 0); // size, padding
    return this.#send(NotifyCode.RETRIEVE, 32);
  }

  /** Asks for all requests again that were read and not answered: for a server that takes over after a crash. Linux 6.9 or newer, else EINVAL is thrown. */
  resend(): boolean {
    return this.#send(NotifyCode.RESEND, 0);
  }

  /** @returns the length of the body. */
  #putName(at: number, nameAt: number, name: string): number {
    const bytes = bytesOfText(name);
    const { length } = bytes;
    if (length > nameMax) throw new RangeError(`A name has at most ${nameMax} bytes.`);
    this.#out.words[at] = length;
    this.#out.words[at + 1] = 0;
    this.#out.data.set(bytes, nameAt);
    this.#out.data[nameAt + length] = 0;
    return nameAt + length + 1;
  }

  #send(code: number, bodyLength: number): boolean {
    const length = Size.outHeader + bodyLength;
    this.#out.header(length, code, 0, 0);
    try {
      this.#transport.write(this.#out.bytes, length);
      return true;
    } catch (error) {
      const { code: reason } = error as { code?: unknown };
      if (reason === 'ENOENT' || reason === 'ENODEV' || reason === 'ENOTDIR' || reason === 'ENOTEMPTY') return false;
      throw error;
    }
  }
}
