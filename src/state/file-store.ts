import { closeSync, existsSync, mkdirSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '../domain/ports/logger.ts';
import type { NewContents, StateStore } from '../domain/ports/state.ts';
import { idOf, recordKey, type StoredRecord } from '../domain/records.ts';
import { stateWriteError, syncDirectory } from './durable-file.ts';
import { decodeRecord, encodeRecord } from './record-codec.ts';
import { lockRoot, openRoot, type RootHeader, writeHeader } from './root-directory.ts';
import { Writer } from './writer.ts';

/** Name of an object's record in its directory. It begins with a dot, as no object's name can. */
const recordName = '.record.json';

/** Serials are taken from nfio.json in blocks, so that most new objects need no write to it. */
const serialBlock = 4096;

/** One record's writes, one after another; of those that wait only the newest is written. */
interface Writing {
  running: Promise<void>;
  next: { record: StoredRecord; done: PromiseWithResolvers<void> } | undefined;
}

/** State in a directory of plain files, one directory an object: `nf-types/firewall/fw-a/.record.json` beside its `config/`. */
export class FileStore implements StateStore {
  readonly mountId: string;
  readonly eventsPath: string;
  readonly #root: string;
  readonly #lock: number | undefined;
  readonly #logger: Logger;
  readonly #writer = new Writer();
  readonly #writing = new Map<string, Writing>();
  #serial: number;
  #header: RootHeader;

  private constructor(root: string, options: { header: RootHeader; lock: number | undefined; logger: Logger }) {
    this.#root = root;
    this.#header = options.header;
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
      await rm(join(root, 'trash'), { recursive: true, force: true });
      mkdirSync(join(root, 'trash'), { mode: 0o700 });
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
    for (const network of await readdir(join(this.#root, 'networks'))) await this.#loadInto(records, `networks/${network}`);
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

  create(record: StoredRecord, contents: NewContents): Promise<void> {
    const { uid, gid } = record;
    const directory = {
      building: join(this.#root, 'trash', `new-${idOf(record.serial)}`),
      target: join(this.#root, recordKey(record)),
      record: { name: recordName, text: encodeRecord(record) },
      userFiles: record.kind === 'vnf' ? { name: 'config', uid, gid, files: contents.files } : undefined,
      directories: contents.directories,
    };
    return this.#writer.run({ kind: 'make', directory });
  }

  update(record: StoredRecord): Promise<void> {
    const key = recordKey(record);
    const writing = this.#writing.get(key);
    if (writing === undefined) {
      const started: Writing = { running: Promise.resolve(), next: undefined };
      this.#writing.set(key, started);
      started.running = this.#write(key, record);
      return started.running;
    }
    writing.next ??= { record, done: Promise.withResolvers<void>() };
    writing.next.record = record;
    return writing.next.done.promise;
  }

  async #write(key: string, record: StoredRecord): Promise<void> {
    try {
      await this.#writer.run({ kind: 'replace', path: join(this.#root, key, recordName), text: encodeRecord(record) });
    } finally {
      this.#writeNext(key);
    }
  }

  #writeNext(key: string): void {
    const writing = this.#writing.get(key);
    const next = writing?.next;
    if (writing === undefined || next === undefined) {
      this.#writing.delete(key);
      return;
    }
    writing.next = undefined;
    writing.running = this.#write(key, next.record);
    writing.running.then(next.done.resolve, next.done.reject);
  }

  async rename(from: StoredRecord, to: StoredRecord): Promise<void> {
    await this.#settle(recordKey(from));
    await rename(join(this.#root, recordKey(from)), join(this.#root, recordKey(to))).catch((error: unknown) => {
      throw stateWriteError(recordKey(to), error);
    });
    await this.update(to);
    syncDirectory(dirname(join(this.#root, recordKey(to))));
  }

  async remove(record: StoredRecord): Promise<void> {
    const key = recordKey(record);
    await this.#settle(key);
    const doomed = join(this.#root, 'trash', idOf(record.serial));
    try {
      await rename(join(this.#root, key), doomed);
      syncDirectory(dirname(join(this.#root, key)));
    } catch (error) {
      throw stateWriteError(key, error);
    }
    await rm(doomed, { recursive: true, force: true });
    await rm(this.guestDir(record.serial), { recursive: true, force: true });
  }

  async #settle(key: string): Promise<void> {
    for (let writing = this.#writing.get(key); writing !== undefined; writing = this.#writing.get(key)) {
      await (writing.next?.done.promise ?? writing.running).catch(() => undefined);
    }
  }

  configDir(record: StoredRecord): string {
    return join(this.#root, recordKey(record), 'config');
  }

  guestDir(serial: number): string {
    return join(this.#root, 'guests', idOf(serial));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of [...this.#writing.keys()]) await this.#settle(key);
    await this.#writer[Symbol.asyncDispose]();
    if (existsSync(this.#root)) writeHeader(this.#root, { ...this.#header, serialLimit: this.#serial });
    if (this.#lock !== undefined) closeSync(this.#lock);
  }
}

/** A record under the name of its directory: a crash in the middle of a rename leaves the old name in the record. */
function placed(record: StoredRecord, key: string): StoredRecord {
  const [, first = '', second] = key.split('/');
  return record.kind === 'vnf' ? { ...record, type: first, name: second ?? '' } : { ...record, name: first };
}
