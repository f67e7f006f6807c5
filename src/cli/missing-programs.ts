import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequiredProgram } from '../domain/ports/hypervisor.ts';
import { searchPath } from '../hypervisor/search-path.ts';

/** Programs that are not on this machine, and how to get them. */
export interface MissingPrograms {
  readonly names: readonly string[];
  /** A command. */
  readonly remedy: string;
}

/** Those of the programs that this machine has not; undefined when it has them all. */
export async function missingPrograms(required: readonly RequiredProgram[]): Promise<MissingPrograms | undefined> {
  const missing: RequiredProgram[] = [];
  for (const each of required) if (!(await isInstalled(each.program))) missing.push(each);
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map((each) => each.package))];
  return { names: missing.map(({ program }) => program), remedy: `apt-get install ${packages.join(' ')}` };
}

/** Whether there is a program of this name. The PATH of ordinary users lacks the directories that most of nf.io's programs are in. */
export async function isInstalled(program: string): Promise<boolean> {
  for (const directory of new Set([...(process.env['PATH'] ?? '').split(':'), ...searchPath.split(':')])) {
    const there = await access(join(directory, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return true;
  }
  return false;
}
