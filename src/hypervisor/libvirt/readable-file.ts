import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type ErrnoName, errnoName, errnoOf, NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';

/** As many links as the kernel follows, path_resolution(7). */
const mostLinks = 40;

/** How long copying an image may take, milliseconds. */
const copyTimeoutMs = 600_000;

const remedy = 'Fix: name a file that all may read, or copy this one to where it is';

/**
 * What is at a path that a user has named for QEMU to read. QEMU runs as a user of its own, so everyone must be allowed to read it: then nobody can have it read a file
 * that they could not read themselves. It is looked for as such a user would: from the outermost directory, never in one that is closed, so that nobody is told what is there.
 *
 * @throws VNFDeployError with ENOENT for what is missing, EACCES for what not all may read, EINVAL for what is no file.
 */
export async function statReadable(path: string): Promise<Stats> {
  if (!isAbsolute(path)) throw refused('EINVAL', `${path} is not an absolute path: vm.image is a file or a directory of this machine`);
  const found = await follow(path, { shown: path, links: 0 });
  if (found.isDirectory()) return found;
  if (!found.isFile()) throw refused('EINVAL', `${path} is neither a file nor a directory`);
  if ((found.mode & constants.S_IROTH) === 0) throw refused('EACCES', `${path} is not readable for everyone, as QEMU needs it. ${remedy}`);
  return found;
}

/**
 * Opens a file as statReadable finds it: not what somebody puts in its place meanwhile.
 *
 * @throws VNFDeployError as statReadable does, and with EINVAL for a directory, EAGAIN when it was exchanged.
 */
export async function openReadable(path: string): Promise<FileHandle> {
  const found = await statReadable(path);
  if (!found.isFile()) throw refused('EINVAL', `${path} is a directory, not a file`);
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch((cause: unknown) => {
    throw refused(errnoName(errnoOf(cause)) ?? 'EIO', `${path} cannot be opened`, cause);
  });
  const { dev, ino } = await file.stat();
  if (dev === found.dev && ino === found.ino) return file;
  await file.close();
  throw refused('EAGAIN', `${path} was replaced while it was looked at. Try again`);
}

/** Bits of a mode that let others than the owner write. */
const othersWrite = constants.S_IWGRP | constants.S_IWOTH;
/** Of a directory in which each removes only what is their own (S_ISVTX, inode(7)). */
const sticky = 0o1000;

/** True for a path without links at which root alone decides what there is. */
export async function isRoots(path: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    const found = await lstat(at);
    const isShared = (found.mode & othersWrite) !== 0 && !(found.isDirectory() && at !== path && (found.mode & sticky) !== 0);
    if (found.uid !== 0 || found.isSymbolicLink() || isShared) return false;
    if (at === '/') return true;
  }
}

/**
 * Copies a file that everyone may read, as it is now. Holes stay holes, and where the disk can share blocks it does.
 *
 * @throws as openReadable does; VNFDeployError with what cp(1) said.
 */
export async function copyReadable(path: string, to: string, signal: AbortSignal): Promise<void> {
  const file = await openReadable(path);
  try {
    const from = `/proc/${process.pid}/fd/${file.fd}`;
    const argv = ['cp', '--reflink=auto', '--sparse=always', '--no-preserve=mode', '--', from, to] as const;
    const { exitCode, stderr } = await runProgram(argv, { signal, timeoutMs: copyTimeoutMs });
    if (exitCode !== 0) throw refused('EIO', `${path} could not be copied: ${stderr.trim()}`);
  } finally {
    await file.close();
  }
}

/** An error about an image. */
export function refused(errno: ErrnoName, message: string, cause?: unknown): NfioError {
  return new NfioError('VNFDeployError', { errno, message: `image: ${message}`, ...(cause === undefined ? {} : { cause }) });
}

/** What a path leads to, behind all its links, each directory on the way being one that everyone may pass. */
async function follow(path: string, way: { readonly shown: string; readonly links: number }): Promise<Stats> {
  let at = '/';
  const names = path.split('/').filter((name) => name !== '');
  for (const [index, name] of names.entries()) {
    if (((await look(at, way.shown)).mode & constants.S_IXOTH) === 0)
      throw refused('EACCES', `QEMU's user cannot pass ${at}, on the way to ${way.shown}. ${remedy}`);
    const next = join(at, name);
    if ((await look(next, way.shown)).isSymbolicLink()) {
      if (way.links === mostLinks) throw refused('ELOOP', `${way.shown} leads through more than ${mostLinks} links`);
      const rest = names.slice(index + 1).join('/');
      return follow(resolve(dirname(next), await readlink(next), rest), { ...way, links: way.links + 1 });
    }
    at = next;
  }
  return look(at, way.shown);
}

async function look(path: string, shown: string): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (cause) {
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw refused(errno, `${shown} ${errno === 'ENOENT' ? 'does not exist' : `cannot be read (${errno})`}`, cause);
  }
}
