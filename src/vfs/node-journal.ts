import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';
import type { UserNode } from './user-node.ts';

/** The name a file was found by: what a line of the journal says. */
interface Entry {
  readonly parent: number;
  readonly name: string;
}

/** The file is written anew when it has this many lines, and as often as there are four times as many as nodes. */
const leastLines = 20_000;
const linesPerNode = 4;

/**
 * Where files of guests were found, for a server that takes the connection over: it is asked for them by their nodeids, and to search for one in all files of all
 * guests would take minutes. A line for each name, of which the last of a file counts. It concerns one connection: nothing of it need outlive a boot, or be synced.
 */
export class NodeJournal {
  /** Directory of the file, made when it is needed; undefined: nothing is noted. */
  directory: string | undefined;
  readonly #isFirst: boolean;
  #file: number | undefined;
  #lines = 0;
  #limit = leastLines;
  #before: ReadonlyMap<number, Entry> | undefined;

  /** @param options.first whether this is the first server of its connection: what the file holds is of another. */
  constructor(options: { readonly first: boolean }) {
    this.#isFirst = options.first;
  }

  /**
   * Takes note of the newest name of a file, before the kernel is told of it. A full disk costs only what this is for.
   *
   * @param nodes the nodes there are, to write the file anew.
   */
  note(node: UserNode, nodes: ReadonlyMap<number, UserNode>): void {
    const line = lineOf(node);
    if (line === undefined || this.directory === undefined) return;
    try {
      if (this.#lines >= this.#limit) this.#rewrite(nodes.values());
      this.#file ??= this.#open(this.#isFirst ? 'w' : 'a');
      writeSync(this.#file, line);
      this.#lines += 1;
    } catch {
      this.#lines = this.#limit; // all is written anew when the disk has room
    }
  }

  /** Where a server before this one found a file. */
  find(nodeid: number): Entry | undefined {
    return this.#entriesBefore().get(nodeid);
  }

  #entriesBefore(): ReadonlyMap<number, Entry> {
    this.#before ??= this.#isFirst ? new Map() : readEntries(this.#path);
    return this.#before;
  }

  get #path(): string {
    return `${this.directory}/guest-files`;
  }

  #open(flags: 'w' | 'a'): number {
    mkdirSync(this.directory ?? '', { recursive: true, mode: 0o700 });
    return openSync(this.#path, flags, 0o600);
  }

  #rewrite(nodes: Iterable<UserNode>): void {
    const lines = Array.from(this.#entriesBefore(), ([nodeid, { parent, name }]) => encode(nodeid, parent, name));
    for (const node of nodes) lines.push(lineOf(node) ?? '');
    const file = openSync(`${this.#path}.new`, 'w', 0o600);
    writeSync(file, lines.join(''));
    renameSync(`${this.#path}.new`, this.#path);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = file;
    this.#lines = 0;
    this.#limit = Math.max(leastLines, linesPerNode * lines.length);
  }
}

function lineOf(node: UserNode): string | undefined {
  const link = node.newestLink;
  return link === undefined ? undefined : encode(node.nodeid, link.parent.nodeid, link.name);
}

function encode(nodeid: number, parent: number, name: string): string {
  return `${nodeid} ${parent} ${JSON.stringify(name)}\n`;
}

/** A last line that is cut off is of a file that the kernel was not told of. */
function readEntries(path: string): Map<number, Entry> {
  const entries = new Map<number, Entry>();
  const text = unlessAbsent(() => readFileSync(path, 'utf8')) ?? ''; // there is none: nothing was noted
  for (const line of text.split('\n').slice(0, -1)) {
    const [, nodeid, parent, name] = /^(\d+) (\d+) (".*")$/.exec(line) ?? [];
    if (name !== undefined) entries.set(Number(nodeid), { parent: Number(parent), name: JSON.parse(name) as string });
  }
  return entries;
}
