import { closeSync, openSync, readSync } from 'node:fs';
import { netDevColumns } from '../domain/net-dev.ts';
import type { CounterSource } from '../domain/ports/hypervisor.ts';

type ProcfsSource = Extract<CounterSource, { kind: 'procfs' }>;

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
  return length === undefined ? undefined : sumInterfaces(length, netDevColumns[counter] ?? [], interfaceName);
}

/** cgroup v1 cpuacct.usage holds nanoseconds; cgroup v2 cpu.stat begins with `usage_usec N`. */
function cpuUsec(path: string): number | undefined {
  const length = readWhole(path);
  if (length === undefined) return undefined;
  const text = scratch.toString('latin1', 0, length);
  const usage = /^usage_usec (\d+)/m.exec(text);
  return usage === null ? Math.floor(Number.parseInt(text, 10) / 1000) : Number(usage[1]);
}

function leadingNumber(path: string): number | undefined {
  const length = readWhole(path);
  return length === undefined ? undefined : Number.parseInt(scratch.toString('latin1', 0, length), 10);
}

function sumInterfaces(length: number, wanted: readonly number[], interfaceName: string | undefined): number | undefined {
  let sum = 0;
  let found = interfaceName === undefined;
  // The first two lines are headings.
  const lines = scratch.toString('latin1', 0, length).split('\n').slice(2);
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim();
    if (interfaceName === undefined ? name === 'lo' : name !== interfaceName) continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/ +/);
    for (const column of wanted) sum += Number(fields[column]);
    found = true;
  }
  return found ? sum : undefined;
}

/** Reads a procfs or cgroup file into the scratch buffer; undefined when it is gone. */
function readWhole(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    let length = 0;
    for (;;) {
      if (length === scratch.length) scratch = Buffer.concat([scratch, Buffer.allocUnsafe(scratch.length)]);
      const read = readSync(fd, scratch, length, scratch.length - length, null);
      if (read === 0) return length;
      length += read;
    }
  } catch {
    // ESRCH: the process went away between open and read.
    return undefined;
  } finally {
    closeSync(fd);
  }
}
