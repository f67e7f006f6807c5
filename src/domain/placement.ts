import type { HypervisorName, Placement } from './ports/hypervisor.ts';
import type { HostRecord } from './records.ts';

/** The entry of hosts/ that every mount has. */
const localName = 'local';

/** Serial of this machine among the hosts; those below 16 are no user's object (state/root-directory.ts). */
const localSerial = 1;

/** Words for this machine that machine/ip, or the address of a host, may hold. */
const thisMachine: ReadonlySet<string> = new Set(['', localName, 'localhost', '127.0.0.1', '::1']);

/** This machine among the hosts: it is in no store, and nobody changes it. */
export function localHost(hypervisor: HypervisorName, createdMs: number): HostRecord {
  const settings = { address: '127.0.0.1', hypervisor };
  return { kind: 'host', serial: localSerial, name: localName, uid: 0, gid: 0, mode: 0o755, createdMs, ownership: {}, settings };
}

/** True for the entry that nobody changes. */
export function isLocalHost({ serial }: HostRecord): boolean {
  return serial === localSerial;
}

/** What placing a VNF depends on. */
export interface PlacementSurroundings {
  /** The mount's own hypervisor. */
  readonly hypervisor: HypervisorName;
  host(name: string): HostRecord | undefined;
}

/**
 * Where the guest of a VNF goes.
 *
 * @param wanted what machine/ip holds: nothing or a word for this machine, an entry of hosts/, or an address as drivers take it.
 */
export function placementFor(wanted: string, surroundings: PlacementSurroundings): Placement {
  const entry = surroundings.host(wanted);
  if (entry !== undefined) return { hypervisor: hypervisorOf(entry, surroundings.hypervisor), host: entry.name };
  return { hypervisor: surroundings.hypervisor, host: thisMachine.has(wanted) ? '' : wanted };
}

/**
 * The address that a placement names, as drivers take it; empty: this machine. Undefined for an entry of hosts/ that has no
 * address: nobody can be asked there.
 */
export function addressOf({ host }: Placement, surroundings: Pick<PlacementSurroundings, 'host'>): string | undefined {
  const entry = surroundings.host(host);
  return entry === undefined ? host : hostAddress(entry);
}

/** The address of a machine, as drivers take it; empty: this machine; undefined when its entry has none. */
export function hostAddress({ settings }: HostRecord): string | undefined {
  const { address = '' } = settings;
  if (address === '') return undefined;
  return thisMachine.has(address) ? '' : address;
}

/** The hypervisor of a machine: what its entry says, else the mount's. */
export function hypervisorOf(host: HostRecord, mounts: HypervisorName): HypervisorName {
  return (host.settings['hypervisor'] || mounts) as HypervisorName;
}
