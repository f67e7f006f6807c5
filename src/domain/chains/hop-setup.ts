import type { NetworkSetup } from '../ports/network.ts';
import type { HopMode } from '../records.ts';

/** What a guest needs to know to be a hop. */
export interface HopPorts {
  readonly mode: HopMode;
  /** Names of its interfaces towards the ingress and the egress, and a number for each that no other port of the mount has. */
  readonly ingress: HopPort;
  readonly egress: HopPort;
  /** Name for a bridge. */
  readonly bridge: string;
}

export interface HopPort {
  readonly interfaceName: string;
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
  if (mode === 'mirror') return { settings: [], commands: [] };
  if (mode === 'transparent') return { settings: [], commands: bridgeCommands(bridge, [ingress, egress]) };
  return {
    settings: [ingress, egress].flatMap(({ interfaceName }) => [
      [`net/ipv4/conf/${interfaceName}/forwarding`, '1'] as const,
      [`net/ipv4/conf/${interfaceName}/rp_filter`, '0'] as const,
      // Whoever a packet comes from it is passed on: the kernel need not look its way back up, which it would for every packet.
      [`net/ipv4/conf/${interfaceName}/accept_local`, '1'] as const,
      [`net/ipv4/conf/${interfaceName}/arp_announce`, '2'] as const,
    ]),
    commands: [...routedCommands(ingress, egress), ...routedCommands(egress, ingress)],
  };
}

/** The commands that take back what commands of a setup did, and what does not go by itself with the interfaces. */
export function undoCommands(commands: readonly string[]): string[] {
  return commands.flatMap((command) => {
    const [object, verb, ...rest] = command.split(' ');
    if (object === 'rule' && verb === 'add') return [`rule del ${rest.join(' ')}`];
    if (object === 'route' && verb === 'replace') return [`route del ${rest.filter((word) => word !== 'onlink').join(' ')}`];
    return object === 'link' && verb === 'add' ? [`link del dev ${rest[1] ?? ''}`] : [];
  });
}

function routedCommands(port: HopPort, other: HopPort): string[] {
  const table = tableOf(port);
  const by = `dev ${other.interfaceName} table ${table}`;
  return [
    `route replace ${other.subnet} ${by}`,
    ...(other.upstream === undefined ? [] : [`route replace default via ${other.upstream} ${by} onlink`]),
    // What has no way on is lost, rather than let out by the guest's own routes.
    `route replace unreachable default metric 4294967295 table ${table}`,
    ...ruleWords(port, other).map((words) => `rule add ${words}`),
  ];
}

/** What came in by the port, what the guest says under the address of the other one, and what it has no other way for. */
function ruleWords(port: HopPort, other: HopPort): string[] {
  const table = tableOf(port);
  return [
    `pref ${before} iif ${port.interfaceName} lookup ${table}`,
    `pref ${before + 1} from ${other.address} lookup ${table}`,
    `pref ${after} iif lo to ${other.subnet} lookup ${table}`,
  ];
}

function bridgeCommands(bridge: string, ports: readonly HopPort[]): string[] {
  return [
    `link add name ${bridge} type bridge mcast_snooping 0`,
    ...ports.flatMap(({ interfaceName }) => [
      `link set dev ${interfaceName} master ${bridge} up`,
      // Two ports: what comes in by one leaves by the other, whoever it is for.
      `link set dev ${interfaceName} type bridge_slave learning off`,
    ]),
    `link set dev ${bridge} up`,
  ];
}

function tableOf({ number }: HopPort): number {
  return firstTable + number;
}
