import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Errno, type ErrnoName, errnoName, errnoOf, NfioError } from '../errors/index.ts';

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
  const remedy = full ? 'Free space on the file system of the root directory' : 'See why: tail daemon.log in the root directory';
  return new NfioError('StateWriteError', { message: `${path} could not be written (${errno}). ${remedy}`, errno, cause });
}
