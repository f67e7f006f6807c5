import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding, Probe } from './probe.ts';

const hierarchy = '/sys/fs/cgroup';
/** What limits, pauses and measures guests. Version 2 freezes without a controller. */
const wanted = { v1: ['cpu', 'cpuacct', 'memory', 'freezer', 'pids'], v2: ['cpu', 'memory', 'pids'] } as const;

/** Control groups, of either version: the controllers are there and a group can be made. */
export const cgroupProbe: Probe = {
  name: 'cgroups',
  needed: true,
  needsRoot: true,
  run: async () => {
    const controllers = await readFile(join(hierarchy, 'cgroup.controllers'), 'utf8').catch(() => undefined);
    return controllers === undefined ? probeVersion1() : probeVersion2(controllers.trim().split(/\s+/));
  },
};

async function probeVersion2(controllers: readonly string[]): Promise<Finding> {
  const missing = wanted.v2.filter((name) => !controllers.includes(name));
  if (missing.length > 0) {
    return {
      ok: false,
      detail: `version 2 without ${missing.join(', ')}`,
      remedy: `take cgroup_disable=${missing.join(',')} off the kernel command line, and boot again`,
    };
  }
  return tryGroup(hierarchy, `version 2: ${wanted.v2.join(', ')}`);
}

async function probeVersion1(): Promise<Finding> {
  const missing: string[] = [];
  for (const name of wanted.v1) {
    const there = await readFile(join(hierarchy, name, 'cgroup.procs'), 'utf8').then(
      () => true,
      () => false,
    );
    if (!there) missing.push(name);
  }
  if (missing.length > 0) {
    return {
      ok: false,
      detail: `version 1 without ${missing.join(', ')}`,
      remedy: `mount -t cgroup -o ${missing[0]} cgroup ${join(hierarchy, missing[0] ?? '')}, or boot with systemd.unified_cgroup_hierarchy=1`,
    };
  }
  return tryGroup(join(hierarchy, 'memory'), `version 1: ${wanted.v1.join(', ')}`);
}

async function tryGroup(parent: string, detail: string): Promise<Finding> {
  const group = join(parent, `nfio-doctor-${process.pid}`);
  try {
    await mkdir(group);
    await rmdir(group);
    return { ok: true, detail };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { ok: false, detail: `no group can be made in ${parent}: ${code}`, remedy: `mount -o remount,rw ${parent}` };
  }
}
