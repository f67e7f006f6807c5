import { spawn } from 'node:child_process';

/** How a program ended, with at most 1 MiB of each of its outputs. */
export interface ProgramResult {
  /** Exit status; undefined when it could not be started, was killed or took too long. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** ENOENT when there is no such program. */
  readonly errorCode?: string;
}

const outputLimit = 1 << 20;

/**
 * Runs a program from an argument array. Never rejects. After timeoutMs it is killed and not waited for any longer:
 * a process that waits for a hung mount cannot die.
 */
export function runProgram(
  argv: readonly string[],
  options: { readonly timeoutMs: number; readonly input?: string },
): Promise<ProgramResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, LC_ALL: 'C' } });
    const output = { stdout: '', stderr: '' };
    const finish = (rest: Omit<ProgramResult, 'stdout' | 'stderr'>): void => {
      clearTimeout(timer);
      resolve({ ...output, ...rest });
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      for (const stream of child.stdio) stream?.destroy();
      child.unref();
      finish({ exitCode: undefined, timedOut: true });
    }, options.timeoutMs);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        if (output[name].length < outputLimit) output[name] += chunk;
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) => finish({ exitCode: undefined, timedOut: false, errorCode: error.code ?? 'EIO' }));
    child.on('close', (code) => finish({ exitCode: code ?? undefined, timedOut: false }));
    // A program that ends without reading its input is no error of ours.
    child.stdin.on('error', () => {}).end(options.input ?? '');
  });
}
