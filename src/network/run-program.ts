import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { ProgramInput } from '../domain/ports/hypervisor.ts';
import { NfioError } from '../errors/index.ts';
import { feed } from './feed.ts';
import { KeptOutput } from './kept-output.ts';
import { killTree } from './process-tree.ts';
import { sealedStdio } from './sealed-stdio.ts';

/** After the end of a program its output has ended when nothing came for so long, and at the latest then. */
const quietMs = 200;
const drainTimeoutMs = 2000;

/** What one of the machine's programs may take when its caller does not say, milliseconds: most end within ten. */
const programTimeoutMs = 60_000;

/** Debian package of each program that nf.io runs. */
const packages: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  bridge: 'iproute2',
  nft: 'nftables',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
  umount: 'mount',
  perl: 'perl-base',
};

/** How to run a program, and where its output goes. */
export interface RunOptions {
  readonly signal: AbortSignal;
  /** After so long it is killed; Infinity: never. Default 60,000 ms. */
  readonly timeoutMs?: number;
  readonly input?: ProgramInput;
  readonly env?: NodeJS.ProcessEnv;
  /** Receives stdout and stderr in the order they arrive; without it both are kept, each up to 1 MiB. */
  readonly onOutput?: (chunk: Uint8Array, stream: 'stdout' | 'stderr') => void;
}

/** How it ended. */
export interface RunResult {
  /** Exit status, 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one program from an argument array, in a process group of its own, to its end. An abort kills it with all it started.
 *
 * @throws MissingToolError when it is not installed, InterruptedError when aborted, TimeoutError when it took too long or the signal is one of a timeout, VNFCommandExecutionError when it cannot be started.
 */
export function runProgram(argv: readonly [string, ...string[]], options: RunOptions): Promise<RunResult> {
  if (options.signal.aborted) return Promise.reject(cutShort(argv[0], options.signal.reason));
  const stdio = sealedStdio(['pipe', 'pipe', 'pipe']);
  const child = spawn(argv[0], argv.slice(1), { detached: true, stdio, env: options.env }) as ChildProcessWithoutNullStreams;
  const kept = { stdout: new KeptOutput(), stderr: new KeptOutput() };
  for (const stream of ['stdout', 'stderr'] as const) {
    const take = options.onOutput;
    child[stream].on('data', (chunk: Uint8Array) => (take === undefined ? kept[stream].add(chunk) : take(chunk, stream)));
  }
  child.stdin.on('error', () => undefined); // EPIPE: it did not want all of its input
  feed(child.stdin, options.input ?? '');
  return new Promise((resolve, reject) => {
    let reason: unknown;
    const cut = (why: unknown): void => {
      reason ??= why;
      killAll(child);
    };
    const abort = (): void => cut(options.signal.reason);
    const late = new DOMException(`after ${options.timeoutMs ?? programTimeoutMs} ms`, 'TimeoutError');
    const timer = timerOf(options.timeoutMs ?? programTimeoutMs, () => cut(late));
    const end = (): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', abort);
    };
    options.signal.addEventListener('abort', abort, { once: true });
    child.once('error', (cause) => {
      end();
      reject(spawnError(argv[0], cause));
    });
    whenDone(child, (status) => {
      end();
      if (reason !== undefined) reject(cutShort(argv[0], reason));
      else resolve({ exitCode: status, stdout: kept.stdout.text(), stderr: kept.stderr.text() });
    });
  });
}

function timerOf(timeoutMs: number, late: () => void): NodeJS.Timeout | undefined {
  return timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(late, timeoutMs);
}

/** The error of a program that was killed before its end: nobody waits for it any more, or it took too long. */
function cutShort(program: string, reason: unknown): NfioError {
  if ((reason as { name?: unknown } | undefined)?.name !== 'TimeoutError') return new NfioError('InterruptedError', { cause: reason });
  return new NfioError('TimeoutError', { message: `the program "${program}" took too long and was killed; try again`, cause: reason });
}

/**
 * Calls back once the program has ended and its output is read. What it left in the background may hold the output open, even
 * write to it: that is waited for only while the last of it arrives.
 */
function whenDone(child: ChildProcessWithoutNullStreams, callback: (exitCode: number) => void): void {
  child.once('exit', (code, signal) => {
    const end = performance.now() + drainTimeoutMs;
    const finish = (): void => {
      clearTimeout(quiet);
      child.removeListener('close', finish);
      for (const stream of [child.stdout, child.stderr]) stream.removeListener('data', more).destroy();
      callback(exitStatus(code, signal));
    };
    const more = (): void => void (performance.now() > end ? finish() : quiet.refresh());
    const quiet = setTimeout(finish, quietMs);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', more);
    child.once('close', finish);
  });
}

/** The error of a program that could not be started. */
export function spawnError(program: string, cause: unknown): NfioError {
  if ((cause as { code?: unknown }).code === 'ENOENT') return missingTool(program, cause);
  return new NfioError('VNFCommandExecutionError', { message: `"${program}" could not be started: ${String(cause)}`, cause });
}

/** The error of a program that is not there, with what brings it. */
export function missingTool(program: string, cause?: unknown): NfioError {
  const remedy = `apt-get install ${packages[program] ?? program}`;
  return new NfioError('MissingToolError', { message: `the program "${program}" is not installed. Run: ${remedy}`, cause });
}

/** A shell's exit status of a process: 128 + n when signal n ended it. */
export function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

function killAll(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  killTree(child.pid);
}
