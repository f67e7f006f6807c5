import { fstatSync, readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isAbsence } from '../errors/index.ts';
import { fairShare } from './fair-share.ts';

/** Longer than the longest line, bytes. */
const longestLine = 64 * 1024;

/** A file of lines, each a JSON object, that only grows, and is replaced by a shorter one when it is too large. */
export class EventFile {
  readonly #path: string;
  readonly #limit: number;
  /** Kept open: each opening and closing would be a task for a thread. */
  #file: FileHandle | undefined;
  /** It is shortened when it has more, bytes. */
  #most: number;

  /** @param limit bytes; when it has more, half of that stays. */
  constructor(path: string, limit: number) {
    this.#path = path;
    this.#limit = limit;
    this.#most = limit;
  }

  /** Appends lines, all or, as far as readers of lines see, none. @throws as node:fs does */
  async append(text: string): Promise<void> {
    const file = await this.#open();
    try {
      await file.appendFile(text);
    } catch (error) {
      await this.close(); // part of a line may be there: it is cut off when the file is opened again
      throw error;
    }
    const { size } = fstatSync(file.fd);
    if (size <= this.#most) return;
    this.#most = size + this.#limit / 8; // on a disk that is full it fails, and not at each line again
    await this.#shorten();
    this.#most = this.#limit;
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
    const make = (): Promise<FileHandle> => open(this.#path, 'a+', 0o600);
    const file = await make().catch(async (error: unknown) => {
      if (!isAbsence(error)) throw error;
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      return await make();
    });
    this.#file = file;
    const end = endOf(file.fd);
    const part = end.length - end.lastIndexOf('\n') - 1;
    if (part > 0) await file.truncate(fstatSync(file.fd).size - part);
    return file;
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
    const shorter = `${this.#path}.new`;
    try {
      await writeFile(shorter, kept.join(''), { encoding: 'latin1', mode: 0o600 });
      await rename(shorter, this.#path);
    } catch (error) {
      await rm(shorter, { force: true }); // it takes room, of which there is none
      throw error;
    }
  }
}

/** The end of a file, which its last line is in. @throws as node:fs does when it cannot be read. */
export function endOf(fd: number): Buffer {
  const end = Buffer.alloc(longestLine);
  return end.subarray(0, readSync(fd, end, 0, end.length, Math.max(0, fstatSync(fd).size - end.length)));
}

/** Whose share of a log a line counts to: who asked for what happened, or else who owns what it happened to. Quotes in texts are escaped, so only keys match. */
function shareHolder(line: string): number {
  const [, uid] = /"uid":(\d+)/.exec(line) ?? /"owner":(\d+)/.exec(line) ?? [];
  return Number(uid ?? 0);
}
