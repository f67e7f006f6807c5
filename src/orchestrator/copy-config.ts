import { chownSync, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { chmod, copyFile, type FileHandle, lchown, lstat, mkdir, open, readdir, readlink, symlink } from 'node:fs/promises';
import { NfioError, O_PATH } from '../errors/index.ts';

const toRead = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const toMake = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/**
 * Copies what users put into a config/, each file with its owner. Links are copied as links: they are the guest's to follow. FIFOs and sockets are left out: they
 * are for the processes that made them.
 *
 * The owner can rename what is in both directories meanwhile, and put links there: each name is looked up in a descriptor of its directory, and content and
 * owner come from one descriptor of the file.
 *
 * @param to an empty directory. Until the copy is made root alone can reach it.
 * @throws BusyError when files were replaced while they were copied.
 */
export async function copyConfig(from: string, to: string): Promise<void> {
  await lchown(to, 0, 0);
  await chmod(to, 0o700);
  await copyDirectory(from, to);
}

async function copyDirectory(from: string | Buffer, to: string | Buffer): Promise<void> {
  await using source = await open(from, toRead | constants.O_DIRECTORY).catch(replaced);
  await using copy = await open(to, toRead | constants.O_DIRECTORY).catch(replaced);
  if ((await readdir(pathOf(copy))).length > 0) replaced(undefined);
  for (const name of await readdir(pathOf(source), { encoding: 'buffer' })) {
    const [one, other] = [source, copy].map((directory) => Buffer.concat([Buffer.from(`${pathOf(directory)}/`), name]));
    await copyEntry(one as Buffer, other as Buffer);
  }
  await giveLike(source, copy);
}

async function copyEntry(from: Buffer, to: Buffer): Promise<void> {
  const stats = await lstat(from).catch(replaced);
  if (stats.isSymbolicLink()) {
    await symlink(await readlink(from, { encoding: 'buffer' }).catch(replaced), to);
    giveLink(to, stats);
  } else if (stats.isFile()) await copyFileOf(from, to);
  else if (stats.isDirectory()) {
    await mkdir(to, 0o700);
    await copyDirectory(from, to);
  }
}

async function copyFileOf(from: Buffer, to: Buffer): Promise<void> {
  await using source = await open(from, toRead).catch(replaced);
  if (!(await source.stat()).isFile()) replaced(undefined);
  await using copy = await open(to, toMake, 0o600).catch(replaced);
  await copyFile(pathOf(source), pathOf(copy));
  await giveLike(source, copy);
}

async function giveLike(source: FileHandle, copy: FileHandle): Promise<void> {
  const { uid, gid, mode } = await source.stat();
  await copy.chown(uid, gid);
  await copy.chmod(mode & 0o7777);
}

/** A link has no descriptor to read or write by, but one that names it. */
function giveLink(path: Buffer, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  const link = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(link).isSymbolicLink()) replaced(undefined);
    chownSync(`/proc/self/fd/${link}`, uid, gid);
  } finally {
    closeSync(link);
  }
}

function pathOf({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`;
}

/** What was there a moment ago is gone, or another kind of file. */
function replaced(cause: unknown): never {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'ENOENT';
  if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EEXIST', 'ENXIO', 'EINVAL'].includes(code)) throw cause;
  throw new NfioError('BusyError', { message: 'files in config/ were replaced while they were copied. Try again', cause });
}
