import { join } from 'node:path';
import { ResidentProgram } from '../../network/index.ts';
import { searchPath } from '../search-path.ts';

/** Beside this file in src/ and in dist/. */
const program = join(import.meta.dirname, 'guest-launcher.pl');

/**
 * The process that forks guests off. What it reports of one: `pid N`, then `ready N`, or `fail ERRNO STEP: WHY` with the number of what failed as in
 * errno(3), 0 for none.
 */
export class Launcher extends ResidentProgram {
  /** @param mountId For people who look at the list of processes. */
  constructor(mountId: string) {
    // What is bound at the start need not be looked up in each init (ld.so(8)); a guest's command gets an environment of its own.
    super(program, { title: `nfio-launcher ${mountId}`, env: { PATH: searchPath, LD_BIND_NOW: '1' } });
  }
}
