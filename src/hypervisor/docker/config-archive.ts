import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { NfioError } from '../../errors/index.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';

/** More is no configuration. */
const maxBytes = 64 * 1024 * 1024;

const toRead = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file of a config directory. */
interface Entry {
  /** Below the directory. */
  readonly path: string;
  readonly stats: Stats;
  /** Of a file, until the next entry is asked for. */
  readonly file?: FileHandle;
  /** Of a link. */
  readonly target?: string;
}

/**
 * Text that changes when anything in a config directory does.
 *
 * @throws UnsupportedError (EFBIG) for a directory of more than 64 MiB.
 */
export async function configVersion(directory: string): Promise<string> {
  const lines: string[] = [];
  for await (const { path, stats } of entriesOf(directory)) {
    lines.push(`${path} ${stats.mode} ${stats.uid} ${stats.size} ${stats.mtimeMs} ${stats.ino}`);
  }
  return lines.join('\n');
}

/**
 * A config directory as a tar archive (tar(5), ustar), for an engine that does not see this machine's files. Links are archived, never followed; what is neither a
 * file, a directory nor a link is left out.
 *
 * @throws UnsupportedError (EFBIG) for a directory of more than 64 MiB.
 */
export async function configArchive(directory: string, target: string): Promise<Readable> {
  await configVersion(directory);
  return Readable.from(write(directory, target.replace(/^\//, '')));
}

async function* write(directory: string, target: string): AsyncGenerator<Uint8Array> {
  yield tarHeader({ path: `${target}/`, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeMs: 0 });
  for await (const { path, stats, file, target: leadsTo } of entriesOf(directory)) {
    const { uid, gid, mtimeMs } = stats;
    const base = { path: `${target}/${path}`, mode: stats.mode & 0o7777, uid, gid, mtimeMs };
    if (leadsTo !== undefined) yield tarHeader({ ...base, type: 'link', size: 0, target: leadsTo });
    else if (file === undefined) yield tarHeader({ ...base, path: `${base.path}/`, type: 'directory', size: 0 });
    else {
      const content = await file.readFile();
      yield tarHeader({ ...base, type: 'file', size: content.length });
      yield content;
      yield tarPadding(content.length);
    }
  }
  yield tarEnd;
}

async function* entriesOf(directory: string): AsyncGenerator<Entry> {
  let bytes = 0;
  for await (const entry of walk(directory, '')) {
    bytes += entry.file === undefined ? 0 : entry.stats.size;
    if (bytes > maxBytes) {
      throw new NfioError('UnsupportedError', {
        errno: 'EFBIG',
        message: 'config/ has more than 64 MiB, which is not copied to another machine',
      });
    }
    yield entry;
  }
}

/** The owner may put links in the places of directories meanwhile: each name is looked up in a descriptor of its directory. */
async function* walk(directory: string, below: string): AsyncGenerator<Entry> {
  await using opened = await open(directory, toRead | constants.O_DIRECTORY);
  for (const name of (await readdir(`/proc/self/fd/${opened.fd}`)).sort()) {
    const at = `/proc/self/fd/${opened.fd}/${name}`;
    const path = below === '' ? name : `${below}/${name}`;
    const stats = await lstat(at);
    if (stats.isSymbolicLink()) yield { path, stats, target: await readlink(at) };
    else if (stats.isDirectory()) {
      yield { path, stats };
      yield* walk(at, path);
    } else if (stats.isFile()) {
      await using file = await open(at, toRead);
      yield { path, stats: await file.stat(), file };
    }
  }
}
