import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The program, beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'mount-in-use.pl');
const timeoutMs = 10_000;
const inUse = 1;

/**
 * True when the kernel would refuse to unmount what is mounted there: some process has a file of it open, is in it, or something is
 * mounted below it. False when it would not, or cannot be asked. Needs root, and unmounts nothing.
 */
export async function mountInUse(mountpoint: string): Promise<boolean> {
  try {
    await promisify(execFile)('perl', [program, mountpoint], { cwd: '/', timeout: timeoutMs });
    return false;
  } catch (error) {
    return (error as { readonly code?: unknown }).code === inUse;
  }
}
