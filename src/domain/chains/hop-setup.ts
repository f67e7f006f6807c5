import { addressBits, type Family } from '../ip.ts';
import type { Interface, NetworkChange } from '../network-change.ts';
import type { NetworkSetup } from '../ports/network.ts';
import type { HopMode } from '../records.ts';

/** What a guest needs to know to be a hop. */
export interface HopPorts {
  readonly mode: HopMode;
  /** The guest ends connections that pass through it, and makes its own in their place. */
  readonly intercepts: boolean;
  /** Towards the ingress and the egress. */
  readonly ingress: HopPort;
  readonly egress: HopPort;
  /** For a bridge. */
  readonly bridge: Interface;
}

export interface HopPort {
  readonly interface: Interface;
  /** One that no other port of the mount has. */
  readonly number: number;
  /** For each version of IP that the service chain passes on; both ports have the same. */
  readonly ways: Readonly<Partial<Record<Family, HopWay>>>;
}

/** Where a port leads. */
export interface HopWay {
  /** The port's own, without prefix length: errors are signed with it. */
  readonly address: string;
  /** The port's own too, of IPv6: hosts are asked for hardware addresses under it. */
  readonly linkLocal?: string;
  /** What is beyond it: a subnet in CIDR form, and the way to all the rest if there is one. */
  readonly subnet: string;
  readonly upstream: string | undefined;
  /** Addresses of hops there that translate, and the hardware address that packets for them go to: nobody is asked for it. */
  readonly translated?: readonly { readonly address: string; readonly mac: string }[];
  /** Addresses that the guest itself translates to, what leaves by this port. */
  readonly own?: readonly string[];
}

/** Rules are looked at in this order: after the guest's own addresses, before and after its own routes. */
const before = 1000;
const after = 33_000;

/** What an interceptor says is looked at before its own rule for local delivery, which is at 900. */
const asMarked = 800;

/** In the mark of what an interceptor keeps for itself; see docs/modules.md. */
const kept = 0x80000000;

/** Numbers of routing tables: one for each port, far from those people use. */
const firstTable = 0x40000000;

/**
 * What makes a guest pass packets between its two ports of a service chain. What comes in by one is routed by a table of that port's own, out
 * of the other; the guest's own routes are as they were. What the guest itself says in answer (errors, resets) finds its way by a table that is asked last.
 */
export function hopSetup({ mode, intercepts, ingress, egress, bridge }: HopPorts): NetworkSetup {
  // Copies are addressed to others; the network card of a virtual machine would not let them in.
  if (mode === 'mirror') return { settings: [], changes: [{ verb: 'add', kind: 'promiscuous', port: ingress.interface }] };
  if (mode === 'transparent') return { settings: [], changes: bridged(bridge, [ingress, egress]) };
  const ports = [ingress, egress];
  // Connections of IPv6 pass an interceptor.
  const marks = intercepts && ingress.ways[4] !== undefined;
  return {
    settings: ports.filter(({ ways }) => ways[4] !== undefined).flatMap(ipv4Settings),
    changes: [
      ...ports.flatMap(ipv6Anew),
      ...routed(4, ingress, egress),
      ...routed(6, ingress, egress),
      ...(marks ? [...asMarkedBy(ingress, egress), ...asMarkedBy(egress, ingress)] : []),
    ],
    ...(marks && { tables: { [`nfio_${ingress.interface.name}`]: marking(ports) } }),
  };
}

function ipv4Settings({ interface: { name } }: HopPort): NetworkSetup['settings'] {
  return [
    [`net/ipv4/conf/${name}/forwarding`, '1'],
    [`net/ipv4/conf/${name}/rp_filter`, '0'],
    // Whoever a packet comes from it is passed on: the kernel need not look its way back up, which it would for every packet.
    [`net/ipv4/conf/${name}/accept_local`, '1'],
    [`net/ipv4/conf/${name}/arp_announce`, '2'],
  ];
}

/**
 * IPv6 begins anew on the port, whatever the guest has made of it: it has the addresses that it is given and no others, so that there is nothing to
 * detect duplicates of or to wait for, and nobody is asked for routers.
 */
