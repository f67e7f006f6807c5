import { readFileSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';

/** The name a file was found by. */
export interface NotedFile {
  readonly parent: number;
  readonly name: string;
}

/** First line of a journal that nothing is missing in. */
export const wholeMark = '0 0 "whole"\n';

/** What servers before this one noted: bytes, of which only those lines are decoded that are asked for. */
export class NotedFiles {
  readonly #bytes: Buffer;
  /** Where the last line of each file begins. */
  readonly #starts = new Map<number, number>();

  /** @param path of the journal; undefined: there is none. */
  constructor(path: string | undefined) {
    this.#bytes = (path === undefined ? undefined : unlessAbsent(() => readFileSync(path))) ?? Buffer.alloc(0); // absent: nothing was noted
    // A last line that is cut off is of a file that the kernel was not told of.
    for (let start = 0, end = this.#endOf(start); end > start; start = end, end = this.#endOf(start)) {
      const nodeid = this.#numberAt(start);
      if (nodeid > 0) this.#starts.set(nodeid, start);
    }
  }

  /** Whether nothing is missing, for want of room. */
  get isWhole(): boolean {
    return this.#bytes.subarray(0, wholeMark.length).equals(Buffer.from(wholeMark));
  }

  find(nodeid: number): NotedFile | undefined {
    const start = this.#starts.get(nodeid);
    if (start === undefined) return undefined;
    const [, , parent, name] = /^(\d+) (\d+) (".*")\n$/.exec(this.#bytes.toString('utf8', start, this.#endOf(start))) ?? [];
    return name === undefined ? undefined : { parent: Number(parent), name: JSON.parse(name) as string };
  }

  /** A later line tells of this file. */
  forget(nodeid: number): void {
    this.#starts.delete(nodeid);
  }

  *lines(): Iterable<string> {
    for (const start of this.#starts.values()) yield this.#bytes.toString('utf8', start, this.#endOf(start));
  }

  /** The position after a line; 0 when it has no end. */
  #endOf(start: number): number {
    return this.#bytes.indexOf(10, start) + 1;
  }

  /** The digits that a line begins with; 0 where there are none. */
  #numberAt(start: number): number {
    let value = 0;
    for (let at = start; ; at += 1) {
      const digit = (this.#bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) return value;
      value = value * 10 + digit;
    }
  }
}
