import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { RequiredProgram } from '../../domain/ports/hypervisor.ts';
import { mayPass, NfioError } from '../../errors/index.ts';
import { searchPath } from '../search-path.ts';

/** What the driver runs, and the package that brings it. */
const programs: Readonly<Record<string, readonly string[]>> = {
  iproute2: ['ip', 'tc'],
  'util-linux': ['nsenter'],
  'perl-base': ['perl'],
  coreutils: ['env', 'mknod'],
};

/** Processors whose system calls guest-launcher.pl knows. */
const machines: readonly string[] = ['x64', 'arm64'];

/**
 * Checks that the programs are there.
 *
 * @throws UnsupportedError (EOPNOTSUPP) for a processor that guests cannot be started on.
 * @throws MissingToolError (EOPNOTSUPP) that says what to install.
 */
export function checkPrograms(path = searchPath): void {
  if (!machines.includes(process.arch)) {
    throw new NfioError('UnsupportedError', { message: `guests need an x86-64 or 64-bit ARM processor, not ${process.arch}` });
  }
  for (const [debianPackage, names] of Object.entries(programs)) {
    checkInstalled(
      names.map((program) => ({ program, package: debianPackage })),
      path,
    );
  }
}

/** Checks that these are there. @throws MissingToolError (EOPNOTSUPP) that says what to install. */
export function checkInstalled(required: readonly RequiredProgram[], path = searchPath): void {
  for (const { program, package: debianPackage } of required) {
    if (path.split(':').some((directory) => isExecutable(join(directory, program)))) continue;
    throw new NfioError('MissingToolError', { message: `guests need the program "${program}". Run: apt-get install ${debianPackage}` });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (mayPass(error)) throw error;
    return false;
  }
}
