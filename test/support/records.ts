import type { PlacedPort } from '../../src/domain/addressing.ts';
import type { AppliedChain, ChainRecord, LinkRecord, NetworkRecord, PortRecord, VnfRecord } from '../../src/domain/records.ts';

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

/** A service chain on record. `hops` are the links in each by name; serials count up from 2000. */
export function chain(
  name: string,
  parts: {
    readonly settings?: Readonly<Record<string, string>>;
    readonly start?: string;
    readonly hops?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly applied?: AppliedChain;
  },
): ChainRecord {
  let serial = 2000;
  const object = () => ({ ...owner, settings: {}, serial: ++serial });
  const links = (targets: Readonly<Record<string, string>>): LinkRecord[] =>
    Object.entries(targets).map(([link, target]) => ({ ...object(), name: link, target }));
  const { settings = {}, start, hops = {}, applied } = parts;
  return {
    ...object(),
    kind: 'chain',
    name,
    settings,
    links: start === undefined ? [] : links({ start }),
    hops: Object.entries(hops).map(([hop, targets]) => ({ ...object(), name: hop, links: links(targets) })),
    applied,
    settled: true,
  };
}

/** A port that nothing was said of. */
export const plainPort = {
  gateway: undefined,
  mtu: undefined,
  up: true,
  rateBps: undefined,
  delayUsec: undefined,
  lossPercent: undefined,
} as const;
