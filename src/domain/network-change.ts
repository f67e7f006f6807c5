/** An interface in a guest, as a change names it: by either. */
export interface Interface {
  readonly name: string;
  readonly index: number;
}

/** Where packets go that a routing table is asked for. */
export interface Route {
  readonly kind: 'route';
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

/** One thing in the network of a guest, to be there or not. */
export type NetworkChange = { readonly verb: 'add' | 'remove' } & (Route | Rule | Bridge | BridgePort);

/** A route that is asked last. */
export const lastMetric = 4_294_967_295;

/** The commands of ip(8) that make a change. */
export function ipCommands(change: NetworkChange): string[] {
  switch (change.kind) {
    case 'route':
      return [routeLine(change)];
    case 'rule':
      return [ruleLine(change)];
    case 'bridge':
      return bridgeLines(change);
    case 'bridge port':
      return bridgePortLines(change);
  }
}

/** What takes changes back; what goes by itself with the interfaces stays. */
export function undo(changes: readonly NetworkChange[]): NetworkChange[] {
  return changes.filter(({ kind }) => kind !== 'bridge port').map((change) => ({ ...change, verb: 'remove' }));
}

/** Those of one list that are not in another. */
export function without(changes: readonly NetworkChange[], others: readonly NetworkChange[]): NetworkChange[] {
  const known = new Set(others.map((change) => JSON.stringify(change)));
  return changes.filter((change) => !known.has(JSON.stringify(change)));
}

function routeLine({ verb, table, to = 'default', by, via }: NetworkChange & Route): string {
  const words = ['route', verb === 'add' ? 'replace' : 'del'];
  if (by === undefined) words.push('unreachable', to, 'metric', String(lastMetric));
  else words.push(to, ...(via === undefined ? [] : ['via', via]), 'dev', by.name);
  words.push('table', String(table), ...(via !== undefined && verb === 'add' ? ['onlink'] : []));
  return words.join(' ');
}

function ruleLine({ verb, preference, table, ...which }: NetworkChange & Rule): string {
  const { input, from, to, mark } = which;
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
