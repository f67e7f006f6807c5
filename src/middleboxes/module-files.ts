import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoName, errnoOf, NfioError } from '../errors/index.ts';

/** A module's file, as it is now. */
export interface ModuleSource {
  readonly type: string;
  readonly path: string;
  /** Differs whenever the file does. */
  readonly version: string;
}

/** Endings of module files, in the order in which they are looked for. */
const endings = ['.ts', '.mjs', '.js'] as const;

/**
 * The file of a type in a module root, undefined when there is none. Only regular files count: a link could lead out of the root.
 *
 * @throws MalformedModuleError when it is a link, a directory or the like; BrokenModuleError when the root cannot be read.
 */
export async function findModuleFile(root: string, type: string): Promise<ModuleSource | undefined> {
  if (type.includes('/') || type.startsWith('.')) return undefined;
  for (const ending of endings) {
    const path = join(root, `${type}${ending}`);
    const stats = await statsOf(path);
    if (stats === undefined) continue;
    if (!stats.isFile()) {
      throw new NfioError('MalformedModuleError', {
        message: `${path} is not a regular file. Put the module itself there, not a link to it`,
      });
    }
    return { type, path, version: `${stats.ino}-${stats.size}-${stats.mtimeNs}` };
  }
  return undefined;
}

/** The types that have a file in a module root, with that file. */
export async function listModuleFiles(root: string): Promise<{ readonly type: string; readonly path: string }[]> {
  const found = new Map<string, string>();
  const names = await readdir(root).catch((cause: unknown) => {
    throw unreadable(root, cause);
  });
  for (const ending of endings) {
    for (const name of names.filter((each) => each.endsWith(ending) && !each.endsWith(`.d${ending}`))) {
      const type = name.slice(0, -ending.length);
      if (/^[a-z0-9][a-z0-9_.-]{0,62}$/.test(type) && !found.has(type)) found.set(type, join(root, name));
    }
  }
  return [...found].map(([type, path]) => ({ type, path }));
}

async function statsOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  return new NfioError('BrokenModuleError', { message: `${path} cannot be read (${errno}). Check it: ls -l ${path}`, cause });
}
