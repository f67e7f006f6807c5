import { fstatSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isAbsence } from '../errors/index.ts';
import { fairShare } from './fair-share.ts';

/** A file of lines, each a JSON object, that only grows, and is replaced by a shorter one when it is too large. */
export class EventFile {
  readonly #path: string;
  readonly #limit: number;
  /** Kept open: each opening and closing would be a task for a thread. */
  #file: FileHandle | undefined;

  /** @param limit bytes; when it has more, half of that stays. */
  constructor(path: string, limit: number) {
    this.#path = path;
    this.#limit = limit;
  }

  /** Appends lines. @throws as node:fs does */
  async append(text: string): Promise<void> {
    const file = await this.#open();
    await file.appendFile(text);
    if (fstatSync(file.fd).size > this.#limit) await this.#shorten();
  }

  /** It can be appended to again. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** The file of that name, also when somebody has removed the one that was open. */
  async #open(): Promise<FileHandle> {
    if (this.#file !== undefined && fstatSync(this.#file.fd).nlink > 0) return this.#file;
    await this.close();
    const make = (): Promise<FileHandle> => open(this.#path, 'a', 0o600);
    this.#file = await make().catch(async (error: unknown) => {
      if (!isAbsence(error)) throw error;
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      return await make();
    });
    return this.#file;
  }

  /** Who reads the old file finds its last line in the new one, and goes on after it (tree/followed-file.ts). */
  async #shorten(): Promise<void> {
    // A character a byte: lines are weighed and put together again as they are.
    const lines = (await readFile(this.#path, 'latin1')).split('\n').slice(0, -1);
    const stays = fairShare(
      lines.map((line) => ({ uid: shareHolder(line), bytes: line.length + 1 })),
      this.#limit / 2,
    );
    const kept = lines.filter((_, index) => stays[index]).map((line) => `${line}\n`);
    await writeFile(`${this.#path}.new`, kept.join(''), { encoding: 'latin1', mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
  }
}

/** Whose share of a log a line counts to: who asked for what happened, or else who owns what it happened to. Quotes in texts are escaped, so only keys match. */
function shareHolder(line: string): number {
  const [, uid] = /"uid":(\d+)/.exec(line) ?? /"owner":(\d+)/.exec(line) ?? [];
  return Number(uid ?? 0);
}
