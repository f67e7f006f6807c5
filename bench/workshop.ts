import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './processes.ts';
import { Unavailable } from './unavailable.ts';

/**
 * Where one benchmark works: a temporary directory, the compiler, the CPU that clients and servers share, and what is to be taken down
 * again, in reverse order. Disposing leaves nothing.
 */
export class Workshop implements AsyncDisposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'nfio-bench-'));
  readonly signal: AbortSignal;
  readonly #stack = new AsyncDisposableStack();

  constructor(signal: AbortSignal) {
    this.signal = signal;
    this.#stack.defer(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** Hands over what is disposed with the workshop. */
  use<T extends AsyncDisposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /** Makes an empty directory. */
  makeDirectory(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path);
    return path;
  }

  /** Compiles one C file, with pkg-config packages where it needs any, and resolves to the path of the program. */
  async compile(source: string, packages: readonly string[] = []): Promise<string> {
    const output = join(this.directory, `program-${packages.join('-')}-${source.split('/').at(-1)?.replace(/\.c$/, '')}`);
    const flags = packages.length === 0 ? [] : (await pkgConfig(packages)).trim().split(/\s+/);
    try {
      await run(['gcc', '-O2', '-o', output, join(import.meta.dirname, source), ...flags]);
    } catch (error) {
      if ((error as { cause?: { code?: unknown } }).cause?.code !== 'ENOENT') throw error;
      throw new Unavailable('There is no C compiler: run bench/setup.js.', { cause: error });
    }
    return output;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function pkgConfig(packages: readonly string[]): Promise<string> {
  try {
    return await run(['pkg-config', '--cflags', '--libs', ...packages]);
  } catch (error) {
    throw new Unavailable(`There are no headers of ${packages.join(', ')}: run bench/setup.js.`, { cause: error });
  }
}

/** The arguments that bind a program to one CPU, the first that this process may use: client and servers share it. */
export function onOneCpu(argv: readonly string[]): readonly string[] {
  const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ['taskset', '--cpu-list', allowed, ...argv];
}
