import { closeSync, readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from '../domain/bounded.ts';
import type { Logger } from '../domain/ports/logger.ts';
import type { NewFiles, StateStore } from '../domain/ports/state.ts';
import { idOf, recordKey, type StoredRecord } from '../domain/records.ts';
import { errnoName, errnoOf, isThere, NfioError, unlessAbsent } from '../errors/index.ts';
import type { JournalEntry } from './journal-entry.ts';
import { loadRecord } from './load-records.ts';
import { lostName, ObjectFiles, recordName, trashName } from './object-files.ts';
import { objectKeys } from './object-keys.ts';
import { decodeRecord, encodeRecord } from './record-codec.ts';
import { recoverJournal, type Unfinished } from './recover-journal.ts';
import { removeTree } from './remove-tree.ts';
import { lockRoot, openRoot } from './root-directory.ts';
import { type RootHeader, writeHeader, writeHeaderCopy } from './root-header.ts';
import { Writer } from './writer.ts';

/** Serials are taken from nfio.json in blocks, so that most new objects need no write to it. */
const serialBlock = 4096;

/** State in a directory of plain files, one directory an object: `nf-types/firewall/fw-a/.record.json` beside its `config/`. */
export class FileStore implements StateStore {
  readonly mountId: string;
  readonly eventsPath: string;
  readonly warnings: string[] = [];
  readonly #root: string;
  readonly #lock: number | undefined;
  readonly #logger: Logger;
  readonly #writer: Writer;
  #serial: number;
  #header: RootHeader;
  /** What the journal says that the directories do not. */
  readonly #unfinished: Unfinished | undefined;
  /** False until the header on the disk says that serials from here on may be in use. */
  #isReserved = false;

  private constructor(
    root: string,
    options: { header: RootHeader; lock: number | undefined; logger: Logger; unfinished: Unfinished | undefined },
  ) {
    this.#root = root;
    this.#header = options.header;
    this.#writer = new Writer(root);
    this.#lock = options.lock;
    this.#logger = options.logger;
    this.#unfinished = options.unfinished;
    this.#serial = options.header.serialLimit;
    this.mountId = options.header.mountId;
    this.eventsPath = join(root, 'events.jsonl');
  }

  /**
   * Opens a root directory, or makes it.
   *
   * @param options.locked true when a parent process holds the lock already.
   * @throws StateInUseError, StateVersionError, StateWriteError
   */
  static async open(root: string, options: { readonly locked: boolean; readonly logger: Logger }): Promise<FileStore> {
    const lock = options.locked ? undefined : lockRoot(root);
    try {
      const { header, hasCopy, told } = await openRoot(root);
      const { unfinished, told: toldOfJournal } = recoverJournal(root);
      const store = new FileStore(root, { header, lock, logger: options.logger, unfinished });
      for (const sentence of [...told, ...toldOfJournal]) store.#warn(sentence);
      if (unfinished === undefined) await store.#prepareForChanges({ hasCopy });
      return store;
    } catch (error) {
      if (lock !== undefined) closeSync(lock);
      throw error;
    }
  }

  /** On a disk that takes nothing all is served as it is, and changes fail until it does. */
  async #prepareForChanges({ hasCopy }: { readonly hasCopy: boolean }): Promise<void> {
    const trash = join(this.#root, trashName);
    try {
      for (const name of await readdir(trash)) await this.#clear(join(trash, name));
      this.#reserveSerials();
      if (!hasCopy) writeHeaderCopy(this.#root, this.#header);
    } catch (error) {
      if (!(error instanceof NfioError) && errnoName(errnoOf(error)) === undefined) throw error;
      this.#warn(`${this.#root} is served as it is, and changes fail until it can be written: ${(error as Error).message}`);
    }
  }

  #warn(sentence: string): void {
    this.warnings.push(sentence);
    this.#logger.error(sentence);
  }

  #reserveSerials(): void {
    writeHeader(this.#root, { ...this.#header, serialLimit: this.#serial + serialBlock });
    this.#header = { ...this.#header, serialLimit: this.#serial };
    this.#isReserved = true;
  }

  async load(): Promise<readonly StoredRecord[]> {
    const found = await mapBounded(this.#keys(), async (key) => {
      const text = this.#unfinished?.texts.get(key);
      if (text !== undefined) return decodeRecord(text);
      const path = join(this.#root, key, recordName);
      const record = await loadRecord({ key, path }, () => this.#nextMadeUpSerial());
      if (record === undefined) this.#logger.error(`${path}: there is none, so its directory is left out. Restore it from a backup`);
      else if (record.unreadable !== undefined) this.#logger.error(this.#whyUnreadable(record));
      return record;
    });
    for (const name of unlessAbsent(() => readdirSync(join(this.#root, lostName))) ?? [])
      this.#logger.warn(whatWasLost(join(this.#root, lostName, name)));
    return found.filter((record) => record !== undefined);
  }

  /** Keys of all objects; types come before their VNFs. */
  #keys(): string[] {
    const keys = objectKeys(this.#root);
    if (this.#unfinished === undefined) return keys;
    const { texts, gone } = this.#unfinished;
    return [...new Set([...keys, ...texts.keys()])].filter((key) => !gone.has(key)).sort();
  }

  #whyUnreadable(record: StoredRecord): string {
    const path = join(this.#root, recordKey(record), recordName);
    return `${path} cannot be read (${record.unreadable}). Unmount, restore it from a backup, and mount again`;
  }

  /** What stands in for a record must never take its place. */
  #checkReadable(record: StoredRecord): void {
    if (record.unreadable !== undefined) throw new NfioError('StateWriteError', { message: this.#whyUnreadable(record) });
  }

  /** Of what is never written down: it needs no room. */
  #nextMadeUpSerial(): number {
    try {
      return this.nextSerial();
    } catch {
      this.#serial += 1;
      return this.#serial - 1;
    }
  }

  nextSerial(): number {
    // Half a block ahead of need, so that the header is durable long before its serials are used.
    if (!this.#isReserved || this.#serial >= this.#header.serialLimit + serialBlock / 2) this.#reserveSerials();
    const serial = this.#serial;
    this.#serial += 1;
    return serial;
  }

  async create(record: StoredRecord, files: NewFiles): Promise<void> {
    const { uid, gid } = record;
    const mtimeS = Math.floor(record.createdMs / 1000);
    const made = record.kind === 'vnf' ? { name: 'config', uid, gid, files, mtimeS } : null;
    await this.#writer.run({ ...put(record), made }, { durable: false });
    const lost = new ObjectFiles(this.#root).placeOfLost({ key: recordKey(record), serial: record.serial });
    if (isThere(lost)) this.#logger.warn(whatWasLost(lost));
  }

  async update(record: StoredRecord): Promise<void> {
    this.#checkReadable(record);
    await this.#writer.run(put(record));
  }

  async rename(from: StoredRecord, to: StoredRecord): Promise<void> {
    this.#checkReadable(from);
    const { serial } = from;
    const entry = { op: 'rename', key: recordKey(from), serial, to: recordKey(to), text: encodeRecord(to) } as const;
    await this.#writer.run(entry, { before: encodeRecord(from) });
  }

  async remove(record: StoredRecord): Promise<void> {
    this.#checkReadable(record);
    const { serial } = record;
    await this.#writer.run({ op: 'remove', key: recordKey(record), serial }, { before: encodeRecord(record) });
    await this.#clear(join(this.#root, trashName, String(serial)));
    await this.#clear(this.guestDir(serial));
    await this.#clear(`${this.guestDir(serial)}.log`); // of a failed activate
  }

  /** Frees the space of an object that is removed for good: that this fails, as while somebody uses a directory, takes nothing back. */
  async #clear(path: string): Promise<void> {
    try {
      await removeTree(path);
    } catch (error) {
      this.#logger.warn(`${path}: left behind by an object that is removed: ${(error as Error).message}. Run: rm -r ${path}`);
    }
  }

  sync(): Promise<void> {
    return this.#writer.sync();
  }

  configDir(record: StoredRecord): string {
    return `${this.#root}/${recordKey(record)}/config`;
  }

  guestDir(serial: number): string {
    return `${this.#root}/guests/${idOf(serial)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
    // Where the header cannot be written it goes on saying that more serials are in use than are.
    if (isThere(this.#root) && this.#isReserved) writeHeader(this.#root, { ...this.#header, serialLimit: this.#serial });
    if (this.#lock !== undefined) closeSync(this.#lock);
  }
}

function whatWasLost(path: string): string {
  if (path.endsWith(recordName)) return `${path}: a record that could not be written in its place. Once it is there, run: rm ${path}`;
  return `${path}: what was in the place of an object when that was made, whose record was lost. Copy what is wanted to its place, and run: rm -r ${path}`;
}

function put(record: StoredRecord): Extract<JournalEntry, { op: 'put' }> {
  return { op: 'put', key: recordKey(record), serial: record.serial, text: encodeRecord(record) };
}
