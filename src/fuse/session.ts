import { writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { Errno } from '../errors/errno.ts';
import { Opcode, opcodeCount, opcodeName, takesNoReply } from './abi/opcodes.ts';
import { Header, Size } from './abi/structs.ts';
import type { Decoder, Served } from './decode-names.ts';
import { Exchange, Stage } from './exchange.ts';
import type { FileSystem } from './file-system.ts';
import { type ConnectionOptions, maxWriteOf, type Negotiated, negotiate, protocol, putInitReply, putRetryReply } from './init.ts';
import { bodySizes, decodersFor } from './operations.ts';
import { Request } from './request.ts';
import { DeviceTransport, type Transport } from './transport.ts';

const stderr = 2;

/** What a session is told beside what it serves. */
export interface SessionOptions extends ConnectionOptions {
  /** Called when a request was read, before it is looked at: the place to take messages of other threads in. */
  readonly beforeRequest?: () => void;
  /**
   * Called when a handler throws, forgets to answer, or answers wrongly (its caller got EIO), and for requests that cannot be understood.
   * Default: a line on standard error. The thread's event loop stands still while run() serves, so console.log of a worker would show nothing.
   */
  readonly onError?: (error: unknown, opcode: number) => void;
}

/**
 * A connection to the kernel, served by one thread that blocks in read(2). Answers every request exactly once, and FORGET, BATCH_FORGET and
 * INTERRUPT never. Nothing a handler or a request does ends the loop; only unmounting does, or a broken descriptor.
 */
export class FuseSession {
  readonly #fs: FileSystem;
  readonly #options: SessionOptions;
  readonly #exchange: Exchange;
  readonly #request: Request;
  readonly #decoders: readonly Decoder[];
  readonly #decode = (): void => (this.#decoders[this.#request.opcode] as Decoder)(this.#fs as Served, this.#request, this.#exchange.input);
  #negotiated: Negotiated | undefined;
  #ended = false;

  /** @param channel a descriptor of /dev/fuse that is mounted, or something that stands in for it. */
  constructor(channel: number | Transport, fs: FileSystem, options: SessionOptions = {}) {
    if (endianness() !== 'LE') throw new Error('The FUSE protocol is implemented for little-endian machines only.');
    this.#fs = fs;
    this.#options = options;
    this.#exchange = new Exchange(typeof channel === 'number' ? new DeviceTransport(channel) : channel, maxWriteOf(options));
    this.#request = new Request(this.#exchange);
    this.#decoders = decodersFor(fs);
  }

  /** What INIT agreed on, undefined before. */
  get negotiated(): Negotiated | undefined {
    return this.#negotiated;
  }

  /**
   * Takes a connection over whose INIT another process answered.
   *
   * @throws RangeError when the requests of that connection may be longer than this session's buffers.
   */
  adopt(negotiated: Negotiated): void {
    if (negotiated.maxWrite > maxWriteOf(this.#options)) {
      throw new RangeError(`The connection's maxWrite is ${negotiated.maxWrite}: give this session at least as much.`);
    }
    this.#negotiated = negotiated;
    this.#fs.init?.(negotiated);
  }

  /** Serves until the file system is unmounted. The thread's event loop stands still meanwhile. */
  run(): void {
    while (this.handleOne());
  }

  /** Waits for one request and serves it. Returns false when the file system was unmounted. */
  handleOne(): boolean {
    const { input, transport } = this.#exchange;
    const length = transport.read(input.bytes);
    if (length === 0) {
      this.#end();
      return false;
    }
    input.length = length;
    if (length < Size.inHeader) this.#report(new Error(`A request of ${length} bytes was dropped: it has no whole header.`), 0);
    else this.#serve(input.words[Header.opcode] as number);
    return true;
  }

  /** Serves a request once more that was put aside (Request.park). Not to be called while another is served. */
  resume(request: Uint8Array): void {
    const { input } = this.#exchange;
    input.bytes.set(request);
    input.length = request.length;
    this.#exchange.begin(Stage.pending);
    try {
      this.#dispatch(this.#request.opcode);
      this.#checkAnswered();
    } catch (error) {
      this.#recover(error);
    }
  }

  #serve(opcode: number): void {
    const exchange = this.#exchange;
    const { words } = exchange.input;
    const silent = takesNoReply(opcode) || (words[Header.unique] === 0 && words[Header.unique + 1] === 0);
    exchange.begin(silent ? Stage.none : Stage.pending);
    try {
      this.#options.beforeRequest?.();
      if (silent) this.#takeNotice(opcode);
      else this.#dispatch(opcode);
      this.#checkAnswered();
    } catch (error) {
      this.#recover(error);
    }
  }

  #checkAnswered(): void {
    if (this.#exchange.stage !== Stage.pending) return;
    throw new Error(`The handler of ${opcodeName(this.#request.opcode)} returned without an answer.`);
  }

  #dispatch(opcode: number): void {
    const { input } = this.#exchange;
    if (input.words[Header.len] !== input.length || input.bodyLength < (bodySizes[opcode] ?? 0)) {
      throw new Error(`A request for ${opcodeName(opcode)} is cut off: ${input.length} bytes.`);
    }
    if (opcode === Opcode.INIT) this.#init();
    else if (this.#negotiated === undefined) throw new Error(`A request for ${opcodeName(opcode)} came before INIT.`);
    else if (opcode === Opcode.DESTROY) this.#destroy();
    else if (opcode >= opcodeCount) this.#request.replyError(Errno.ENOSYS);
    else if (this.#fs.around === undefined) this.#decode();
    else this.#fs.around(this.#request, this.#decode);
  }

  /** After an error of a handler, or of ours: the caller must not wait for ever. */
  #recover(error: unknown): void {
    this.#report(error);
    if (this.#exchange.stage !== Stage.pending) return;
    try {
      this.#exchange.fail(Errno.EIO);
    } catch (failure) {
      this.#report(failure);
    }
  }

  /** FORGET, BATCH_FORGET, INTERRUPT: nothing is answered. What is cut off is ignored. */
  #takeNotice(opcode: number): void {
    const { input } = this.#exchange;
    if (input.words[Header.len] !== input.length || input.bodyLength < Size.notice) return;
    if (opcode === Opcode.FORGET) this.#fs.forget?.(this.#request.nodeid, input.u64(0));
    else if (opcode === Opcode.INTERRUPT) this.#fs.interrupt?.(input.u32(0), input.u32(1));
    else if (opcode === Opcode.BATCH_FORGET) this.#forgetBatch();
  }

  #forgetBatch(): void {
    const { input } = this.#exchange;
    const count = Math.min(input.u32(0), Math.floor((input.bodyLength - Size.batchForgetIn) / Size.forgetOne));
    for (let index = 0; index < count; index += 1) {
      const at = (Size.batchForgetIn + index * Size.forgetOne) / 4;
      this.#fs.forget?.(input.u64(at), input.u64(at + 2));
    }
  }

  #init(): void {
    const { input, out } = this.#exchange;
    if (this.#negotiated !== undefined) throw new Error('The kernel sent INIT twice.');
    if (input.bodyLength < Size.initInLeast) throw new Error('INIT is cut off.');
    const outcome = negotiate(input, this.#fs.setlk !== undefined, this.#options);
    if (outcome === 'retry') this.#exchange.send(putRetryReply(out));
    else if (outcome === 'too-old') this.#refuse();
    else {
      this.#negotiated = outcome;
      this.#fs.init?.(outcome);
      this.#exchange.send(putInitReply(out, outcome));
    }
  }

  #refuse(): void {
    const { input } = this.#exchange;
    this.#exchange.fail(Errno.EPROTO);
    const least = `${protocol.major}.${protocol.leastMinor}`;
    throw new Error(`The kernel speaks FUSE ${input.u32(0)}.${input.u32(1)}, and at least ${least} is needed: use Linux 5.4 or newer.`);
  }

  #destroy(): void {
    this.#end();
    this.#request.replyOk();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#fs.destroy?.();
    } catch (error) {
      this.#report(error, Opcode.DESTROY);
    }
  }

  #report(error: unknown, opcode = this.#request.opcode): void {
    try {
      (this.#options.onError ?? writeReport)(error, opcode);
    } catch (failure) {
      // A reporter that fails must not end the loop: clients wait for it.
      writeReport(failure, opcode);
      writeReport(error, opcode);
    }
  }
}

function writeReport(error: unknown, opcode: number): void {
  writeSync(stderr, `nfio/fuse: ${opcodeName(opcode)}: ${describe(error)}\n`);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
