import type { StoredRecord } from '../records.ts';

/** Text of the user files that a new object has from the start, by name. */
export type NewFiles = Readonly<Record<string, string>>;

/** An object with nothing but its record. */
export const noContents: NewFiles = {};

/**
 * Where truth is kept. Made so that a backend shared by several machines fits: nothing here assumes a local
 * disk, and changes may come from elsewhere.
 */
export interface StateStore extends AsyncDisposable {
  /** Stable over restarts, `[a-z0-9]{8}`. */
  readonly mountId: string;
  /** What the user must know of how it was found, a sentence each: what was damaged, and that it cannot be written. */
  readonly warnings: readonly string[];
  /** Every record there is. */
  load(): Promise<readonly StoredRecord[]>;
  /** A serial that no object of this root has or had. */
  nextSerial(): number;
  /** Makes a new object with its directory of user files, all or nothing. Durable soon after it resolves, and before any later change is: see `sync`. */
  create(record: StoredRecord, files: NewFiles): Promise<void>;
  /** Replaces a record. Durable when it resolves. */
  update(record: StoredRecord): Promise<void>;
  /** Gives an object another name, with all its user files, atomically. */
  rename(from: StoredRecord, to: StoredRecord): Promise<void>;
  /** Removes an object and all its user files, atomically as seen after a crash. */
  remove(record: StoredRecord): Promise<void>;
  /** Resolves when everything there is now is durable, as fsync(2) of a directory does. */
  sync(): Promise<void>;
  /** Directory on this machine of an object's user files (config/ of a VNF). */
  configDir(record: StoredRecord): string;
  /** Directory on this machine that belongs to the hypervisor driver, for one guest; it survives a rename. */
  guestDir(serial: number): string;
  /** The file that holds the events. */
  readonly eventsPath: string;
}
