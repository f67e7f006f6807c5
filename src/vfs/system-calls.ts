import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, type PathLike, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { bytesOfText } from '../fuse/byte-names.ts';

/** Beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'system-calls.pl');
/** How long its start may take, milliseconds. */
const startTimeoutMs = 10_000;
const pauseMs = 1;
const headerSize = 8;

/** A word of a request: a path or a name as text (byte-names.ts), a number, or bytes. */
export type Word = PathLike | number | bigint | Uint8Array;

/** The process that makes the calls. */
interface Helper {
  readonly pid: number;
  /** What it reads, and what it answers. */
  readonly requests: number;
  readonly replies: number;
}

/** One call that is under way, for a thread that watches how long it takes. */
export interface CallWatch {
  began(pid: number): void;
  /** True when the process was killed because this call took too long. */
  wasKilled(): boolean;
  ended(): void;
}

const nobody: CallWatch = { began: () => undefined, wasKilled: () => false, ended: () => undefined };

/**
 * System calls that Node.js has no function for, made by a process of ours (system-calls.pl, as ADR 7 has it) and waited for: fallocate(2), renameat2(2), mknod(2), xattrs and the like, and
 * times in nanoseconds. The process begins with the first of them and ends with this one. Paths through descriptors are written `/proc/self/fd/N`, as everywhere here.
 *
 * @example
 * const calls = new SystemCalls();
 * calls.make('mknod', '/tmp/fifo', 0o010600);
 * calls.make('utimens', '/tmp/fifo', 0, utimeOmit, 1, 999_999_999);
 */
export class SystemCalls implements Disposable {
  readonly #watch: CallWatch;
  #helper: Helper | undefined;

  /** @param watch told of each call, so that a process that hangs can be killed: then the call fails with ETIMEDOUT, and the next one starts another. */
  constructor(watch: CallWatch = nobody) {
    this.#watch = watch;
  }

  /** @returns what the call gave: bytes, or a number as text. @throws an Error with a `code`, as node:fs does. */
  make(name: string, ...words: readonly Word[]): Buffer {
    const helper = this.#helper ?? this.#start();
    this.#watch.began(helper.pid);
    try {
      send(helper.requests, encode([name, ...words]));
      return receive(helper.replies);
    } catch (error) {
      if (error instanceof CallError) throw error;
      this[Symbol.dispose]();
      const [why, code] = this.#watch.wasKilled() ? ['did not answer and was killed', 'ETIMEDOUT'] : ['has ended', 'EIO'];
      throw Object.assign(new Error(`the process for system calls ${why}`, { cause: error }), { code });
    } finally {
      this.#watch.ended();
    }
  }

  #start(): Helper {
    const { stdout, status } = spawnSync('perl', [program, String(process.pid)], {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: startTimeoutMs,
    });
    if (status !== 0) throw Object.assign(new Error('perl could not be started'), { code: status === 95 ? 'EOPNOTSUPP' : 'EIO' });
    const [pid = 0, requestsIn, repliesOut] = stdout.toString().split(' ').map(Number);
    const requests = openSync(`/proc/${pid}/fd/${requestsIn}`, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      this.#helper = { pid, requests, replies: openSync(`/proc/${pid}/fd/${repliesOut}`, constants.O_RDONLY) };
    } catch (error) {
      closeSync(requests);
      throw error;
    }
    return this.#helper;
  }

  [Symbol.dispose](): void {
    if (this.#helper === undefined) return;
    closeSync(this.#helper.requests);
    closeSync(this.#helper.replies);
    this.#helper = undefined;
  }
}

/** A call that the kernel refused. */
class CallError extends Error {
  readonly code: string;

  constructor(errno: number) {
    const code = getSystemErrorName(-errno);
    super(code);
    this.code = code;
  }
}

function encode(words: readonly Word[]): Buffer {
  const parts = words.flatMap((word, index) => [...(index === 0 ? [] : [Buffer.of(0)]), bytesOf(word)]);
  const body = Buffer.concat(parts);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(body.length);
  return Buffer.concat([count, body]);
}

function bytesOf(word: Word): Uint8Array {
  return word instanceof Uint8Array ? word : bytesOfText(String(word));
}

/** The pipe takes 64 KiB at once; it is never blocking, so that nobody waits for a process that has ended. */
function send(fd: number, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += writeSync(fd, bytes, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}

function receive(fd: number): Buffer {
  const header = take(fd, headerSize);
  const errno = header.readUInt32BE(4);
  const result = take(fd, header.readUInt32BE(0) - 4);
  if (errno !== 0) throw new CallError(errno);
  return result;
}

function take(fd: number, length: number): Buffer {
  const taken = Buffer.allocUnsafe(length);
  for (let count = 0; count < length; ) {
    const more = readSync(fd, taken, count, length - count, null);
    if (more === 0) throw new Error('the end');
    count += more;
  }
  return taken;
}
