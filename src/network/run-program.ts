import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { NfioError } from '../errors/index.ts';

/** What each kind of output keeps at most when nobody takes it as it comes. */
const maxKeptBytes = 1024 * 1024;

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
  capsh: 'libcap2-bin',
};

/** How to run a program, and where its output goes. */
export interface RunOptions {
  readonly signal: AbortSignal;
  readonly input?: string | Uint8Array;
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
 * Runs one program from an argument array, in a process group of its own, to its end. An abort kills the whole group.
 *
 * @throws MissingToolError when it is not installed, InterruptedError when aborted, VNFCommandExecutionError when it cannot be started.
 */
export function runProgram(argv: readonly [string, ...string[]], options: RunOptions): Promise<RunResult> {
  if (options.signal.aborted) return Promise.reject(new NfioError('InterruptedError', { cause: options.signal.reason }));
  const child = spawn(argv[0], argv.slice(1), { detached: true, stdio: 'pipe', env: options.env });
  const kept = { stdout: new KeptOutput(), stderr: new KeptOutput() };
  for (const stream of ['stdout', 'stderr'] as const) {
    const take = options.onOutput;
    child[stream].on('data', (chunk: Uint8Array) => (take === undefined ? kept[stream].add(chunk) : take(chunk, stream)));
  }
  child.stdin.on('error', () => undefined); // EPIPE: it did not want all of its input
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    const abort = (): void => killGroup(child);
    options.signal.addEventListener('abort', abort, { once: true });
    child.once('error', (cause) => {
      options.signal.removeEventListener('abort', abort);
      reject(spawnError(argv[0], cause));
    });
    child.once('close', (code, signal) => {
      options.signal.removeEventListener('abort', abort);
      if (options.signal.aborted) reject(new NfioError('InterruptedError', { cause: options.signal.reason }));
      else resolve({ exitCode: exitStatus(code, signal), stdout: kept.stdout.text(), stderr: kept.stderr.text() });
    });
  });
}

/** The error of a program that could not be started. */
export function spawnError(program: string, cause: unknown): NfioError {
  if ((cause as { code?: unknown }).code === 'ENOENT') {
    const remedy = `apt-get install ${packages[program] ?? program}`;
    return new NfioError('MissingToolError', { message: `the program "${program}" is not installed: ${remedy}`, cause });
  }
  return new NfioError('VNFCommandExecutionError', { message: `"${program}" could not be started: ${String(cause)}`, cause });
}

/** A shell's exit status of a process: 128 + n when signal n ended it. */
export function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it ended at this very moment
  }
}

/** The first 1 MiB of an output. */
class KeptOutput {
  readonly #chunks: Uint8Array[] = [];
  #room = maxKeptBytes;

  add(chunk: Uint8Array): void {
    if (this.#room <= 0) return;
    const part = chunk.subarray(0, this.#room);
    this.#room -= part.length;
    this.#chunks.push(part);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
