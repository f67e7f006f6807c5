import {
  chownSync,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isAbsence } from '../errors/index.ts';
import { syncDirectory, syncFile, writeSoon } from './durable-file.ts';
import type { UserDirectory } from './journal-entry.ts';

/** A file that is a link or a directory by now is another's. */
const notOurs = ['ELOOP', 'EISDIR', 'ENOTDIR'];

/**
 * Makes the directory of user files that an object has from the start. Nothing waits for the disk: ext4 may have an empty file after a loss of power, whose text
 * the journal has until `syncUserDirectory`.
 */
export function makeUserDirectory(path: string, directory: UserDirectory): void {
  const { uid, gid, files } = directory;
  mkdirSync(path, { mode: 0o700 }); // its owner's alone: configurations hold passwords and keys
  chownSync(path, uid, gid);
  for (const [name, text] of Object.entries(files)) makeFile(join(path, name), text, directory);
}

/** Gives files their first text again that a loss of power emptied. Who writes or truncates one changes its mtime: those are left. */
export function restoreUserFiles(path: string, { files, mtimeS }: UserDirectory): void {
  for (const [name, text] of Object.entries(files)) if (mtimeS !== undefined) unlessGone(() => restore(join(path, name), text, mtimeS));
}

/** Makes durable what a user directory was made with. */
export function syncUserDirectory(path: string, { files }: UserDirectory): void {
  for (const name of Object.keys(files)) unlessGone(() => syncFile(join(path, name)));
  unlessGone(() => syncDirectory(path));
}

function makeFile(path: string, text: string, { uid, gid, mtimeS }: UserDirectory): void {
  const file = openSync(path, 'wx', 0o644);
  try {
    writeSoon(file, text);
    fchownSync(file, uid, gid);
    if (mtimeS !== undefined) futimesSync(file, mtimeS, mtimeS);
  } finally {
    closeSync(file);
  }
}

function restore(path: string, text: string, mtimeS: number): void {
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.mtimeMs !== mtimeS * 1000 || readFileSync(file, 'utf8') === text) return;
    writeFileSync(`/proc/self/fd/${file}`, text);
    futimesSync(file, mtimeS, mtimeS);
  } finally {
    closeSync(file);
  }
}

function unlessGone(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isAbsence(error) && !notOurs.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
