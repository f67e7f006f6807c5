import { fstatSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import type { Logger } from '../domain/ports/logger.ts';
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
export class EventLog implements AsyncDisposable {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #now: () => Date;
  readonly #lane = new Lane();
  #waiting: string[] = [];
  /** Kept open: each opening and closing would be a task for a thread. */
  #file: FileHandle | undefined;

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
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lane.run(async () => {
      await this.#file?.close();
      this.#file = undefined;
    });
  }

  async #write(): Promise<void> {
    const text = this.#waiting.join('');
    this.#waiting = [];
    try {
      const file = await this.#open();
      await file.appendFile(text);
      if (fstatSync(file.fd).size > sizeLimit) await this.#dropOlderHalf();
    } catch (error) {
      this.#logger.error(`events: ${(error as Error).message}`);
    }
  }

  /** The file of that name, also when somebody has removed the one that was open. */
  async #open(): Promise<FileHandle> {
    if (this.#file !== undefined && fstatSync(this.#file.fd).nlink > 0) return this.#file;
    await this.#file?.close();
    this.#file = undefined;
    this.#file = await open(this.#path, 'a', 0o600);
    return this.#file;
  }

  async #dropOlderHalf(): Promise<void> {
    const content = await readFile(this.#path);
    const newer = content.subarray(content.indexOf('\n', content.length - sizeLimit / 2) + 1);
    await writeFile(`${this.#path}.new`, newer, { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
  }
}
