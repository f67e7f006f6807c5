import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunProfile } from '../domain/middlebox.ts';
import { NfioError } from '../errors/index.ts';

/** Where the machine's programs are; a daemon's PATH may lack the administrator's part. */
const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Checks that the programs a type needs are on this machine. @throws MissingToolError that names the package. */
export async function checkPrograms(profile: RunProfile | undefined): Promise<void> {
  for (const { program, package: name } of profile?.requires ?? []) {
    if (!(await isInstalled(program))) {
      throw new NfioError('MissingToolError', { message: `the program ${program} is not installed: apt-get install ${name}` });
    }
  }
}

async function isInstalled(program: string): Promise<boolean> {
  for (const directory of directories) {
    try {
      await access(join(directory, program), constants.X_OK);
      return true;
    } catch {
      // Not in this one.
    }
  }
  return false;
}
