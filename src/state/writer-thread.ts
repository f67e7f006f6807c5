import { join } from 'node:path';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Journal, type JournalEntry, journalName } from './journal.ts';
import { ObjectFiles } from './object-files.ts';

/** What the writer works on. */
export interface WriterData {
  readonly root: string;
  readonly port: MessagePort;
}

/** What the writer is asked to do. */
export type WriterWork =
  /** A change to make. `durable`: confirmed when it is on the disk; else when it is made. */
  | { readonly kind: 'change'; readonly entry: JournalEntry; readonly durable: boolean }
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

/** A journal is emptied when it is larger. Bytes. */
const journalLimit = 4 * 1024 * 1024;

/** Changes that nobody waits for are on the disk after so long, unless others that somebody waits for take them along. Milliseconds. */
const syncDelayMs = 20;

/** Confirms changes. Those that wait at the same time are confirmed together, by one wait for the disk. */
class WriterThread {
  readonly #port: MessagePort;
  readonly #files: ObjectFiles;
  readonly #journal: Journal;
  /** Keys whose files are newer than the disk. */
  readonly #unsynced = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ root, port }: WriterData) {
    this.#port = port;
    this.#files = new ObjectFiles(root);
    this.#journal = new Journal(join(root, journalName));
  }

  /** Carries out all that wait. */
  take(first: WriterRequest): void {
    const requests = [first];
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port))
      requests.push(next.message);
    const entries = requests.flatMap(({ work }) => (work.kind === 'change' ? [work.entry] : []));
    const sync = requests.some(({ work }) => work.kind !== 'change' || work.durable);
    const failure = codeOf(() => this.#journal.append(entries, { sync }));
    for (const { id, work } of requests) this.#reply(id, failure ?? this.#carryOut(work));
    if (this.#journal.size > journalLimit) codeOf(() => this.#empty());
    if (this.#journal.isAhead) this.#timer ??= setTimeout(() => this.#sync(), syncDelayMs);
  }

  /** @returns the errno of what failed. */
  #carryOut(work: WriterWork): string | undefined {
    if (work.kind === 'change') return this.#apply(work.entry);
    return work.kind === 'rest' ? codeOf(() => this.#empty()) : undefined;
  }

  /** What cannot be made durable now is tried again with the next change, whose maker is told. */
  #sync(): void {
    this.#timer = undefined;
    codeOf(() => this.#journal.append([], { sync: true }));
  }

  /** Changes the files. What cannot be changed is taken back, in the journal too. */
  #apply(entry: JournalEntry): string | undefined {
    let before: string | undefined;
    const failure = codeOf(() =>
      this.#files.apply(entry, (text) => {
        before = text;
      }),
    );
    this.#unsynced.add(entry.key);
    if (entry.op === 'rename') this.#unsynced.add(entry.to);
    if (failure === undefined) return undefined;
    const { key, serial } = entry;
    before ??= this.#files.read(key);
    const inverse: JournalEntry = before === undefined ? { op: 'remove', key, serial } : { op: 'put', key, serial, text: before };
    codeOf(() => this.#journal.append([inverse], { sync: true }));
    if (before !== undefined) codeOf(() => this.#files.apply(inverse));
    return failure;
  }

  #empty(): void {
    for (const key of this.#unsynced) this.#files.sync(key);
    this.#journal.clear();
    this.#unsynced.clear();
  }

  #reply(id: number, code: string | undefined): void {
    const reply: WriterReply = code === undefined ? { id } : { id, code };
    this.#port.postMessage(reply);
  }
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

function main(data: WriterData): void {
  const thread = new WriterThread(data);
  data.port.on('message', (request: WriterRequest) => thread.take(request));
}

main(workerData as WriterData);
