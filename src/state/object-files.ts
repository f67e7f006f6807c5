import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isThere } from '../errors/index.ts';
import { replaceFile, syncDirectory, syncFile, writeSoon } from './durable-file.ts';
import type { JournalEntry, UserDirectory } from './journal-entry.ts';
import { makeUserDirectory, restoreUserFiles, syncUserDirectory } from './new-user-files.ts';
import { readText } from './read-text.ts';

/** Name of an object's record in its directory. It begins with a dot, as no object's name can. */
export const recordName = '.record.json';

/** Where objects wait to be removed for good, and new ones to be put in place. */
export const trashName = 'trash';

/** Where what users put into a directory is kept that had lost its record and made room for a new object. */
export const lostName = 'lost';

/** The directories of a root's objects. Nothing here waits for the disk, except `sync`. */
export class ObjectFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Carries an entry out.
   *
   * @throws as node:fs does; then the record may be cut off, and a renamed object may have either name: the journal's inverse tells what to restore.
   */
  apply(entry: JournalEntry): void {
    switch (entry.op) {
      case 'put':
        if (entry.made === undefined) this.#overwrite(entry.key, entry.text);
        else this.#make(entry, entry.made);
        break;
      case 'rename':
        this.#rename(entry);
        break;
      case 'remove':
        renameSync(this.#path(entry.key), join(this.#root, trashName, String(entry.serial)));
    }
  }

  /** The text of a record, undefined when there is none. @throws as node:fs does: what cannot be read is not absent. */
  read(key: string): string | undefined {
    try {
      return readText(`${this.#path(key)}/${recordName}`);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** True when an object's directory is there. */
  exists(key: string): boolean {
    return isThere(this.#path(key));
  }

  /**
   * Makes a record, and its name, durable, with the files it was made with; one that has been removed or renamed meanwhile needs that no more.
   *
   * @throws as node:fs does. The kernel forgets what it could not write, and would say the next time that all is well: so it is written again.
   */
  sync(key: string, made?: UserDirectory | null): void {
    const path = this.#path(key);
    try {
      if (made !== undefined && made !== null) syncUserDirectory(join(path, made.name), made);
      syncFile(join(path, recordName));
      syncDirectory(path);
    } catch (error) {
      const text = this.read(key);
      if (text !== undefined) this.#overwrite(key, text);
      if (!isAbsent(error)) throw error;
    }
    syncDirectory(dirname(path));
  }

  /** After a loss of power a new object's directory may be there without what was put into it. Durable when it returns. */
  complete(key: string, made: UserDirectory): void {
    const path = join(this.#path(key), made.name);
    if (isThere(path)) restoreUserFiles(path, made);
    else makeUserDirectory(path, made);
    syncUserDirectory(path, made);
  }

  #rename({ key, to, text }: Extract<JournalEntry, { op: 'rename' }>): void {
    renameSync(this.#path(key), this.#path(to));
    try {
      this.#overwrite(to, text);
    } catch (error) {
      renameSync(this.#path(to), this.#path(key));
      throw error;
    }
  }

  /** In place, so that the file keeps its inode: the journal has the text should this be cut off. */
  #overwrite(key: string, text: string): void {
    const bytes = Buffer.from(text);
    const file = openSync(`${this.#path(key)}/${recordName}`, 'r+');
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, written);
      if (bytes.length < fstatSync(file).size) ftruncateSync(file, bytes.length);
    } finally {
      closeSync(file);
    }
  }

  /** Built aside, then put in place as a whole. */
  #make(entry: Extract<JournalEntry, { op: 'put' }>, userFiles: UserDirectory | null): void {
    const building = join(this.#root, trashName, `new-${entry.serial}`);
    try {
      mkdirSync(building, { recursive: true, mode: 0o755 });
      makeRecord(join(building, recordName), entry.text);
      if (userFiles !== null) makeUserDirectory(join(building, userFiles.name), userFiles);
      this.#putInPlace(building, entry);
    } catch (error) {
      rmSync(building, { recursive: true, force: true });
      throw error;
    }
  }

  /** A loss of power can leave a directory without its record, which nobody sees: it makes room. What users have put into it is kept. */
  #putInPlace(building: string, { key, serial }: Extract<JournalEntry, { op: 'put' }>): void {
    const path = this.#path(key);
    try {
      renameSync(building, path);
    } catch (error) {
      if (this.read(key) || !isThere(path)) throw error;
      renameSync(path, holdsFiles(path) ? this.#kept({ key, serial }) : join(this.#root, trashName, `old-${serial}`));
      renameSync(building, path);
    }
  }

  /** Keeps the text of a record that cannot be brought into its place, durably. @returns where. @throws as node:fs does. */
  keepRecord({ key, serial, text }: { readonly key: string; readonly serial: number; readonly text: string }): string {
    const path = `${this.#kept({ key, serial })}${recordName}`;
    replaceFile(path, text);
    syncDirectory(this.#root);
    return path;
  }

  /** Where what was in the place of an object was kept when that was made. */
  placeOfLost({ key, serial }: { readonly key: string; readonly serial: number }): string {
    return join(this.#root, lostName, `${key.replaceAll('/', '.')}-${serial}`);
  }

  #kept(made: { readonly key: string; readonly serial: number }): string {
    mkdirSync(join(this.#root, lostName), { recursive: true, mode: 0o700 });
    return this.placeOfLost(made);
  }

  #path(key: string): string {
    return `${this.#root}/${key}`;
  }
}

/** Whether anything but directories is in an object's directory, its record left out. */
function holdsFiles(path: string): boolean {
  return readdirSync(path, { withFileTypes: true }).some((entry) =>
    entry.isDirectory() ? holdsFiles(join(path, entry.name)) : entry.name !== recordName,
  );
}

function makeRecord(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    writeSoon(file, text);
  } finally {
    closeSync(file);
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
