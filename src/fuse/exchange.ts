import { Errno } from '../errors/errno.ts';
import { Header, maxErrno, Size } from './abi/structs.ts';
import { DirectoryWriter } from './directory-writer.ts';
import { Input } from './input.ts';
import { ReplyBuffer } from './reply-buffer.ts';
import type { Transport } from './transport.ts';

/** How far the request in hand is. */
export const Stage = { none: 0, pending: 1, answered: 2, deferred: 3 } as const;

/** The errno to send for one a handler gave: 1 to 511, else EIO. */
export function sendableErrno(errno: number): number {
  return errno >= 1 && errno <= maxErrno && Number.isInteger(errno) ? errno : Errno.EIO;
}

/** The one request a session has in hand, and the buffers it is read into and answered from. Keeps the one-reply rule. */
export class Exchange {
  readonly input: Input;
  readonly out: ReplyBuffer;
  readonly directory: DirectoryWriter;
  readonly transport: Transport;
  stage: number = Stage.none;

  /** @param capacity the most bytes that one request or reply carries as data. */
  constructor(transport: Transport, capacity: number) {
    this.transport = transport;
    this.input = new Input(capacity);
    this.out = new ReplyBuffer(capacity);
    this.directory = new DirectoryWriter(this.out);
  }

  /** A request is in the input. */
  begin(stage: number): void {
    this.stage = stage;
    this.directory.begun = false;
  }

  /** Throws when the request was answered or deferred before: before anything is put in the reply buffer. */
  claim(): void {
    if (this.stage !== Stage.pending) throw new Error('This request was answered or deferred before, or the handler has returned.');
  }

  /** Sends the reply that is in the buffer. */
  send(length: number): void {
    this.#send(length, 0);
  }

  /** Sends a reply that is an error. */
  fail(errno: number): void {
    this.#send(Size.outHeader, -sendableErrno(errno));
  }

  #send(length: number, code: number): void {
    const { words } = this.input;
    this.claim();
    this.stage = Stage.answered;
    this.out.header(length, code, words[Header.unique] as number, words[Header.unique + 1] as number);
    try {
      this.transport.write(this.out.bytes, length);
    } catch (error) {
      this.#refused(error, length);
    }
  }

  /** ENOENT: the request was interrupted or aborted, nobody waits. Any other refusal leaves a caller waiting, so it gets EIO. */
  #refused(error: unknown, length: number): void {
    const { code } = error as { code?: unknown };
    if (code === 'ENOENT' || code === 'ENODEV') return;
    if (length !== Size.outHeader) {
      this.stage = Stage.pending;
      this.#send(Size.outHeader, -Errno.EIO);
    }
    throw error;
  }
}
