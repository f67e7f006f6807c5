import { appendFile, readFile, rename, stat, writeFile } from 'node:fs/promises';
import type { Logger } from '../domain/ports/logger.ts';
import { isAbsence } from '../errors/index.ts';
import { Lane } from './lane.ts';

/** One line of `events`. */
export interface Event {
  /** Path below the mountpoint. */
  readonly path: string;
  /** What happened, in one or two words: `activate`, `activate failed`, `exited`. */
  readonly what: string;
  /** Why, in a sentence; absent when `what` says it all. */
  readonly why?: string;
}

/** When the file is larger than this, its older half goes. Bytes. */
const sizeLimit = 8 * 1024 * 1024;

/** The file `events`: one JSON object a line, bounded, kept over restarts. */
export class EventLog {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #now: () => Date;
  readonly #lane = new Lane();
  #waiting: string[] = [];
  #size: number | undefined;

  constructor(path: string, options: { readonly logger: Logger; readonly now: () => Date }) {
    this.#path = path;
    this.#logger = options.logger;
    this.#now = options.now;
  }

  /** Appends an event; the file has it soon after. A disk that is full loses the event, never the operation. */
  add(event: Event): void {
    this.#waiting.push(`${JSON.stringify({ time: this.#now().toISOString(), ...event })}\n`);
    if (this.#waiting.length === 1) void this.#lane.run(() => this.#write());
  }

  /** Resolves when all events added so far are in the file. */
  async flush(): Promise<void> {
    await this.#lane.run(() => Promise.resolve());
  }

  async #write(): Promise<void> {
    const text = this.#waiting.join('');
    this.#waiting = [];
    try {
      this.#size ??= await sizeOf(this.#path);
      await appendFile(this.#path, text, { mode: 0o600 });
      this.#size += Buffer.byteLength(text);
      if (this.#size > sizeLimit) await this.#dropOlderHalf();
    } catch (error) {
      this.#logger.error(`events: ${(error as Error).message}`);
    }
  }

  async #dropOlderHalf(): Promise<void> {
    const content = await readFile(this.#path);
    const newer = content.subarray(content.indexOf('\n', content.length - sizeLimit / 2) + 1);
    await writeFile(`${this.#path}.new`, newer, { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
    this.#size = newer.length;
  }
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    (error: unknown) => {
      if (isAbsence(error)) return 0;
      throw error;
    },
  );
}
