import { closeSync, ftruncateSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { type NotedFile, NotedFiles, wholeMark } from './noted-files.ts';
import type { UserNode } from './user-node.ts';

/** The file is written anew when it has this many lines, and as often as there are four times as many as nodes. */
const leastLines = 20_000;
const linesPerNode = 4;
/** So many lines of it for each new one: nobody waits for all. */
const linesAtOnce = 64;

/** The journal is being written anew, into another file. */
interface Rewriting {
  readonly file: number;
  readonly rest: Iterator<string>;
  lines: number;
}

/**
 * Where user files were found, for a server that takes the connection over: it is asked for them by their nodeids, and to search for one in all files of all
 * VNFs would take minutes. A line for each name, of which the last of a file counts. It concerns one connection: nothing of it need outlive a boot, or be synced.
 */
export class NodeJournal {
  /** Directory of the file, made when it is needed; undefined: nothing is noted. */
  directory: string | undefined;
  readonly #isFirst: boolean;
  #file: number | undefined;
  #lines = 0;
  #limit = leastLines;
  #rewriting: Rewriting | undefined;
  #before: NotedFiles | undefined;

  /** @param options.first whether this is the first server of its connection: what the file holds is of another. */
  constructor(options: { readonly first: boolean }) {
    this.#isFirst = options.first;
  }

  /**
   * Takes note of the newest name of a file, before the kernel is told of it. On a full disk the journal is emptied, and is whole again when it could be written anew.
   *
   * @param nodes the nodes there are, to write the file anew.
   */
  note(node: UserNode, nodes: ReadonlyMap<number, UserNode>): void {
    const line = lineOf(node);
    if (line === undefined || this.directory === undefined) return;
    try {
      this.#file ??= this.#open();
      writeSync(this.#file, line);
      this.#lines += 1;
      this.#before?.forget(node.nodeid);
      if (this.#rewriting === undefined && this.#lines >= this.#limit) this.#rewriting = this.#beginRewriting(nodes);
      if (this.#rewriting !== undefined) this.#rewrite(this.#rewriting, line);
    } catch {
      this.#giveUp();
    }
  }

  /** Whether all files were noted that a server before this one told the kernel of. */
  get isWhole(): boolean {
    return this.#readBefore().isWhole;
  }

  /** Where a server before this one found a file. */
  find(nodeid: number): NotedFile | undefined {
    return this.#readBefore().find(nodeid);
  }

  #readBefore(): NotedFiles {
    this.#before ??= new NotedFiles(this.#isFirst ? undefined : this.#path);
    return this.#before;
  }

  get #path(): string {
    return `${this.directory}/user-files`;
  }

  #open(): number {
    mkdirSync(this.directory ?? '', { recursive: true, mode: 0o700 });
    const file = openSync(this.#path, this.#isFirst ? 'w' : 'a', 0o600);
    if (this.#isFirst) writeSync(file, wholeMark);
    return file;
  }

  #beginRewriting(nodes: ReadonlyMap<number, UserNode>): Rewriting {
    const lines = function* (before: NotedFiles): Iterator<string> {
      yield* before.lines();
      for (const node of nodes.values()) yield lineOf(node) ?? '';
    };
    const before = this.#readBefore();
    const file = openSync(`${this.#path}.new`, 'w', 0o600);
    writeSync(file, wholeMark);
    return { file, rest: lines(before), lines: 0 };
  }

  /** What is new goes into both files; the new one takes the place of the old when it has all of it. */
  #rewrite(rewriting: Rewriting, newest: string): void {
    const lines: string[] = [];
    let more = rewriting.rest.next();
    for (; more.done !== true && lines.length < linesAtOnce; more = rewriting.rest.next()) lines.push(more.value);
    if (more.done !== true) lines.push(more.value);
    lines.push(newest);
    writeSync(rewriting.file, lines.join(''));
    rewriting.lines += lines.length;
    if (more.done !== true) return;
    renameSync(`${this.#path}.new`, this.#path);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = rewriting.file;
    this.#rewriting = undefined;
    this.#lines = 0;
    this.#limit = Math.max(leastLines, linesPerNode * rewriting.lines);
  }

  /** What lacks a line must not seem whole, for which there is always room. */
  #giveUp(): void {
    if (this.#rewriting !== undefined) closeSync(this.#rewriting.file);
    this.#rewriting = undefined;
    this.#readBefore();
    if (this.#file !== undefined) ftruncateSync(this.#file);
    this.#lines = this.#limit;
  }
}

function lineOf(node: UserNode): string | undefined {
  const link = node.newestLink;
  return link === undefined ? undefined : encode(node.nodeid, link.parent.nodeid, link.name);
}

function encode(nodeid: number, parent: number, name: string): string {
  return `${nodeid} ${parent} ${JSON.stringify(name)}\n`;
}
