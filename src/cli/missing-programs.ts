import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequiredProgram } from '../domain/ports/hypervisor.ts';

/** Programs that are not on the PATH, and how to get them. */
export interface MissingPrograms {
  readonly names: readonly string[];
  /** A command. */
  readonly remedy: string;
}

/** Those of the programs that this machine has not; undefined when it has them all. */
export async function missingPrograms(required: readonly RequiredProgram[]): Promise<MissingPrograms | undefined> {
  const missing: RequiredProgram[] = [];
  for (const each of required) if (!(await isOnPath(each.program))) missing.push(each);
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map((each) => each.package))];
  return { names: missing.map(({ program }) => program), remedy: `apt-get install ${packages.join(' ')}` };
}

async function isOnPath(program: string): Promise<boolean> {
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    const there = await access(join(directory, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return true;
  }
  return false;
}
