import { closeSync, constants, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

/** Name of the journal in a root. */
export const journalName = 'journal';

/** One change to the objects of a root, as the journal keeps it. Keys are paths below the root, serials name objects for good. */
export type JournalEntry =
  /** An object has this record now. `made`: it was made by this entry, with these user files. */
  | { readonly op: 'put'; readonly key: string; readonly serial: number; readonly text: string; readonly made?: UserDirectory | null }
  | { readonly op: 'rename'; readonly key: string; readonly serial: number; readonly to: string; readonly text: string }
  | { readonly op: 'remove'; readonly key: string; readonly serial: number };

/**
 * The entry that takes another one back.
 *
 * @param before The text of the record until then; undefined when there is none.
 * @throws ENOENT, as node:fs does, when there is no object to change.
 */
export function inverseOf(entry: JournalEntry, before: string | undefined): JournalEntry {
  const { key, serial } = entry;
  if (entry.op === 'put' && entry.made !== undefined) return { op: 'remove', key, serial };
  if (before === undefined) throw Object.assign(new Error(`${key}: no record`), { code: 'ENOENT' });
  if (entry.op === 'rename') return { op: 'rename', key: entry.to, serial, to: key, text: before };
  return { op: 'put', key, serial, text: before };
}

/** A directory of files that belong to a user. */
export interface UserDirectory {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly files: Readonly<Record<string, string>>;
}

/** How much room is made at a time. Bytes. */
const roomBytes = 64 * 1024;
const room = Buffer.alloc(roomBytes);

/**
 * What has been confirmed and may not be in its own file yet. The file ends in zeros, room that was made beforehand: an append that fits into it changes nothing
 * but data, and so is on the disk with one write instead of those that a file's new length costs. One append and one fdatasync(2) confirm any number of changes that wait at the same
 * time; the files they are about are written after that, and need no sync of their own until the journal is emptied.
 */
export class Journal implements Disposable {
  readonly #fd: number;
  /** Bytes of entries, and of them with the zeros that follow. */
  #size = 0;
  #end = 0;
  #ahead = false;

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    this.clear(); // what was in it has been replayed
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /** True while it holds entries that are not durable. */
  get isAhead(): boolean {
    return this.#ahead;
  }

  /** Adds entries; `sync`: returns when they and all before them are durable. @throws as node:fs does; none of these is in the journal then. */
  append(entries: readonly JournalEntry[], { sync }: { readonly sync: boolean }): void {
    const bytes = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    if (this.#size + bytes.length > this.#end) this.#makeRoom();
    try {
      this.#write(bytes, this.#size);
      if (sync && (this.#ahead || bytes.length > 0)) fdatasyncSync(this.#fd);
      this.#ahead = !sync;
      this.#size += bytes.length;
    } catch (error) {
      this.#cut();
      throw error;
    }
  }

  /** On a full disk there is none to be had: the append finds out whether that matters. */
  #makeRoom(): void {
    try {
      this.#write(room, this.#end);
    } catch {
      this.#cut();
    }
  }

  #write(bytes: Uint8Array, position: number): void {
    for (let written = 0; written < bytes.length; )
      written += writeSync(this.#fd, bytes, written, bytes.length - written, position + written);
    this.#end = Math.max(this.#end, position + bytes.length);
  }

  #cut(): void {
    ftruncateSync(this.#fd, this.#size);
    this.#end = this.#size;
  }

  /** Empties it: everything it holds is durable elsewhere. */
  clear(): void {
    this.#size = 0;
    this.#cut();
    fdatasyncSync(this.#fd);
    this.#ahead = false;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** The entries of a journal, oldest first. What follows the last whole line is room, or was never confirmed, and is left out. */
export function readJournal(path: string): JournalEntry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as JournalEntry];
    } catch {
      // Blocks of one append can reach the disk in any order: a hole before the end of what was never confirmed.
      return [];
    }
  });
}
