import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';

/** The file is written anew when it has this many lines, and as often as there are four times as many as who wait. */
const leastLines = 4000;
const linesPerHandle = 4;
/** After so long those whom the server before this one left waiting have been woken and, if they wait again, are noted again. Milliseconds. */
const takenOverMs = 10_000;

/**
 * The kernel's handles of those who wait by poll(2) and epoll(7) for special files to change: a server that takes the connection over wakes them, for nobody
 * else can, and they ask again. A line for each. It concerns one connection: nothing of it need outlive a boot, or be synced.
 */
export class PollJournal {
  /** Directory of the file, made when it is needed; undefined: nothing is noted. */
  directory: string | undefined;
  readonly #isFirst: boolean;
  readonly #waiting = new Set<number>();
  readonly #startedMs = performance.now();
  #file: number | undefined;
  #lines = 0;
  #limit = leastLines;

  /** @param options.first whether this is the first server of its connection: what the file holds is of another. */
  constructor(options: { readonly first: boolean }) {
    this.#isFirst = options.first;
  }

  /** Takes note of one before its poll is answered. A full disk costs only what this is for. */
  note(kh: number): void {
    if (this.#waiting.has(kh) || this.directory === undefined) return;
    try {
      if (this.#lines >= this.#limit) this.#rewrite();
      this.#file ??= this.#open(this.#isFirst ? 'w' : 'a');
      writeSync(this.#file, `${kh}\n`);
      this.#lines += 1;
      this.#waiting.add(kh);
    } catch {
      this.#lines = this.#limit; // all is written anew when the disk has room
    }
  }

  /** It closed the file. */
  forget(kh: number): void {
    this.#waiting.delete(kh);
  }

  #open(flags: 'w' | 'a'): number {
    mkdirSync(this.directory ?? '', { recursive: true, mode: 0o700 });
    return openSync(pathIn(this.directory ?? ''), flags, 0o600);
  }

  #rewrite(): void {
    const isNew = !this.#isFirst && performance.now() - this.#startedMs < takenOverMs;
    const handles = new Set([...(isNew ? pollersBefore(this.directory ?? '') : []), ...this.#waiting]);
    const path = pathIn(this.directory ?? '');
    const file = openSync(`${path}.new`, 'w', 0o600);
    writeSync(file, Array.from(handles, (kh) => `${kh}\n`).join(''));
    renameSync(`${path}.new`, path);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = file;
    this.#lines = 0;
    this.#limit = Math.max(leastLines, linesPerHandle * handles.size);
  }
}

/** Who waited when the servers before this one ended, by what the journal in a directory says; some may wait no longer. */
export function pollersBefore(directory: string): number[] {
  const text = unlessAbsent(() => readFileSync(pathIn(directory), 'latin1')) ?? ''; // there is none: nobody was noted
  // A last line that is cut off is of a poll that was not answered.
  return [...new Set(text.split('\n').slice(0, -1).map(Number))];
}

function pathIn(directory: string): string {
  return `${directory}/pollers`;
}
