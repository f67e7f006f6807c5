import { join } from 'node:path';
import { Journal, journalName } from './journal.ts';
import { inverseOf, type JournalEntry, type UserDirectory, withBefore } from './journal-entry.ts';
import { readJournal } from './journal-text.ts';
import { ObjectFiles } from './object-files.ts';
import { replay } from './replay.ts';

/** What the writer is asked to do. */
export type WriterWork =
  /** A change to make. `durable`: confirmed when it is on the disk; else when it is made. `before`: the record's text until now, where it is known. */
  | { readonly kind: 'change'; readonly entry: JournalEntry; readonly durable: boolean; readonly before?: string | undefined }
  /** Confirmed when all changes before it are on the disk. */
  | { readonly kind: 'sync' }
  /** Make everything durable in its own file, and empty the journal. */
  | { readonly kind: 'rest' };

/** A request, told apart from others. */
export interface WriterRequest {
  readonly id: number;
  readonly work: WriterWork;
}

/** How it ended; `code` is the errno of node:fs, absent when all went well. */
export interface WriterReply {
  readonly id: number;
  readonly code?: string;
}

/** What is newer than the disk of an object. */
interface Unsynced {
  /** What it was made with. */
  readonly made: UserDirectory | null | undefined;
  /** The text of its record, where that was written here: it need not be read again. */
  readonly text: string | undefined;
}

/** A journal is emptied when it is larger. Bytes. */
const journalLimit = 4 * 1024 * 1024;

/** Changes that nobody waits for are on the disk after so long, unless others that somebody waits for take them along. Milliseconds. */
const syncDelayMs = 20;

/** Confirms changes. Those that wait at the same time are confirmed together, by one wait for the disk. */
export class ChangeWriter {
  readonly #report: (reply: WriterReply) => void;
  readonly #root: string;
  readonly #files: ObjectFiles;
  /** undefined until it could be opened: a full disk, or one that can only be read, is asked again with each change. */
  #journal: Journal | undefined;
  /** Objects whose files are newer than the disk, by key. */
  readonly #unsynced = new Map<string, Unsynced>();
  /** Inverses of failed changes that the journal could not take yet, and those, by key, that could not be carried out. */
  #owed: JournalEntry[] = [];
  readonly #unrestored = new Map<string, JournalEntry>();
  #timer: NodeJS.Timeout | undefined;

  /** @param report is told how each request ended. */
  constructor(root: string, report: (reply: WriterReply) => void) {
    this.#report = report;
    this.#root = root;
    this.#files = new ObjectFiles(root);
  }

