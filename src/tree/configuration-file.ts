import { closeSync, constants, openSync, readSync } from 'node:fs';
import { mostConfigurationBytes } from '../domain/middlebox.ts';
import { isFile } from '../vfs/file-stats.ts';
import type { UserFiles } from '../vfs/user-files.ts';
import type { UserNode } from '../vfs/user-node.ts';
import type { ConfigurationFile } from './forwarded.ts';

/** Opens an open file again, to read: a descriptor that outlives the file's own. */
export function readable(fd: number): number {
  return openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** What an open file holds now, for the main thread. */
export function configurationOf(fd: number): ConfigurationFile {
  const opened = readable(fd);
  try {
    return { fd: opened, content: contentOf(opened) };
  } catch (error) {
    closeSync(opened);
    throw error;
  }
}

/** The like for a file that is not open; undefined for what is no regular file. */
export function configurationIn(users: UserFiles, node: UserNode): ConfigurationFile | undefined {
  if (!isFile(users.stat(node))) return undefined;
  const fd = users.open(node, constants.O_RDONLY);
  try {
    return configurationOf(fd);
  } finally {
    users.close(node, fd);
  }
}

/** From the beginning of the file, wherever the descriptor is. */
function contentOf(fd: number): Uint8Array {
  const most = mostConfigurationBytes + 1;
  const parts: Uint8Array[] = [];
  for (let at = 0; at < most; ) {
    const part = new Uint8Array(Math.min(65_536, most - at));
    const length = readSync(fd, part, 0, part.length, at);
    if (length === 0) break;
    parts.push(part.subarray(0, length));
    at += length;
  }
  return Uint8Array.from(Buffer.concat(parts));
}
