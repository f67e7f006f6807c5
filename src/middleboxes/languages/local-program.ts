import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { BoundedWork } from '../../domain/bounded-work.ts';
import { limitedProgram } from '../../domain/limited-program.ts';
import { NfioError, unlessAbsent } from '../../errors/index.ts';

/** How a program ended. */
export interface LocalResult {
  /** Exit status, 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Most that is kept of each output, and longest that a check may take. */
const maxOutputBytes = 16 * 1024 * 1024;
const timeoutMs = 10_000;

/** Few run at once: each may take as much memory as a program is given. */
const checks = new BoundedWork(4);

/** Debian package of each program that a throw-away namespace needs. */
const packages: Readonly<Record<string, string>> = { unshare: 'util-linux', sh: 'dash', nft: 'nftables', ip: 'iproute2', tc: 'iproute2' };

/**
 * Runs a constant shell script in a new, empty network namespace of this machine, which goes away with it. The script sees
 * `words` as its positional parameters and `input` as its standard input.
 *
 * @param tool the program that the script is there to run; the remedy when it is missing (exit status 127).
 * @throws MissingToolError, TimeoutError after 10 s, UnsupportedError when no namespace can be made.
 */
export async function runInThrowAwayNetwork(script: string, options: ThrowAwayOptions): Promise<LocalResult> {
  const { words, input, tool, signal } = options;
  // The status of unshare's own failures is 1; the scripts use others.
  const argv = ['--net', ...limitedProgram(['sh', '-c', script, 'nfio-check', ...words])];
  const result = await checks.run(() => run('unshare', argv, { input, signal: limited(signal) }));
  if (result.exitCode === 127) throw missing(tool, undefined);
  if (result.exitCode === 1) {
    const message = `no network namespace to check the configuration in could be made (${firstLine(result.stderr)}): run nfio as root`;
    throw new NfioError('UnsupportedError', { message });
  }
  return result;
}

/** What to give the script. */
export interface ThrowAwayOptions {
  readonly words: readonly string[];
  readonly input: string;
  readonly tool: string;
  readonly signal: AbortSignal | undefined;
}

function limited(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

function run(
  program: string,
  argv: readonly string[],
  options: { readonly input: string; readonly signal: AbortSignal },
): Promise<LocalResult> {
  if (options.signal.aborted) return Promise.reject(stopped(options.signal));
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { stdio: 'pipe', detached: true, env: { PATH: process.env['PATH'], LC_ALL: 'C' } });
    const abort = (): void => killGroup(child.pid);
    options.signal.addEventListener('abort', abort, { once: true });
    const outputs = [child.stdout, child.stderr].map((stream) => keep(stream));
    child.stdin.on('error', () => undefined); // EPIPE: it ended before it had read everything
    child.stdin.end(options.input);
    child.once('error', (cause) => {
      options.signal.removeEventListener('abort', abort);
      reject(missing(program, cause));
    });
    child.once('close', (code, killer) => {
      options.signal.removeEventListener('abort', abort);
      const [stdout = '', stderr = ''] = outputs.map((chunks) => Buffer.concat(chunks).toString());
      const exitCode = code ?? 128 + (killer === null ? 0 : constants.signals[killer]);
      if (options.signal.aborted) reject(stopped(options.signal));
      else resolve({ exitCode, stdout, stderr });
    });
  });
}

function keep(stream: NodeJS.ReadableStream): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let room = maxOutputBytes;
  stream.on('data', (chunk: Uint8Array) => {
    const part = chunk.subarray(0, Math.max(room, 0));
    room -= part.length;
    if (part.length > 0) chunks.push(part);
  });
  return chunks;
}

function killGroup(pid: number | undefined): void {
  if (pid !== undefined) unlessAbsent(() => process.kill(-pid, 'SIGKILL')); // else it ended at this very moment
}

function stopped(signal: AbortSignal): NfioError {
  const late = (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError';
  if (!late) return new NfioError('InterruptedError', { cause: signal.reason });
  return new NfioError('TimeoutError', { message: `checking the configuration took more than ${timeoutMs / 1000} s: make it smaller` });
}

function missing(program: string, cause: unknown): NfioError {
  const message = `the program "${program}" is not installed: apt-get install ${packages[program] ?? program}`;
  return new NfioError('MissingToolError', { message, cause });
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
