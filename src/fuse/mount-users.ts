import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The program, beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'mount-users.pl');

/** A process that is ending can keep its files from being looked at, milliseconds. */
const timeoutMs = 30_000;

/**
 * The processes that have something of a file system open, mapped, or as a directory they are in, whichever mount of it they came by and in
 * whatever mount namespace. Asks nothing of the file system. What only the kernel uses (a loop device, swap) is not found.
 *
 * @param device `MAJOR:MINOR`, as in mountinfo.
 * @returns their pids. Rejects when they cannot be looked for.
 */
export async function mountUsers(device: string): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('perl', [program, device], { cwd: '/', timeout: timeoutMs });
  return stdout.split('\n').filter(Boolean).map(Number);
}
