import { lstatSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { runProgram } from '../network/index.ts';

/** How long a tree too deep for Node.js may take, milliseconds. */
const deepTreeMs = 120_000;

/**
 * Removes what a guest wrote, if there is anything. A guest can make directories below each other until their path is longer than any system call takes (PATH_MAX);
 * rm(1) goes from one to the next.
 *
 * @throws Error, also one of node:fs, when something is left.
 */
export async function removeTree(path: string): Promise<void> {
  // Most often there is nothing, which costs a tenth when it is not asked in a thread.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error;
    await removeDeepTree(path);
  }
}

async function removeDeepTree(path: string): Promise<void> {
  const argv = ['rm', '-r', '-f', '--one-file-system', '--', path] as const;
  const { exitCode, stderr } = await runProgram(argv, { signal: new AbortController().signal, timeoutMs: deepTreeMs });
  if (exitCode !== 0) throw new Error(stderr.trim().slice(0, 400));
}
