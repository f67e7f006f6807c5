import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServerMessage, ServerStart, TakeOver } from './messages.ts';
import { daemonModule } from './options.ts';
import { isAlive } from './process-alive.ts';
import { serverEnvironment, serverFlags } from './server-memory.ts';

/** A server that serves is asked for a sign of life so often, milliseconds; one that gave none so many times in a row hangs. */
const pingMs = 2000;
const mostSilent = 10;

/** Why a server ended. */
export interface ServerFailure {
  readonly message: string;
  /** Of an NfioError. */
  readonly code: string | undefined;
}

/** What a server process has from its supervisor. */
export interface ServerDescriptors {
  /** The mounted /dev/fuse. */
  readonly fd: number;
  /** Locks the root, so that it stays locked while a server works in it, whatever becomes of its supervisor. */
  readonly lock: number;
}

type Ready = Extract<ServerMessage, { kind: 'ready' }>;

/**
 * A server process as its supervisor sees it: it loads and stands by until it is told to take over. From then on it is watched: one that hangs (it was
 * stopped, or loops) is killed. Turns are counted, not time, so that neither a busy machine, on which the supervisor waits as well, nor one that was suspended counts.
 */
export class ServerProcess {
  /** Resolves when the process has surely ended, with all its threads; undefined: its work was done. */
  readonly ended: Promise<ServerFailure | undefined>;
  readonly #child: ChildProcess;
  #failure: ServerFailure | undefined;
  #silent = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(start: ServerStart, { fd, lock }: ServerDescriptors) {
    this.#child = spawn(process.execPath, [...serverFlags, fileURLToPath(daemonModule('server')), JSON.stringify(start)], {
      env: serverEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit', fd, 'ipc', lock],
      // Signals of the terminal are for the supervisor, which unmounts; a server that dies of them could not.
      detached: true,
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve({ message: error.message, code: undefined }));
      this.#child.once('exit', (status, signal) => {
        clearInterval(this.#watch);
        if (status === 0) resolve(undefined);
        else resolve(this.#failure ?? { message: `the server ended with ${signal ?? `status ${status}`}`, code: undefined });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.pid > 0 && isAlive(this.pid);
  }

  /** Has it serve. @param ready called when it answers requests. */
  takeOver(order: TakeOver, ready: (message: Ready) => void): void {
    this.#child.on('message', (message: ServerMessage) => {
      if (message.kind === 'failed') this.#failure = { message: message.message, code: message.code };
      else if (message.kind === 'ready') ready(message);
      else this.#silent = 0;
    });
    this.#child.send(order, noteNothing);
    this.#watch = setInterval(() => this.#ping(), pingMs);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #ping(): void {
    this.#silent += 1;
    if (this.#silent <= mostSilent) {
      if (this.#child.connected) this.#child.send({ kind: 'ping' }, noteNothing);
      return;
    }
    this.#failure = {
      message: `the server (process ${this.pid}) did not answer for ${(mostSilent * pingMs) / 1000} s and was killed`,
      code: undefined,
    };
    this.kill();
  }
}

/** A process that cannot be told anything has ended, which is told elsewhere. */
function noteNothing(): void {}
