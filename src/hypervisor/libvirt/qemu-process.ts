import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isThere } from '../../errors/index.ts';
import { findProcess, type ProcessId } from '../../network/index.ts';
import { readOrEmpty } from '../read-or-empty.ts';
import { formatUuid } from './labels.ts';

const cgroupRoot = '/sys/fs/cgroup';

/** The QEMU of a domain on this machine, found by the UUID among its arguments. */
export function findQemu(uuid: string): ProcessId | undefined {
  for (const number of readdirSync('/proc')) {
    if (!/^\d+$/.test(number)) continue;
    const words = readOrEmpty(`/proc/${number}/cmdline`).split('\0');
    if (words[words.indexOf('-uuid') + 1] === formatUuid(uuid) && words[0]?.includes('qemu')) return findProcess(Number(number));
  }
  return undefined;
}

/** Where the kernel counts processor time and memory of a QEMU: in the cgroup that libvirt gave it. */
export function counterPaths({ pid }: ProcessId): { readonly cpuPath: string | undefined; readonly memoryPath: string | undefined } {
  const groups = readOrEmpty(`/proc/${pid}/cgroup`)
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, controllers = '', path = '']) => ({ controllers, path: aboveThreads(path) }));
  const find = (controller: string, file: string, unified: string): string | undefined => {
    const own = groups.find(({ controllers }) => controllers.split(',').includes(controller));
    const candidates = [
      ...(own === undefined ? [] : [join(cgroupRoot, controller, own.path, file), join(cgroupRoot, own.controllers, own.path, file)]),
      ...groups.filter(({ controllers }) => controllers === '').map(({ path }) => join(cgroupRoot, path, unified)),
    ];
    return candidates.find((path) => isThere(path) && !isRoot(path));
  };
  // libvirt makes no group for cpuacct where that is not mounted together with cpu.
  return {
    cpuPath: find('cpuacct', 'cpuacct.usage', 'cpu.stat') ?? `/proc/${pid}/stat`,
    memoryPath: find('memory', 'memory.usage_in_bytes', 'memory.current'),
  };
}

/** libvirt keeps the threads of a QEMU in groups of their own below the machine's. */
function aboveThreads(path: string): string {
  return path.replace(/\/(?:libvirt\/)?(?:emulator|vcpu\d+|iothread\d+)$/, '');
}

/** What is not in a group of its own shares the counters of all. */
function isRoot(path: string): boolean {
  return path.split('/').length <= cgroupRoot.split('/').length + 2;
}
