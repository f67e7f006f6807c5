import type { PlacedPort } from '../../src/domain/addressing.ts';
import type { NetworkRecord, PortRecord, VnfRecord } from '../../src/domain/records.ts';

const owner = { uid: 0, gid: 0, mode: 0o755, createdMs: 0, ownership: {} } as const;

/** A network on record. Its serial follows from its name. */
export function network(name: string, settings: Readonly<Record<string, string>>): NetworkRecord {
  return { ...owner, kind: 'network', serial: 1000 + name.charCodeAt(0), name, settings };
}

/** A VNF on record. */
export function vnf(serial: number, options: { readonly type?: string; readonly ports?: readonly PortRecord[] } = {}): VnfRecord {
  const { type = 'host', ports = [] } = options;
  return {
    ...owner,
    kind: 'vnf',
    serial,
    type,
    name: `${type}${serial}`,
    settings: {},
    ports,
    deployed: false,
    placement: undefined,
    inconsistent: false,
  };
}

/** A port called `pSERIAL`, of a VNF of its own. */
export function placedPort(serial: number, settings: Readonly<Record<string, string>>, type = 'host'): PlacedPort {
  const port: PortRecord = { ...owner, serial, name: `p${serial}`, settings };
  return { vnf: vnf(serial + 5000, { type, ports: [port] }), port };
}
