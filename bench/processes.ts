import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);
const serverStartMs = 15_000;
const serverStopMs = 5000;
/** Characters of a command line that an error message shows. */
const longestName = 160;

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Default 120,000. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/** Runs a program to its end and resolves to its standard output; rejects with its standard error when it fails. */
export async function run(argv: readonly string[], { signal, timeoutMs = 120_000, cwd }: RunOptions = {}): Promise<string> {
  const [program = '', ...args] = argv;
  const options = {
    timeout: timeoutMs,
    killSignal: 'SIGKILL' as const,
    maxBuffer: 1 << 24,
    ...(signal && { signal }),
    ...(cwd && { cwd }),
  };
  try {
    return (await execFileAsync(program, args, options)).stdout;
  } catch (cause) {
    const { stderr = '', killed } = cause as { stderr?: string; killed?: boolean };
    const why = killed === true ? `was stopped after ${timeoutMs / 1000} s. ${stderr}` : stderr || (cause as Error).message;
    throw new Error(`${argv.join(' ').replace(/\s+/g, ' ').slice(0, longestName)}: ${why.trim()}`, { cause });
  }
}

/** Whether a file system is mounted at exactly this path. */
export function isMountpoint(path: string): boolean {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.some((line) => line.split(' ')[4] === path);
}

/** A file-system server in the foreground of a process of its own. Disposing unmounts it and ends the process. */
export class MountedServer implements AsyncDisposable {
  readonly mountpoint: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess, mountpoint: string) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    this.mountpoint = mountpoint;
  }

  /** Starts the server and waits until it is mounted; rejects with what it wrote to standard error when it ends before. */
  static async start(argv: readonly string[], mountpoint: string): Promise<MountedServer> {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-4096);
    });
    child.on('error', (error) => {
      complaint += error.message;
    });
    const server = new MountedServer(child, mountpoint);
    for (const deadline = Date.now() + serverStartMs; !isMountpoint(mountpoint); await delay(20)) {
      const ended = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
      if (!ended && Date.now() < deadline) continue;
      await server[Symbol.asyncDispose]();
      throw new Error(`${argv.join(' ')}: ${complaint.trim() || (ended ? 'ended before it was mounted' : 'was not mounted in time')}`);
    }
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (isMountpoint(this.mountpoint)) await run(['umount', '--lazy', this.mountpoint]);
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const stopped = await Promise.race([this.#exited.then(() => true), delay(serverStopMs, false, { ref: false })]);
    if (!stopped) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
