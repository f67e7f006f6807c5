import { openSync, readdirSync, readFileSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';

const closeOnExec = 0o2000000; // O_CLOEXEC, as fdinfo shows it (asm-generic/fcntl.h)

/** What a child's descriptors are, from 0 on. */
export type Stdio = readonly ('ignore' | 'inherit' | 'ipc' | 'pipe' | number)[];

let inherited: { readonly descriptors: readonly number[]; readonly devNull: number } | undefined;

/**
 * Fills a child's descriptors up, with /dev/null, so that nothing this process inherited (a connection to the kernel, say) goes
 * on to it: node opens everything it opens itself with O_CLOEXEC, but leaves alone what it was started with.
 */
export function sealedStdio(stdio: Stdio): (Stdio[number] | undefined)[] {
  inherited ??= { descriptors: findInherited(), devNull: openSync('/dev/null', 'r+') };
  const { descriptors, devNull } = inherited;
  const last = Math.max(stdio.length - 1, ...descriptors);
  return Array.from({ length: last + 1 }, (_, fd) => stdio[fd] ?? (descriptors.includes(fd) ? devNull : undefined));
}

function findInherited(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && !isClosedOnExec(fd));
}

function isClosedOnExec(fd: number): boolean {
  const text = unlessAbsent(() => readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
  if (text === undefined) return true; // the directory that was being read
  const flags = /^flags:\t(\d+)$/m.exec(text)?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & closeOnExec) !== 0;
}
