import { closeSync, existsSync, mkdirSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../domain/ports/logger.ts';
import type { NewFiles, StateStore } from '../domain/ports/state.ts';
import { idOf, recordKey, type StoredRecord } from '../domain/records.ts';
import { type JournalEntry, journalName, readJournal } from './journal.ts';
import { recordName, trashName } from './object-files.ts';
import { decodeRecord, encodeRecord } from './record-codec.ts';
import { replay } from './replay.ts';
import { lockRoot, openRoot, type RootHeader, writeHeader } from './root-directory.ts';
import { Writer } from './writer.ts';

/** Serials are taken from nfio.json in blocks, so that most new objects need no write to it. */
const serialBlock = 4096;

/** State in a directory of plain files, one directory an object: `nf-types/firewall/fw-a/.record.json` beside its `config/`. */
export class FileStore implements StateStore {
  readonly mountId: string;
  readonly eventsPath: string;
  readonly #root: string;
  readonly #lock: number | undefined;
  readonly #logger: Logger;
  readonly #writer: Writer;
  #serial: number;
  #header: RootHeader;

  private constructor(root: string, options: { header: RootHeader; lock: number | undefined; logger: Logger }) {
    this.#root = root;
    this.#header = options.header;
    this.#writer = new Writer(root);
    this.#lock = options.lock;
    this.#logger = options.logger;
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
      const header = await openRoot(root);
      writeHeader(root, { ...header, serialLimit: header.serialLimit + serialBlock });
      replay(root, readJournal(join(root, journalName)));
      await rm(join(root, trashName), { recursive: true, force: true });
      mkdirSync(join(root, trashName), { mode: 0o700 });
      return new FileStore(root, { header, lock, logger: options.logger });
    } catch (error) {
      if (lock !== undefined) closeSync(lock);
      throw error;
    }
  }

  async load(): Promise<readonly StoredRecord[]> {
    const records: StoredRecord[] = [];
    for (const type of await readdir(join(this.#root, 'nf-types'))) {
      await this.#loadInto(records, `nf-types/${type}`);
      const children = await readdir(join(this.#root, 'nf-types', type), { withFileTypes: true });
      const vnfs = children.filter((child) => child.isDirectory() && !child.name.startsWith('.'));
      await Promise.all(vnfs.map((vnf) => this.#loadInto(records, `nf-types/${type}/${vnf.name}`)));
    }
    for (const kind of ['networks', 'hosts', 'chns']) {
      for (const name of await readdir(join(this.#root, kind))) await this.#loadInto(records, `${kind}/${name}`);
    }
    return records;
  }

  async #loadInto(records: StoredRecord[], key: string): Promise<void> {
    const path = join(this.#root, key, recordName);
    try {
      records.push(placed(decodeRecord(await readFile(path, 'utf8')), key));
    } catch (error) {
      this.#logger.error(`${path}: left out, restore it from a backup: ${(error as Error).message}`);
    }
  }

  nextSerial(): number {
    const serial = this.#serial;
    this.#serial += 1;
    // Half a block ahead of need, so that the header is durable long before its serials are used.
    if (this.#serial > this.#header.serialLimit + serialBlock / 2) {
      writeHeader(this.#root, { ...this.#header, serialLimit: this.#serial + serialBlock });
      this.#header = { ...this.#header, serialLimit: this.#serial };
    }
    return serial;
  }

  async create(record: StoredRecord, files: NewFiles): Promise<void> {
    const { uid, gid } = record;
    const made = record.kind === 'vnf' ? { name: 'config', uid, gid, files } : null;
    await this.#writer.run({ ...put(record), made }, { durable: false });
  }

  async update(record: StoredRecord): Promise<void> {
    await this.#writer.run(put(record));
  }

  async rename(from: StoredRecord, to: StoredRecord): Promise<void> {
    const { serial } = from;
    const entry = { op: 'rename', key: recordKey(from), serial, to: recordKey(to), text: encodeRecord(to) } as const;
    await this.#writer.run(entry, { before: encodeRecord(from) });
  }

  async remove(record: StoredRecord): Promise<void> {
    const { serial } = record;
    await this.#writer.run({ op: 'remove', key: recordKey(record), serial }, { before: encodeRecord(record) });
    await this.#clear(join(this.#root, trashName, String(serial)));
    await this.#clear(this.guestDir(serial));
    await this.#clear(`${this.guestDir(serial)}.log`); // of a failed activate
  }

  /** Frees the space of an object that is removed for good: that this fails, as while somebody uses a directory, takes nothing back. */
  async #clear(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
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
    if (existsSync(this.#root)) writeHeader(this.#root, { ...this.#header, serialLimit: this.#serial });
    if (this.#lock !== undefined) closeSync(this.#lock);
  }
}

function put(record: StoredRecord): Extract<JournalEntry, { op: 'put' }> {
  return { op: 'put', key: recordKey(record), serial: record.serial, text: encodeRecord(record) };
}

/** A record under the name of its directory: a crash in the middle of a rename leaves the old name in the record. */
function placed(record: StoredRecord, key: string): StoredRecord {
  const [, first = '', second] = key.split('/');
  return record.kind === 'vnf' ? { ...record, type: first, name: second ?? '' } : { ...record, name: first };
}
