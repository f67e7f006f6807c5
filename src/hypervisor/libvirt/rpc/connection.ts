import type { Duplex } from 'node:stream';
import { NfioError } from '../../../errors/index.ts';
import { readError } from './libvirt-error.ts';
import { encodePacket, MessageStatus, MessageType, type Packet, PacketReader, Program } from './packet.ts';
import { type DomainEvent, type Procedure, readEvent } from './procedures.ts';
import type { XdrReader } from './xdr-reader.ts';
import { XdrWriter } from './xdr-writer.ts';

/** KEEPALIVE_PROC_PING and _PONG. */
const ping = 1;
const pong = 2;

/** The other side is asked whether it lives when nothing came for so long, and given up after as long again. */
const keepaliveMs = 5000;

interface Pending {
  readonly resolve: (reader: XdrReader) => void;
  readonly reject: (error: unknown) => void;
}

/** Told of what happens on a connection besides answers to calls. */
export interface ConnectionListener {
  readonly onEvent: (event: DomainEvent) => void;
  /** Once, when it can be used no more; `why` is for people. */
  readonly onClose: (why: string) => void;
}

/**
 * A connection to a libvirt daemon: calls of procedures, any number at a time, each answered when the daemon has done it, and events. A slow
 * call keeps no other waiting.
 */
export class Connection implements Disposable {
  readonly #stream: Duplex;
  readonly #listener: ConnectionListener;
  readonly #packets = new PacketReader();
  readonly #pending = new Map<number, Pending>();
  #serial = 0;
  #closed: string | undefined;
  #keepalive: NodeJS.Timeout | undefined;
  #heardMs = 0;

  constructor(stream: Duplex, listener: ConnectionListener) {
    this.#stream = stream;
    this.#listener = listener;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.once('error', (error) => this.#close(error.message));
    for (const end of ['end', 'close']) stream.once(end, () => this.#close('the daemon closed the connection'));
  }

  /**
   * Calls a procedure. An abort stops the waiting; what the daemon has begun it ends.
   *
   * @throws LibvirtError as the daemon reports it, HypervisorConnectionError when the connection is lost, InterruptedError when aborted.
   */
  async call<Arguments extends readonly unknown[], Result>(
    procedure: Procedure<Arguments, Result>,
    args: Arguments,
    signal: AbortSignal,
  ): Promise<Result> {
    if (signal.aborted) throw new NfioError('InterruptedError', { cause: signal.reason });
    if (this.#closed !== undefined) throw lost(this.#closed);
    const writer = new XdrWriter();
    procedure.write(writer, ...args);
    return procedure.read(await this.#send(procedure, writer.bytes(), signal));
  }

  /** Asks the daemon now and then whether it is still there, and closes the connection when it does not answer. */
  startKeepalive(): void {
    this.#heardMs = performance.now();
    this.#keepalive ??= setInterval(() => this.#checkAlive(), keepaliveMs).unref();
  }

  [Symbol.dispose](): void {
    this.#close('it was closed here');
  }

  #send(
    { program, number }: Pick<Procedure<never, unknown>, 'program' | 'number'>,
    payload: Buffer,
    signal: AbortSignal,
  ): Promise<XdrReader> {
    const serial = ++this.#serial;
    this.#stream.write(encodePacket({ program, procedure: number, type: MessageType.CALL, serial, status: MessageStatus.OK }, payload));
    return new Promise((resolve, reject) => {
      const abort = (): void => this.#settle(serial)?.reject(new NfioError('InterruptedError', { cause: signal.reason }));
      const done = (): void => signal.removeEventListener('abort', abort);
      signal.addEventListener('abort', abort, { once: true });
      this.#pending.set(serial, {
        resolve: (reader) => {
          done();
          resolve(reader);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
    });
  }

  #settle(serial: number): Pending | undefined {
    const pending = this.#pending.get(serial);
    this.#pending.delete(serial);
    return pending;
  }

  #take(chunk: Buffer): void {
    this.#heardMs = performance.now();
    try {
      for (const packet of this.#packets.take(chunk)) this.#dispatch(packet);
    } catch (error) {
      this.#close(`the daemon sent what is no message of libvirt's: ${(error as Error).message}`);
    }
  }

  #dispatch({ header, payload }: Packet): void {
    if (header.type === MessageType.REPLY) {
      const failure = header.status === MessageStatus.OK ? undefined : readError(payload);
      const pending = this.#settle(header.serial);
      if (failure === undefined) pending?.resolve(payload);
      else pending?.reject(failure);
    } else if (header.program === Program.KEEPALIVE) {
      if (header.procedure === ping) this.#sendKeepalive(pong);
    } else if (header.program === Program.REMOTE && header.type === MessageType.MESSAGE) {
      const event = readEvent(header.procedure, payload);
      if (event !== undefined) this.#listener.onEvent(event);
    }
  }

  #checkAlive(): void {
    const silentMs = performance.now() - this.#heardMs;
    if (silentMs > 2 * keepaliveMs + keepaliveMs / 2) this.#close('the daemon does not answer any more');
    else if (silentMs > keepaliveMs / 2) this.#sendKeepalive(ping);
  }

  #sendKeepalive(procedure: number): void {
    const header = { program: Program.KEEPALIVE, procedure, type: MessageType.MESSAGE, serial: 0, status: MessageStatus.OK };
    this.#stream.write(encodePacket(header, new Uint8Array()));
  }

  #close(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    clearInterval(this.#keepalive);
    this.#stream.destroy();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(lost(why));
    this.#listener.onClose(why);
  }
}

function lost(why: string): NfioError {
  return new NfioError('HypervisorConnectionError', { message: `the connection to libvirt was lost: ${why}`, retryable: true });
}
