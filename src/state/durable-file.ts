import { chownSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Errno, type ErrnoName, errnoName, errnoOf, NfioError } from '../errors/index.ts';

/** A new object's directory: built aside, then put in place as a whole. */
export interface NewDirectory {
  /** Where it is built; on the same file system. */
  readonly building: string;
  readonly target: string;
  readonly record: { readonly name: string; readonly text: string };
  /** A directory of user files in it, their owner, and the files that are there from the start. */
  readonly userFiles: UserDirectory | undefined;
  /** Directories elsewhere that belong to the object, made if they are not there. */
  readonly directories: readonly string[];
}

/** A directory of files that belong to a user. */
export interface UserDirectory {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Replaces a file so that after a crash at any moment it has either its old content or the new one, whole:
 * temporary file, fsync, rename, fsync of the directory (rename(2), fsync(2)).
 *
 * @throws as node:fs does; the old content stays.
 */
export function replaceFile(path: string, text: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.new`);
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      const bytes = Buffer.from(text);
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Makes a directory that after a crash is there as a whole, or not at all. @throws as node:fs does; nothing is left then. */
export function makeDirectory({ building, target, record, userFiles, directories }: NewDirectory): void {
  try {
    mkdirSync(building, { recursive: true, mode: 0o755 });
    for (const directory of directories) mkdirSync(directory, { recursive: true, mode: 0o755 });
    if (userFiles !== undefined) makeUserDirectory(join(building, userFiles.name), userFiles);
    replaceFile(join(building, record.name), record.text);
    renameSync(building, target);
    syncDirectory(dirname(target));
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    throw error;
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

/** Makes the names in a directory durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** The error of a failed change below the root, with the errno that says why. */
export function stateWriteError(path: string, cause: unknown): NfioError {
  const errno: ErrnoName = errnoName(errnoOf(cause)) ?? 'EIO';
  const full = errnoOf(cause) === Errno.ENOSPC || errnoOf(cause) === Errno.EDQUOT;
  const remedy = full ? 'free space on the file system of the root directory' : 'see the cause in the daemon’s log';
  return new NfioError('StateWriteError', { message: `${path} could not be written (${errno}): ${remedy}`, errno, cause });
}
