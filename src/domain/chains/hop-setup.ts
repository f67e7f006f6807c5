import type { Interface, NetworkChange } from '../network-change.ts';
import type { NetworkSetup } from '../ports/network.ts';
import type { HopMode } from '../records.ts';

/** What a guest needs to know to be a hop. */
export interface HopPorts {
  readonly mode: HopMode;
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

/** Numbers of routing tables: one for each port, far from those people use. */
const firstTable = 0x40000000;

/**
 * What makes a guest pass packets between its two ports of a service chain. What comes in by one is routed by a table of that port's own, out
 * of the other; the guest's own routes are as they were. What the guest itself says in answer (errors, resets) finds its way by a table that is asked last.
 */
export function hopSetup({ mode, ingress, egress, bridge }: HopPorts): NetworkSetup {
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
    changes: [...routed(ingress, egress), ...routed(egress, ingress)],
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

function bridged(bridge: Interface, ports: readonly HopPort[]): NetworkChange[] {
  return [
    { verb: 'add', kind: 'bridge', bridge },
    ...ports.map((port) => ({ verb: 'add', kind: 'bridge port', port: port.interface, bridge }) as const),
  ];
}
