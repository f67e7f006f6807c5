import type { Measure } from './measure.ts';
import { run } from './processes.ts';
import { onOneCpu, type Workshop } from './workshop.ts';

/** What the client does with a file: stat, or open, read and close. */
export type FileOperation = 'stat' | 'read';

/** The operations, as the table names them. */
export const operationNames: Readonly<Record<FileOperation, string>> = { stat: 'stat', read: 'open+read+close' };

/** Few, so that what disturbs the machine falls on neighbouring runs of ours and the peer alike. */
const operationsPerRun = 1000;
const warmUpOperations = 10_000;

/** The C client, compiled once a benchmark: the same for every server. */
export class FileClient {
  readonly #program: string;
  readonly #signal: AbortSignal;

  private constructor(program: string, signal: AbortSignal) {
    this.#program = program;
    this.#signal = signal;
  }

  static async compile(workshop: Workshop): Promise<FileClient> {
    return new FileClient(await workshop.compile('clients/file-ops.c'), workshop.signal);
  }

  /** Warms the server up and returns the measure: mean seconds of one operation on files of one directory, each in turn. */
  async prepare(operation: FileOperation, paths: readonly string[]): Promise<Measure> {
    await this.#measure(operation, warmUpOperations, paths);
    return () => this.#measure(operation, Math.max(operationsPerRun, paths.length), paths);
  }

  async #measure(operation: FileOperation, count: number, paths: readonly string[]): Promise<number> {
    const output = await run(onOneCpu([this.#program, operation, String(count), ...paths]), { signal: this.#signal });
    return Number(output) / 1e9;
  }
}