  /** Carries out all that wait. */
  take(requests: readonly WriterRequest[]): void {
    for (const group of groupsOfOneChangeAKey(requests)) this.#takeGroup(group);
    if (this.#journal === undefined) return;
    if (this.#journal.size > journalLimit) codeOf(() => this.#empty());
    if (this.#journal.isAhead) this.#timer ??= setTimeout(() => this.#sync(), syncDelayMs);
  }

  /** What undoes a change is known before the change is in the journal: a look that fails leaves all as it is. */
  #takeGroup(requests: readonly WriterRequest[]): void {
    const unopened = codeOf(() => void this.#openJournal());
    if (unopened !== undefined) {
      for (const { id } of requests) this.#reply(id, unopened);
      return;
    }
    codeOf(() => this.#restoreAll());
    const ready: (readonly [WriterRequest, JournalEntry | undefined])[] = [];
    for (const request of requests) {
      const failure = codeOf(() => void ready.push([request, this.#inverseOf(request.work)]));
      if (failure !== undefined) this.#reply(request.id, failure);
    }
    const entries = ready.flatMap(([{ work }, inverse]) =>
      work.kind === 'change' && inverse !== undefined ? [withBefore(work.entry, inverse)] : [],
    );
    const sync = ready.some(([{ work }]) => work.kind !== 'change' || work.durable);
    const failure = codeOf(() => this.#append(entries, { sync }));
    for (const [{ id, work }, inverse] of ready) this.#reply(id, failure ?? this.#carryOut(work, inverse));
  }

  /** What a start could not finish, for want of room, is finished first. @throws as node:fs does */
  #openJournal(): Journal {
    if (this.#journal !== undefined) return this.#journal;
    const path = join(this.#root, journalName);
    replay(this.#root, readJournal(path));
    this.#journal = new Journal(path);
    return this.#journal;
  }

  #inverseOf(work: WriterWork): JournalEntry | undefined {
    if (work.kind !== 'change') return undefined;
    const { entry, before } = work;
    if (entry.op === 'put' && entry.made !== undefined) return { op: 'remove', key: entry.key, serial: entry.serial };
    // After a loss of power replay finds a renamed object by its record, which must be on the disk before the journal speaks of the rename.
    if (entry.op === 'rename' && this.#unsynced.has(entry.key)) this.#files.sync(entry.key);
    return inverseOf(entry, before ?? this.#unsynced.get(entry.key)?.text ?? this.#files.read(entry.key));
  }

  /** Before anything else the journal gets what it should have got already. */
  #append(entries: readonly JournalEntry[], { sync }: { readonly sync: boolean }): void {
    this.#openJournal().append([...this.#owed, ...entries], { sync: sync || this.#owed.length > 0 });
    this.#owed = [];
  }

  /** @returns the errno of what failed. */
  #carryOut(work: WriterWork, inverse: JournalEntry | undefined): string | undefined {
    if (work.kind === 'change') return this.#apply(work.entry, inverse);
    return work.kind === 'rest' ? codeOf(() => this.#empty()) : undefined;
  }

  /** What cannot be made durable now is tried again with the next change, whose maker is told. */
  #sync(): void {
    this.#timer = undefined;
    codeOf(() => this.#append([], { sync: true }));
  }

  /** Changes the files. What cannot be changed is taken back, in the journal too; what cannot be taken back now, before the next change. */
  #apply(entry: JournalEntry, inverse: JournalEntry | undefined): string | undefined {
    const failure = codeOf(() => this.#files.apply(entry));
    this.#changed(entry, failure === undefined);
    if (failure === undefined) {
      this.#unrestored.delete(entry.key);
      return undefined;
    }
    if (inverse === undefined) return failure;
    this.#owed.push(inverse);
    codeOf(() => this.#append([], { sync: true }));
    if (codeOf(() => this.#restore(inverse)) !== undefined) this.#unrestored.set(entry.key, inverse);
    return failure;
  }

  /** @param done false when it failed: then nobody knows what the record holds. */
  #changed(entry: JournalEntry, done: boolean): void {
    const made = this.#unsynced.get(entry.key)?.made;
    const text = entry.op !== 'remove' && done ? entry.text : undefined;
    if (entry.op === 'rename') this.#unsynced.set(entry.to, { made, text });
    this.#unsynced.set(entry.key, entry.op === 'put' ? { made: entry.made ?? made, text } : { made: undefined, text: undefined });
  }

  /** A change that failed leaves the object under its old name, or under the new one when it could not be renamed back. */
  #restore(inverse: JournalEntry): void {
    if (inverse.op === 'remove') return; // what is made appears as a whole, or not at all
    if (inverse.op === 'put') {
      this.#files.apply(inverse);
      return;
    }
    const { to, serial, text, key } = inverse;
    if (this.#files.exists(to)) this.#files.apply({ op: 'put', key: to, serial, text });
    else if (this.#files.exists(key)) this.#files.apply(inverse);
  }

  #restoreAll(): void {
    for (const [key, inverse] of this.#unrestored) {
      this.#restore(inverse);
      this.#unrestored.delete(key);
    }
  }

  /** @throws as node:fs does; the journal keeps all it has then. */
  #empty(): void {
    this.#append([], { sync: true });
    this.#restoreAll();
    for (const [key, { made }] of this.#unsynced) this.#files.sync(key, made);
    this.#openJournal().clear();
    this.#unsynced.clear();
  }

  #reply(id: number, code: string | undefined): void {
    this.#report(code === undefined ? { id } : { id, code });
  }
}

/** In their order; no key is twice in one, so that what is there before each change is what the change finds. */
function groupsOfOneChangeAKey(requests: readonly WriterRequest[]): WriterRequest[][] {
  let group: WriterRequest[] = [];
  const groups = [group];
  let keys = new Set<string>();
  for (const request of requests) {
    const own = request.work.kind === 'change' ? keysOf(request.work.entry) : [];
    if (own.some((key) => keys.has(key))) {
      keys = new Set();
      group = [];
      groups.push(group);
    }
    for (const key of own) keys.add(key);
    group.push(request);
  }
  return groups;
}

function keysOf(entry: JournalEntry): string[] {
  return entry.op === 'rename' ? [entry.key, entry.to] : [entry.key];
}

/** The errno that an action failed with, undefined when it did not. */
function codeOf(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO';
  }
}
