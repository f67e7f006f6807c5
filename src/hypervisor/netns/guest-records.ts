import { closeSync, constants, ftruncateSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import type { PortSpec } from '../../domain/ports/network.ts';
import { isThere } from '../../errors/index.ts';
import type { ProcessId } from '../../network/index.ts';
import type { PrivateFile } from './guest-setup.ts';

/** What the driver must know of a guest to find it, stop it and clear it away after a restart of nf.io. */
export interface GuestRecord {
  /** Undefined: made, never started. */
  readonly process: ProcessId | undefined;
  readonly ports: readonly PortSpec[];
  /** True when boot.conf asked for everything a machine can do. */
  readonly privileged: boolean;
  readonly capabilities: readonly string[];
  /** What it had in /etc of its own at its last start. */
  readonly files?: readonly PrivateFile[];
  /** True when its ports are closed unless `openPorts` opened them. */
  readonly guarded?: boolean;
  /** Ids of those that are closed. */
  readonly closed?: readonly string[];
}

/** A line of the file. */
interface Line {
  readonly id: string;
  /** Absent: the guest is gone. */
  readonly record?: GuestRecord;
}

/** The file is written anew when it is larger, and as often as it doubles. Bytes. */
const leastLimit = 1024 * 1024;

/**
 * The records of all guests that were started, in one file: a line for each change, of which the last about a guest counts. It needs no fsync: after a
 * power loss there is no guest either. A change that is not written whole, on a full disk, leaves the file as it was.
 */
export class GuestRecords implements Disposable {
  readonly path: string;
  /** False when the file was not there or not all of it could be read: a guest without a record may have had one. */
  readonly isWhole: boolean;
  readonly #records: Map<string, GuestRecord>;
  #file: number | undefined;
  #size = 0;
  #limit = leastLimit;

  /** @param path The file; its directory need not be there before the first change. */
  constructor(path: string) {
    this.path = path;
    ({ records: this.#records, isWhole: this.isWhole } = readLines(path));
  }

  /** The record of a guest; undefined when it was never started. */
  get(id: string): GuestRecord | undefined {
    return this.#records.get(id);
  }

  /** Keeps a record. @throws as node:fs does. */
  put(id: string, record: GuestRecord): void {
    this.#append({ id, record });
    this.#records.set(id, record);
  }

  /** Keeps a record of which the file has none; the first change after this writes all of the file. */
  adopt(id: string, record: GuestRecord): void {
    this.#records.set(id, record);
  }

  /** Makes the file, before the first guest: that it is not there says later that it was lost. @throws as node:fs does. */
  make(): void {
    if (!isThere(this.path)) this.#rewrite();
  }

  /** Forgets a guest. @throws as node:fs does. */
  remove(id: string): void {
    if (!this.#records.has(id)) return;
    this.#append({ id });
    this.#records.delete(id);
  }

  #append(line: Line): void {
    if (this.#file === undefined || this.#size > this.#limit) this.#rewrite();
    const file = this.#file ?? -1;
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
      this.#size += bytes.length;
    } catch (error) {
      ftruncateSync(file, this.#size);
      throw error;
    }
  }

  /** What counts, and nothing else, in a new file. */
  #rewrite(): void {
    const text = [...this.#records].map(([id, record]) => `${JSON.stringify({ id, record })}\n`).join('');
    writeFileSync(`${this.path}.new`, text, { mode: 0o600 });
    const file = openSync(`${this.path}.new`, constants.O_WRONLY | constants.O_APPEND);
    renameSync(`${this.path}.new`, this.path);
    this[Symbol.dispose]();
    this.#file = file;
    this.#size = Buffer.byteLength(text);
    this.#limit = Math.max(leastLimit, 2 * this.#size);
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** A last line that is cut off was never confirmed, and is left out; any other that cannot be read costs what it says of one guest. */
function readLines(path: string): { readonly records: Map<string, GuestRecord>; readonly isWhole: boolean } {
  const records = new Map<string, GuestRecord>();
  let isWhole = true;
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    isWhole = false;
  }
  for (const line of text.split('\n').slice(0, -1)) {
    const read = readLine(line);
    if (read === undefined) isWhole = false;
    else if (read.record === undefined) records.delete(read.id);
    else records.set(read.id, read.record);
  }
  return { records, isWhole };
}

function readLine(line: string): Line | undefined {
  try {
    const { id, record } = JSON.parse(line) as Partial<Line>;
    const isGood = typeof id === 'string' && (record === undefined || (Array.isArray(record.ports) && Array.isArray(record.capabilities)));
    return isGood ? { id, ...(record !== undefined && { record }) } : undefined;
  } catch {
    return undefined;
  }
}
