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
  /** Link-local, without prefix length. */
  readonly address: string;
  /** What is beyond it: a subnet in CIDR form, and the way to all the rest if there is one. */
  readonly subnet: string;
  readonly upstream: string | undefined;
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
  if (mode === 'mirror') return { settings: [], changes: [] };
  if (mode === 'transparent') return { settings: [], changes: bridged(bridge, [ingress, egress]) };
  return {
    settings: [ingress, egress].flatMap(({ interface: { name } }) => [
      [`net/ipv4/conf/${name}/forwarding`, '1'] as const,
      [`net/ipv4/conf/${name}/rp_filter`, '0'] as const,
      // Whoever a packet comes from it is passed on: the kernel need not look its way back up, which it would for every packet.
      [`net/ipv4/conf/${name}/accept_local`, '1'] as const,
      [`net/ipv4/conf/${name}/arp_announce`, '2'] as const,
    ]),
    changes: [
      ...routed(ingress, egress),
      ...routed(egress, ingress),
      ...(intercepts ? [...asMarkedBy(ingress, egress), ...asMarkedBy(egress, ingress)] : []),
    ],
    ...(intercepts && { tables: { [`nfio_${ingress.interface.name}`]: marking([ingress, egress]) } }),
  };
}

function routed(port: HopPort, other: HopPort): NetworkChange[] {
  const table = firstTable + port.number;
  const add = { verb: 'add', table } as const;
  const by = other.interface;
  const upstream: NetworkChange[] = other.upstream === undefined ? [] : [{ ...add, kind: 'route', to: undefined, by, via: other.upstream }];
  return [
    { ...add, kind: 'route', to: other.subnet, by },
    ...upstream,
    // What has no way on is lost, rather than let out by the guest's own routes.
    { ...add, kind: 'route', to: undefined, by: undefined },
    // What came in by the port, what the guest says under the address of the other one, and what it has no other way for.
    { ...add, kind: 'rule', preference: before, input: port.interface.name },
    { ...add, kind: 'rule', preference: before + 1, from: other.address },
    { ...add, kind: 'rule', preference: after, input: 'lo', to: other.subnet },
  ];
}

/**
 * For a guest that ends connections and makes its own, under the addresses of others: routes do not tell which service chain these belong to, the
 * mark of the first packet does. What it sends on has that of a packet from the port, what it answers has the bit of what it kept as well.
 */
function asMarkedBy(port: HopPort, other: HopPort): NetworkChange[] {
  const table = firstTable + port.number;
  const add = { verb: 'add', kind: 'rule', input: 'lo' } as const;
  return [
    { ...add, preference: asMarked, mark: table, table },
    { ...add, preference: asMarked, mark: kept + table, table: firstTable + other.number },
    // A socket has to find a way before its packets are marked.
    ...(other.upstream === undefined ? [] : [{ ...add, preference: after + 1, table }]),
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
