import { execFile } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How long a tree too deep for Node.js may take, milliseconds. */
const deepTreeMs = 120_000;

/**
 * Removes what an object held, if there is anything. Users make directories below each other until their path is longer than any system call takes (PATH_MAX); rm(1) goes
 * from one to the next.
 *
 * @throws Error, also one of node:fs, when something is left.
 */
export async function removeTree(path: string): Promise<void> {
  // Most often there is nothing, which costs a tenth when it is not asked in a thread.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error;
    await run('rm', ['-r', '-f', '--one-file-system', '--', path], { timeout: deepTreeMs });
  }
}
