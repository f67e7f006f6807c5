import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The nth use of a system call on some files, and all uses after it if it lasts, that shall fail. */
export interface Fault {
  readonly syscall: string;
  readonly errno: string;
  readonly nth: number;
  readonly lasts: boolean;
}

/** Makes system calls of a running process fail, as a failing disk does (strace(1), inject). Only calls on some paths, or on open files of them, count. */
export class FailingCalls {
  readonly #directory = mkdtempSync(join(tmpdir(), 'nfio-strace-'));
  readonly #ended: Promise<unknown>;

  private constructor(pid: number, paths: readonly string[], { syscall, errno, nth, lasts }: Fault) {
    const when = `when=${nth}${lasts ? '+' : ''}`;
    const filter = ['-e', `trace=${syscall}`, '-e', `inject=${syscall}:error=${errno}:${when}`, ...paths.flatMap((path) => ['-P', path])];
    const tracer = spawn('strace', ['-f', '-qq', '-o', join(this.#directory, 'log'), ...filter, '-p', String(pid)], { stdio: 'ignore' });
    this.#ended = once(tracer, 'exit');
  }

  /** Resolves when the calls fail. */
  static async of(pid: number, paths: readonly string[], fault: Fault): Promise<FailingCalls> {
    const calls = new FailingCalls(pid, paths, fault);
    const isTraced = (task: string): boolean => !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'));
    while (!readdirSync(`/proc/${pid}/task`).every(isTraced)) await delay(10);
    return calls;
  }

  /** To be called when the process has ended. @returns whether a call failed. */
  async failed(): Promise<boolean> {
    await this.#ended;
    const log = readFileSync(join(this.#directory, 'log'), 'utf8');
    rmSync(this.#directory, { recursive: true });
    return log.includes('(INJECTED)');
  }
}