function ipv6Anew({ interface: on, ways }: HopPort): NetworkChange[] {
  const way = ways[6];
  if (way === undefined) return [];
  const set = (name: string, value: string) => ({ verb: 'add', kind: 'setting', path: `net/ipv6/conf/${on.name}/${name}`, value }) as const;
  return [
    set('disable_ipv6', '1'),
    set('addr_gen_mode', '1'),
    set('accept_ra', '0'),
    // Before Linux 6.17 only all interfaces of a guest together could be made to forward.
    { ...set('force_forwarding', '1'), otherwise: 'net/ipv6/conf/all/forwarding' },
    set('disable_ipv6', '0'),
    { verb: 'add', kind: 'address', on, address: `${way.linkLocal}/64` },
    ...[way.address, ...(way.own ?? [])].map((address): NetworkChange => ({ verb: 'add', kind: 'address', on, address: `${address}/128` })),
  ];
}

/** Routes and rules of a version of IP, for both ports. */
function routed(family: Family, ingress: HopPort, egress: HopPort): NetworkChange[] {
  const [inner, outer] = [ingress.ways[family], egress.ways[family]];
  if (inner === undefined || outer === undefined) return [];
  return [...waysOut(family, ingress, { ...egress, ...outer }), ...waysOut(family, egress, { ...ingress, ...inner })];
}

/** Where what comes in by a port goes: out of the other. */
function waysOut(family: Family, port: HopPort, other: HopPort & HopWay): NetworkChange[] {
  const table = firstTable + port.number;
  const add = { verb: 'add', family, table } as const;
  const by = other.interface;
  const translated = (other.translated ?? []).map(({ address, mac }) => ({ address, mac, to: `${address}/${addressBits(family)}` }));
  const subnets = [other.subnet, ...translated.map(({ to }) => to)];
  const upstream: NetworkChange[] = other.upstream === undefined ? [] : [{ ...add, kind: 'route', to: undefined, by, via: other.upstream }];
  return [
    ...translated.map(({ address, mac }): NetworkChange => ({ verb: 'add', kind: 'neighbour', on: by, address, mac })),
    ...subnets.map((to): NetworkChange => ({ ...add, kind: 'route', to, by })),
    ...upstream,
    // What has no way on is lost, rather than let out by the guest's own routes.
    { ...add, kind: 'route', to: undefined, by: undefined },
    // What came in by the port, what the guest says under the address of the other one, and what it has no other way for.
    { ...add, kind: 'rule', preference: before, input: port.interface.name },
    { ...add, kind: 'rule', preference: before + 1, from: other.address },
    ...subnets.map((to): NetworkChange => ({ ...add, kind: 'rule', preference: after, input: 'lo', to })),
  ];
}

/**
 * For a guest that ends connections and makes its own, under the addresses of others: routes do not tell which service chain these belong to, the
 * mark of the first packet does. What it sends on has that of a packet from the port, what it answers has the bit of what it kept as well.
 */
function asMarkedBy(port: HopPort, other: HopPort): NetworkChange[] {
  const table = firstTable + port.number;
  const add = { verb: 'add', kind: 'rule', family: 4, input: 'lo' } as const;
  return [
    { ...add, preference: asMarked, mark: table, table },
    { ...add, preference: asMarked, mark: kept + table, table: firstTable + other.number },
    // A socket has to find a way before its packets are marked.
    ...(other.ways[4]?.upstream === undefined ? [] : [{ ...add, preference: after + 1, table } as const]),
  ];
}

/** Marks what comes in by a port with the number of its routing table. */
function marking(ports: readonly HopPort[]): string {
  const rules = ports.map((port) => `iifname "${port.interface.name}" meta mark set ${firstTable + port.number}`);
  return `chain prerouting { type filter hook prerouting priority mangle - 1; policy accept;\n${rules.join('\n')}\n}`;
}

function bridged(bridge: Interface, ports: readonly HopPort[]): NetworkChange[] {
  return [
    { verb: 'add', kind: 'bridge', bridge },
    ...ports.map((port) => ({ verb: 'add', kind: 'bridge port', port: port.interface, bridge }) as const),
  ];
}
