import { constants } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { NfioError } from '../../errors/index.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';

/** More is no configuration. */
const maxBytes = 64 * 1024 * 1024;

/** A file of a config directory. */
interface Entry {
  /** Below the directory. */
  readonly path: string;
  readonly stats: Awaited<ReturnType<typeof lstat>>;
}

/**
 * Text that changes when anything in a config directory does.
 *
 * @throws UnsupportedError (EFBIG) for a directory of more than 64 MiB.
 */
export async function configVersion(directory: string): Promise<string> {
  const entries = await list(directory, '');
  return entries.map(({ path, stats }) => `${path} ${stats.mode} ${stats.uid} ${stats.size} ${stats.mtimeMs} ${stats.ino}`).join('\n');
}

/**
 * A config directory as a tar archive (tar(5), ustar), for an engine that does not see this machine's files. Links are archived, never followed; what is neither a
 * file, a directory nor a link is left out.
 */
export async function configArchive(directory: string, target: string): Promise<Readable> {
  const entries = await list(directory, '');
  return Readable.from(write(directory, target.replace(/^\//, ''), entries));
}

async function* write(directory: string, target: string, entries: readonly Entry[]): AsyncGenerator<Uint8Array> {
  yield tarHeader({ path: `${target}/`, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeMs: 0 });
  for (const { path, stats } of entries) {
    const base = {
      path: `${target}/${path}`,
      mode: Number(stats.mode) & 0o7777,
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeMs: Number(stats.mtimeMs),
    };
    if (stats.isDirectory()) yield tarHeader({ ...base, path: `${base.path}/`, type: 'directory', size: 0 });
    else if (stats.isSymbolicLink()) yield tarHeader({ ...base, type: 'link', size: 0, target: await readlink(join(directory, path)) });
    else yield* fileBytes(join(directory, path), base);
  }
  yield tarEnd;
}

async function* fileBytes(path: string, base: Omit<Parameters<typeof tarHeader>[0], 'type' | 'size'>): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const content = await file.readFile();
    yield tarHeader({ ...base, type: 'file', size: content.length });
    yield content;
    yield tarPadding(content.length);
  } finally {
    await file.close();
  }
}

async function list(directory: string, below: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  let bytes = 0;
  const pending = [below];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const name of (await readdir(join(directory, at))).sort()) {
      const path = at === '' ? name : `${at}/${name}`;
      const stats = await lstat(join(directory, path));
      if (!stats.isDirectory() && !stats.isFile() && !stats.isSymbolicLink()) continue;
      entries.push({ path, stats });
      if (stats.isDirectory()) pending.push(path);
      bytes += stats.isFile() ? stats.size : 0;
      if (bytes > maxBytes) {
        throw new NfioError('UnsupportedError', {
          errno: 'EFBIG',
          message: 'config/ has more than 64 MiB, which is not copied to another machine',
        });
      }
    }
  }
  return entries;
}
