import { closeSync, constants, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type ErrnoName, errnoName, errnoOf, NfioError } from '../errors/index.ts';

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

/** Writes over a file that must stay the same one, for its lock: a crash may cut it off. Durable when it returns. @throws as node:fs does */
export function overwriteFile(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    writeFileSync(file, text);
    ftruncateSync(file, Buffer.byteLength(text));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a new file, and has the disk begin with it when it is closed, which nobody waits for: ext4 does so for a file that was truncated, and would otherwise
 * begin at the fsync(2) of each file, one after another (`auto_da_alloc` in ext4(5)).
 */
export function writeSoon(file: number, text: string): void {
  ftruncateSync(file, 0);
  writeFileSync(file, text);
}

/** Makes the names in a directory durable. */
export function syncDirectory(path: string): void {
  syncFile(path);
}

/** Makes a file durable. */
export function syncFile(path: string): void {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Whether a change failed because its file system takes nothing now: it is full, or can only be read. */
export function takesNothing(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether a change failed because of what is at its own place, whatever becomes of others: a directory where a file should be, or one that is immutable. */
export function isOfOnePlace(error: unknown): boolean {
  return ['EISDIR', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EPERM', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** The error of a failed change below the root, with the errno that says why. */
export function stateWriteError(path: string, cause: unknown): NfioError {
  const errno: ErrnoName = errnoName(errnoOf(cause)) ?? 'EIO';
  const remedies: Partial<Record<ErrnoName, string>> = {
    ENOSPC: 'Free space, or inodes (df -i), on the file system of the root directory',
    EDQUOT: 'Free space on the file system of the root directory, or raise the quota of root',
    EROFS: 'It can only be read. See why: dmesg. Then mount it for writing again: mount -o remount,rw',
    EIO: 'The disk fails. See why: dmesg',
    EPERM: `Something there, or the journal of the root directory, is immutable. See what: lsattr -Ra ${path}`,
  };
  const remedy = remedies[errno] ?? `Something there, or in the root directory, is not what it should be. See what: ls -la ${path}`;
  return new NfioError('StateWriteError', { message: `${path} could not be written (${errno}). ${remedy}`, errno, cause });
}
