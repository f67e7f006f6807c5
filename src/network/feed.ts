import { Readable, type Writable } from 'node:stream';
import type { ProgramInput } from '../domain/ports/hypervisor.ts';

/** Gives a program its input, whole or as it comes, and then the end of it. A stream that breaks is the caller's to notice. */
export function feed(program: Writable, input: ProgramInput): void {
  if (typeof input === 'string' || input instanceof Uint8Array) program.end(input);
  else Readable.from(input).pipe(program);
}
