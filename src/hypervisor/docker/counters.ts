import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CounterSource, Counters } from '../../domain/ports/hypervisor.ts';
import { unlessAbsent } from '../../errors/index.ts';
import { type CgroupMounts, findCgroupMounts } from '../cgroup-mounts.ts';

/** Where the kernel of this machine keeps a guest's counters. */
export function procfsCounters(pid: number, mounts: CgroupMounts = findCgroupMounts()): Extract<CounterSource, { kind: 'procfs' }> {
  const groups = readGroups(pid);
  const at = (controller: string, v1File: string, v2File: string): string | undefined => {
    const [v1Root, v1Group] = [mounts.v1[controller], groups.get(controller)];
    if (v1Root !== undefined && v1Group !== undefined) return join(v1Root, v1Group, v1File);
    const group = groups.get('');
    return mounts.unified === undefined || group === undefined ? undefined : join(mounts.unified, group, v2File);
  };
  return {
    kind: 'procfs',
    netDevPath: `/proc/${pid}/net/dev`,
    cpuPath: at('cpuacct', 'cpuacct.usage', 'cpu.stat'),
    memoryPath: at('memory', 'memory.usage_in_bytes', 'memory.current'),
  };
}

/** Lines of /proc/PID/cgroup (cgroups(7)) by controller; version 2 by the empty name. */
function readGroups(pid: number): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined || path.split('/').includes('..')) continue;
    for (const controller of controllers.split(',')) groups.set(controller, path);
  }
  return groups;
}

/** True when a process is in the control groups of that container: whoever says so has not made the number up. */
export function isInContainer(pid: number, containerId: string): boolean {
  return unlessAbsent(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.includes(containerId) ?? false;
}

/** What `GET /containers/ID/stats` tells, as far as it is read. */
export interface EngineStatistics {
  readonly networks?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: { readonly usage?: number; readonly stats?: Readonly<Record<string, number>> };
}

/** The engine's statistics by the names of the files in stats/. */
export function remoteCounters({ networks = {}, cpu_stats: cpu, memory_stats: memory }: EngineStatistics): Counters {
  const sum = (...names: readonly string[]): number =>
    Object.values(networks).reduce((total, link) => names.reduce((part, name) => part + (link[name] ?? 0), total), 0);
  return {
    rx_bytes: sum('rx_bytes'),
    tx_bytes: sum('tx_bytes'),
    rx_packets: sum('rx_packets'),
    tx_packets: sum('tx_packets'),
    pkt_drops: sum('rx_dropped', 'tx_dropped'),
    cpu_usec: Math.floor((cpu?.cpu_usage?.total_usage ?? 0) / 1000),
    memory_bytes: memory?.usage ?? 0,
  };
}
