import type { Processor } from './call-numbers.ts';
import { compile } from './compile.ts';
import { policyFor } from './policy.ts';

/** Few sets of capabilities are used, and compiling takes as long as a tenth of a start. */
const compiled = new Map<string, string>();

/**
 * What guests with these capabilities may ask of the kernel of this machine, as a program for seccomp(2).
 *
 * @param capabilities Lower case, without CAP_.
 * @returns It in hexadecimal, as guest-restriction.pl takes it.
 */
export function callFilter(capabilities: ReadonlySet<string>): string {
  const key = [...capabilities].sort().join(' ');
  const known = compiled.get(key);
  if (known !== undefined) return known;
  // required-programs.ts refuses other processors.
  const filter = Buffer.from(compile(policyFor(capabilities, process.arch as Processor))).toString('hex');
  compiled.set(key, filter);
  return filter;
}
