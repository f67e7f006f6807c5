import type { Family } from './ip.ts';

/** An interface in a guest, as a change names it: by either. */
export interface Interface {
  readonly name: string;
  readonly index: number;
}

/** Where packets go that a routing table is asked for. */
export interface Route {
  readonly kind: 'route';
  readonly family: Family;
  readonly table: number;
  /** In CIDR form; undefined: all that no other route of the table covers. */
  readonly to: string | undefined;
  /** undefined: nowhere, and whoever sent the packet hears so. Asked last of all. */
  readonly by: Interface | undefined;
  /** Address of the next hop, taken to be on the link. */
  readonly via?: string | undefined;
}

/** Which packets a routing table is asked for. */
export interface Rule {
  readonly kind: 'rule';
  readonly family: Family;
  readonly preference: number;
  /** undefined, where one is removed: whichever it leads to. */
  readonly table: number | undefined;
  /** Name of the interface that packets came in by; `lo`: the guest's own. */
  readonly input?: string;
  readonly from?: string;
  readonly to?: string;
  readonly mark?: number;
}

/** A bridge, up, that does without multicast snooping. */
export interface Bridge {
  readonly kind: 'bridge';
  readonly bridge: Interface;
}

/** An interface on a bridge, up, that learns no addresses there: of two ports what comes in by one leaves by the other, whoever it is for. */
export interface BridgePort {
  readonly kind: 'bridge port';
  readonly port: Interface;
  readonly bridge: Interface;
}

/** An IPv6 address of an interface, in CIDR form, that nobody else has: it is usable at once. */
export interface Address {
  readonly kind: 'address';
  readonly on: Interface;
  readonly address: string;
}

/** The hardware address of somebody on an interface's link, given so that nobody is asked for it; `hint`: it may be another by now, and is asked for while it is used. */
export interface Neighbour {
  readonly kind: 'neighbour';
  readonly on: Interface;
  readonly address: string;
  readonly mac: string;
  readonly hint?: boolean;
}

/** A file below /proc/sys with a value. Removing it leaves it as it is. */
export interface Setting {
  readonly kind: 'setting';
  readonly path: string;
  readonly value: string;
  /** The file for kernels that do not have the other. */
  readonly otherwise?: string;
}

/** An interface that takes in what is addressed to others. */
export interface Promiscuous {
  readonly kind: 'promiscuous';
  readonly port: Interface;
}

/** One thing in the network of a guest, to be there or not. */
export type NetworkChange = { readonly verb: 'add' | 'remove' } & (
  | Route
  | Rule
  | Bridge
  | BridgePort
  | Promiscuous
  | Address
  | Neighbour
  | Setting
);

/** A route that is asked last. */
export const lastMetric = 4_294_967_295;

/** The commands that make a change, for the network script: of ip(8), with `-6` before those of IPv6, or `sysctl PATH VALUE [PATH]`. */
export function networkCommands(change: NetworkChange): string[] {
  switch (change.kind) {
    case 'route':
      return [`${option(change)}${routeLine(change)}`];
    case 'rule':
      return [`${option(change)}${ruleLine(change)}`];
    case 'address':
      return [addressLine(change)];
    case 'neighbour':
      return [neighbourLine(change)];
    case 'setting':
      return change.verb === 'add' ? [settingLine(change)] : [];
    case 'bridge':
      return bridgeLines(change);
    case 'bridge port':
      return bridgePortLines(change);
    case 'promiscuous':
      return [`link set dev ${change.port.name} promisc ${change.verb === 'add' ? 'on' : 'off'}`];
  }
}

/** What takes changes back; what goes by itself with the interfaces stays. */
export function undo(changes: readonly NetworkChange[]): NetworkChange[] {
  return changes.filter(({ kind }) => kind !== 'bridge port' && kind !== 'setting').map((change) => ({ ...change, verb: 'remove' }));
}

/** Those of one list that are not in another. */
export function without(changes: readonly NetworkChange[], others: readonly NetworkChange[]): NetworkChange[] {
  const known = new Set(others.map((change) => JSON.stringify(change)));
  return changes.filter((change) => !known.has(JSON.stringify(change)));
}

/** The words of a setting: its path, its value, and the other path if there is one. */
export function settingWords({ path, value, otherwise }: Setting): string {
  return [path, value, ...(otherwise === undefined ? [] : [otherwise])].join(' ');
}

function option({ family }: Route | Rule): string {
  return family === 6 ? '-6 ' : '';
}

function addressLine({ verb, on, address }: NetworkChange & Address): string {
  return verb === 'add' ? `-6 addr replace ${address} dev ${on.name} nodad` : `-6 addr del ${address} dev ${on.name}`;
}

function neighbourLine({ verb, on, address, mac, hint }: NetworkChange & Neighbour): string {
  const family = address.includes(':') ? '-6 ' : '';
  return verb === 'add'
    ? `${family}neigh replace ${address} lladdr ${mac} dev ${on.name} nud ${hint === true ? 'stale' : 'permanent'}`
    : `${family}neigh del ${address} dev ${on.name}`;
}

function settingLine(setting: Setting): string {
  return `sysctl ${settingWords(setting)}`;
}

function routeLine({ verb, table, to = 'default', by, via }: NetworkChange & Route): string {
  const words = ['route', verb === 'add' ? 'replace' : 'del'];
  if (by === undefined) words.push('unreachable', to, 'metric', String(lastMetric));
  else words.push(to, ...(via === undefined ? [] : ['via', via]), 'dev', by.name);
  words.push('table', String(table), ...(via !== undefined && verb === 'add' ? ['onlink'] : []));
  return words.join(' ');
}

function ruleLine({ verb, preference, table, input, from, to, mark }: NetworkChange & Rule): string {
  const words = ['rule', verb === 'add' ? 'add' : 'del', 'pref', String(preference)];
  for (const [word, value] of [
    ['from', from],
    ['iif', input],
    ['to', to],
    ['fwmark', mark],
    ['lookup', table],
  ]) {
    if (value !== undefined) words.push(String(word), String(value));
  }
  return words.join(' ');
}

function bridgeLines({ verb, bridge: { name, index } }: NetworkChange & Bridge): string[] {
  if (verb === 'remove') return [`link del dev ${name}`];
  return [`link add name ${name} index ${index} type bridge mcast_snooping 0`, `link set dev ${name} up`];
}

function bridgePortLines({ verb, port, bridge }: NetworkChange & BridgePort): string[] {
  if (verb === 'remove') return [`link set dev ${port.name} nomaster`];
  return [`link set dev ${port.name} master ${bridge.name} up`, `link set dev ${port.name} type bridge_slave learning off`];
}
