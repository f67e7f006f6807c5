import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Errno, type ErrnoName, errnoName, errnoOf, NfioError } from '../errors/index.ts';

/**
 * Replaces a file so that after a crash at any moment it has either its old content or the new one, whole:
 * temporary file, fsync, rename, fsync of the directory (rename(2), fsync(2)).
 *
 * @throws StateWriteError with the errno of the step that failed (ENOSPC, EDQUOT, EROFS, …); the old content stays.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.new`);
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw stateWriteError(path, error);
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(path, 'r');
    await directory.sync();
  } finally {
    await directory?.close();
  }
}

/** The error of a failed change below the root, with the errno that says why. */
export function stateWriteError(path: string, cause: unknown): NfioError {
  const errno: ErrnoName = errnoName(errnoOf(cause)) ?? 'EIO';
  const full = errnoOf(cause) === Errno.ENOSPC || errnoOf(cause) === Errno.EDQUOT;
  const remedy = full ? 'free space on the file system of the root directory' : 'see the cause in the daemon’s log';
  return new NfioError('StateWriteError', { message: `${path} could not be written (${errno}): ${remedy}`, errno, cause });
}
