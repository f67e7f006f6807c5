import { RequestFlag, SetattrValid } from './abi/flags.ts';
import { Opcode } from './abi/opcodes.ts';
import { Header, Size } from './abi/structs.ts';
import type { Exchange } from './exchange.ts';
import type { Input } from './input.ts';

const two32 = 2 ** 32;

/** Where each request has its open flags and its lock owner: word of the body. */
const flagsAt: { readonly [opcode: number]: number } = {
  [Opcode.OPEN]: 0,
  [Opcode.OPENDIR]: 0,
  [Opcode.CREATE]: 0,
  [Opcode.TMPFILE]: 0,
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

/** What every request says of itself, read from its bytes when asked for: who asks, about what, and the fields few handlers look at. */
export class RequestFields {
  readonly #in: Input;
  readonly #words: Uint32Array;
  /** Room for the data of a reply, sent with replyData. */
  readonly data: Buffer;
  /** The bytes the request came in. Data of a WRITE is at `inputOffset`. */
  readonly input: Buffer;

  constructor(exchange: Exchange) {
    this.#in = exchange.input;
    this.#words = exchange.input.words;
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
      case Opcode.TMPFILE:
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
}
