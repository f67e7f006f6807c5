import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isThere } from '../errors/index.ts';

/**
 * Makes a directory, and those above it that are missing. Node's own way, `recursive`, tries for ever where a directory that is there takes none and says
 * ENOENT, as /proc does.
 *
 * @throws what mkdir(2) fails with; ENOTDIR where a file has the name.
 */
export function makeDirectory(path: string, mode: number): void {
  const above = dirname(path);
  if (above !== path && !isThere(above)) makeDirectory(above, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}
