import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { appliedName, configurationName } from '../domain/configuration-names.ts';
import { O_PATH } from '../errors/index.ts';

/** The configuration that was applied last, undefined when there was none. The directory belongs to the VNF's owner: no link in it is followed. */
export function readApplied(configDir: string): string | undefined {
  const directory = openedDirectory(configDir);
  if (directory === undefined) return undefined;
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = unlessAbsent(() => openSync(`/proc/self/fd/${directory}/${configurationName}`, flags));
    return file === undefined ? undefined : readAndClose(file);
  } finally {
    closeSync(directory);
  }
}

function readAndClose(file: number): string | undefined {
  try {
    return fstatSync(file).isFile() ? readFileSync(file, 'utf8') : undefined;
  } finally {
    closeSync(file);
  }
}

/**
 * Shows what was applied: whole, for its owner to read. When that fails (a full disk) nothing is shown: what ran before would be applied again for what runs.
 * Throws as node:fs does where the owner has put something else in the place of the directory.
 */
export function writeApplied(configDir: string, text: string): void {
  const { uid, gid } = makeDirectory(configDir);
  const directory = openDirectory(configDir);
  try {
    const at = `/proc/self/fd/${directory}`;
    const temporary = `${at}/.${randomBytes(6).toString('hex')}`;
    try {
      writeFileSync(temporary, text, { flag: 'wx', mode: 0o444 });
      chownSync(temporary, uid, gid);
      renameSync(temporary, `${at}/${configurationName}`);
    } catch (error) {
      unlinkIfThere(temporary);
      unlinkIfThere(`${at}/${configurationName}`);
      throw error;
    }
  } finally {
    closeSync(directory);
  }
}

/** Nothing was applied. */
export function removeApplied(configDir: string): void {
  const directory = openedDirectory(configDir);
  if (directory === undefined) return;
  try {
    unlinkIfThere(`/proc/self/fd/${directory}/${configurationName}`);
  } finally {
    closeSync(directory);
  }
}

/** @returns the owner of config/, whose files these are. */
function makeDirectory(configDir: string): { readonly uid: number; readonly gid: number } {
  const parent = openSync(configDir, O_PATH | constants.O_DIRECTORY);
  try {
    const { uid, gid } = fstatSync(parent);
    const path = `/proc/self/fd/${parent}/${appliedName}`;
    try {
      mkdirSync(path, 0o755);
      chownSync(path, uid, gid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    return { uid, gid };
  } finally {
    closeSync(parent);
  }
}

function openDirectory(configDir: string): number {
  return openSync(join(configDir, appliedName), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

function openedDirectory(configDir: string): number | undefined {
  return unlessAbsent(() => openDirectory(configDir));
}

function unlinkIfThere(path: string): void {
  unlessAbsent(() => unlinkSync(path));
}

/** Undefined where there is nothing, or the owner has put something else there. */
function unlessAbsent<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
