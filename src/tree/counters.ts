import { closeSync, openSync, readSync } from 'node:fs';
import { mirrored, netDevColumns } from '../domain/net-dev.ts';
import type { CounterSource } from '../domain/ports/hypervisor.ts';
import { isAbsence, unlessAbsent } from '../errors/index.ts';

type ProcfsSource = Extract<CounterSource, { kind: 'procfs' }>;

/** Shorter than a page by more than a line. */
const shortRead = 2048;

const space = 32;

/** USER_HZ is 100 on all of Linux (proc_pid_stat(5)). */
const tickUsec = 10_000;

/** Large enough for /proc/PID/net/dev with 500 interfaces; what is longer is read in further steps. */
let scratch = Buffer.allocUnsafe(64 * 1024);

/**
 * Reads one counter of a guest where the kernel keeps it.
 *
 * @param counter file name in stats/ or a port's directory.
 * @param interfaceName count only this interface; undefined: all but lo.
 * @returns the number, undefined when the guest (or the interface) is gone.
 */
export function readCounter(source: ProcfsSource, counter: string, interfaceName?: string): number | undefined {
  if (counter === 'cpu_usec') return source.cpuPath === undefined ? undefined : cpuUsec(source.cpuPath);
  if (counter === 'memory_bytes') return source.memoryPath === undefined ? undefined : leadingNumber(source.memoryPath);
  const length = readWhole(source.netDevPath);
  if (length === undefined) return undefined;
  const count = countNow(length, source, { counter, interfaceName });
  return interfaceName === undefined && count !== undefined ? count + pastCount(length, source, counter) : count;
}

/** What the interfaces that are there have counted. */
function countNow(
  length: number,
  { farEnds }: ProcfsSource,
  { counter, interfaceName }: { readonly counter: string; readonly interfaceName: string | undefined },
): number | undefined {
  if (farEnds !== undefined) {
    const names = interfaceName === undefined ? Object.values(farEnds) : [farEnds[interfaceName]];
    return sumInterfaces(length, { wanted: netDevColumns[mirrored[counter] ?? counter] ?? [], all: interfaceName === undefined }, (name) =>
      names.includes(name),
    );
  }
  const counts = (name: string): boolean => (interfaceName === undefined ? name !== 'lo' : name === interfaceName);
  return sumInterfaces(length, { wanted: netDevColumns[counter] ?? [], all: interfaceName === undefined }, counts);
}

/**
 * What those had counted that were removed, beyond what they still show. One that is being removed is closed, and is there for a moment without what its other end counted (veth_get_stats64 in
 * drivers/net/veth.c), which is most of what it received.
 */
function pastCount(length: number, source: ProcfsSource, counter: string): number {
  const { past } = source;
  if (past === undefined) return 0;
  let sum = past.always[counter] ?? 0;
  for (const [name, counts] of Object.entries(past.unless))
    sum += Math.max(0, (counts[counter] ?? 0) - (countNow(length, source, { counter, interfaceName: name }) ?? 0));
  return sum;
}

/** cgroup v1 cpuacct.usage holds nanoseconds; cgroup v2 cpu.stat begins with `usage_usec N`; of /proc/PID/stat fields 14 and 15 count ticks. */
function cpuUsec(path: string): number | undefined {
  const length = readWhole(path);
  if (length === undefined) return undefined;
  const text = scratch.toString('latin1', 0, length);
  if (path.endsWith('/stat')) {
    const [user = 0, system = 0] = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number);
    return (user + system) * tickUsec;
  }
  const usage = /^usage_usec (\d+)/m.exec(text);
  return usage === null ? Math.floor(Number.parseInt(text, 10) / 1000) : Number(usage[1]);
}

function leadingNumber(path: string): number | undefined {
  const length = readWhole(path);
  return length === undefined ? undefined : Number.parseInt(scratch.toString('latin1', 0, length), 10);
}

/** @param what.all whether to find none is to have counted nothing. */
function sumInterfaces(
  length: number,
  what: { readonly wanted: readonly number[]; readonly all: boolean },
  counts: (name: string) => boolean,
): number | undefined {
  let sum = 0;
  let found = what.all;
  const text = scratch.toString('latin1', 0, length);
  // The first two lines are headings.
  let at = text.indexOf('\n', text.indexOf('\n') + 1) + 1;
  for (let end = text.indexOf('\n', at); end > 0; at = end + 1, end = text.indexOf('\n', at)) {
    const colon = text.indexOf(':', at);
    if (!counts(text.slice(at, colon).trimStart())) continue;
    for (const column of what.wanted) sum += fieldAt(text, colon + 1, column);
    found = true;
  }
  return found ? sum : undefined;
}

/** The number that so many others precede, after a place in a text. */
function fieldAt(text: string, start: number, column: number): number {
  let at = start;
  for (let before = 0; ; before += 1) {
    while (text.charCodeAt(at) === space) at += 1;
    let end = at;
    while (text.charCodeAt(end) > space) end += 1;
    if (before === column) return Number(text.slice(at, end));
    at = end;
  }
}

/**
 * Reads a procfs or cgroup file into the scratch buffer; undefined when it is gone. The kernel fills a page before it gives less than is asked for
 * (seq_read_iter in fs/seq_file.c): what is much shorter is the whole.
 */
function readWhole(path: string): number | undefined {
  const fd = unlessAbsent(() => openSync(path, 'r'));
  if (fd === undefined) return undefined;
  try {
    let length = 0;
    for (;;) {
      if (length === scratch.length) scratch = Buffer.concat([scratch, Buffer.allocUnsafe(scratch.length)]);
      const read = readSync(fd, scratch, length, scratch.length - length, null);
      length += read;
      if (read < shortRead) return length;
    }
  } catch (error) {
    if (!isAbsence(error)) throw error;
    return undefined; // ESRCH: the process went away between open and read
  } finally {
    closeSync(fd);
  }
}
