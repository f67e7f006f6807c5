import type { HookInstance } from '../domain/middlebox.ts';
import type { VnfRecord } from '../domain/records.ts';
import type { World } from './world.ts';

/** What the hooks and actions of a middlebox module get to see of a VNF. */
export function hookInstance(world: World, vnf: VnfRecord, signal: AbortSignal): HookInstance {
  return {
    type: vnf.type,
    name: vnf.name,
    value: (path) => world.vnf(vnf.serial).settings[path] ?? '',
    execute: (command) => world.driverOf(vnf).executeInGuest(world.ref(vnf), command, { signal }),
  };
}
