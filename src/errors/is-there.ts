import { type PathLike, statSync } from 'node:fs';

/**
 * Whether there is a file at a path, links followed (stat(2)). Unlike existsSync of Node.js it does not take a failure to look for absence.
 *
 * @throws what stat(2) fails with, save ENOENT and ENOTDIR.
 */
export function isThere(path: PathLike): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
