import type { Processor } from './call-numbers.ts';
import { compile } from './compile.ts';
import { policyFor } from './policy.ts';

/**
 * What guests with these capabilities may ask of the kernel of this machine, as a program for seccomp(2).
 *
 * @param capabilities Lower case, without CAP_.
 */
export function callFilter(capabilities: ReadonlySet<string>): Uint8Array {
  return compile(policyFor(capabilities, process.arch as Processor)); // required-programs.ts refuses others
}
