import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from './durable-file.ts';
import type { JournalEntry, UserDirectory } from './journal.ts';

/** Name of an object's record in its directory. It begins with a dot, as no object's name can. */
export const recordName = '.record.json';

/** Where objects wait to be removed for good, and new ones to be put in place. */
export const trashName = 'trash';

/** The directories of a root's objects. Nothing here waits for the disk, except `sync`. */
export class ObjectFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Carries an entry out. @throws as node:fs does. */
  apply(entry: JournalEntry): void {
    switch (entry.op) {
      case 'put':
        if (entry.made === undefined) this.#overwrite(entry.key, entry.text);
        else this.#make(entry, entry.made);
        break;
      case 'rename':
        renameSync(this.#path(entry.key), this.#path(entry.to));
        this.#overwrite(entry.to, entry.text);
        break;
      case 'remove':
        renameSync(this.#path(entry.key), join(this.#root, trashName, String(entry.serial)));
    }
  }

  /** The text of a record, undefined when there is none. */
  read(key: string): string | undefined {
    try {
      return readFileSync(join(this.#path(key), recordName), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** Makes a record, and its name, durable; one that has been removed or renamed meanwhile needs that no more. */
  sync(key: string): void {
    try {
      syncFile(join(this.#path(key), recordName));
      syncDirectory(this.#path(key));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    syncDirectory(dirname(this.#path(key)));
  }

  /** After a loss of power a new object's directory may be there without what was put into it. */
  complete(key: string, userFiles: UserDirectory): void {
    const path = join(this.#path(key), userFiles.name);
    if (!existsSync(path)) makeUserDirectory(path, userFiles);
  }

  /** In place, so that the file keeps its inode: the journal has the text should this be cut off. */
  #overwrite(key: string, text: string): void {
    const bytes = Buffer.from(text);
    const file = openSync(join(this.#path(key), recordName), 'r+');
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, written);
      ftruncateSync(file, bytes.length);
    } finally {
      closeSync(file);
    }
  }

  /** Built aside, then put in place as a whole. */
  #make(entry: Extract<JournalEntry, { op: 'put' }>, userFiles: UserDirectory | null): void {
    const building = join(this.#root, trashName, `new-${entry.serial}`);
    try {
      mkdirSync(building, { recursive: true, mode: 0o755 });
      writeFileSync(join(building, recordName), entry.text, { mode: 0o600 });
      if (userFiles !== null) makeUserDirectory(join(building, userFiles.name), userFiles);
      this.#putInPlace(building, entry);
    } catch (error) {
      rmSync(building, { recursive: true, force: true });
      throw error;
    }
  }

  /** A loss of power can leave a directory without its record, which nobody sees: it makes room. */
  #putInPlace(building: string, { key, serial }: Extract<JournalEntry, { op: 'put' }>): void {
    if (!this.read(key) && existsSync(this.#path(key))) renameSync(this.#path(key), join(this.#root, trashName, `old-${serial}`));
    renameSync(building, this.#path(key));
  }

  #path(key: string): string {
    return join(this.#root, key);
  }
}

function makeUserDirectory(path: string, { uid, gid, files }: UserDirectory): void {
  mkdirSync(path, { mode: 0o755 });
  chownSync(path, uid, gid);
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, name), text, { mode: 0o644 });
    chownSync(join(path, name), uid, gid);
  }
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
