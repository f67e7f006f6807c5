import { type Cidr, type Family, formatAddress, formatCidr, networkOf, parseCidr } from '../../domain/ip.ts';
import type {
  Asking,
  ChainSteering,
  Classifier,
  Direction,
  HopEntry,
  Onward,
  PortSteering,
  Reach,
  ReachPair,
  SteeredPort,
  SteeredSegment,
  SteeringPlan,
} from '../../domain/ports/steering.ts';
import { buckets, directions } from '../../domain/ports/steering.ts';
import { withoutForged } from '../guard/entry.ts';
import { bridgeName, fabricPortName, probeDevices } from '../names.ts';
import { partsOf, quiet, quietName } from './quiet-rules.ts';
import { type Part, WatchRules } from './watch-rules.ts';

/** The table of a fabric that steers. Names in it are made of ids of `[a-z0-9]`, never of what users write. */
export const steeringTableName = 'nfio_chains';
export const steeringTable = `netdev ${steeringTableName}`;

/** One nft chain: its rules and, for one that packets enter by themselves, the interface they come from. */
export interface NftChain {
  readonly device: string | undefined;
  /** What becomes of packets that no rule decides on. */
  readonly policy: 'accept' | 'drop';
  readonly rules: readonly string[];
}

/** A whole program: nft chains and counters by name. */
export interface NftProgram {
  readonly chains: ReadonlyMap<string, NftChain>;
  readonly counters: ReadonlySet<string>;
}

/** A service chain of three hops takes some twenty numbers for itself and its ports. */
const groupSerials = 256;

/** Names of counters. `in`, `out` and `lost` are of a service chain, by direction; `into` and `from` of a hop's port. */
export const counterName = {
  in: (chain: string, direction: Direction): string => `in_${direction}_${chain}`,
  out: (chain: string, direction: Direction): string => `out_${direction}_${chain}`,
  lost: (chain: string): string => `lost_${chain}`,
  into: (port: string): string => `into_${port}`,
  from: (port: string): string => `from_${port}`,
};

/** Hardware addresses that probes come from, by the end of the service chain that they begin at. */
export const probeSource: Readonly<Record<Direction, string>> = { forward: '02:00:00:00:00:01', backward: '02:00:00:00:00:02' };

/** The nft chain that packets of a service chain enter when they are picked. */
export function entryName(chain: string, direction: Direction): string {
  return `enter_${direction}_${chain}`;
}

/**
 * The rules that carry out a plan. Each port on a segment is asked, when a frame comes from it, for the service chain that wants it; each port of a
 * hop passes what leaves the hop straight to the next one. Frames cross no bridge on the way, and what nobody steers is as it was.
 *
 * @param guarded The bridges of segments drop what guests send in the name of others.
 */
export function programOf(plan: SteeringPlan, guarded = true): NftProgram {
  const program = new ProgramBuilder(guarded);
  for (const chain of plan.chains) program.include(partOf(chain));
  for (const segment of plan.segments) program.addSegment(segment, plan.chains);
  return program;
}

/** What belongs to one service chain, made once: most of them are as they were when another one changes. */
const parts = new WeakMap<ChainSteering, ProgramBuilder>();

function partOf(chain: ChainSteering): ProgramBuilder {
  let part = parts.get(chain);
  if (part === undefined) {
    part = new ProgramBuilder(false); // it has no segments
    part.addChain(chain);
    parts.set(chain, part);
  }
  return part;
}

/** The nft chain that frames from a port on a segment enter, among those that are there. */
export function segmentEntry(port: SteeredPort, segment: Pick<SteeredSegment, 'id' | 'ports'>, guarded: boolean): NftChain {
  const rules = [...(guarded ? withoutForged(port, segment.ports) : []), `goto segment_${segment.id}`];
  return { device: fabricPortName(port.id), policy: 'accept', rules };
}

/** The name of the nft chain at an interface. Names of uplinks are their users': only some characters may stand in a name of nft's. */
export function atName(device: string): string {
  return `at_${[...device].map((each) => (/[a-z0-9]/.test(each) ? each : `_${each.codePointAt(0)?.toString(16)}_`)).join('')}`;
}

/** The nft chain that frames leave a service chain by, onto a segment. */
function exitName(segment: string): string {
  return `onto_${segment}`;
}

class ProgramBuilder implements NftProgram {
  readonly chains = new Map<string, NftChain>();
  readonly counters = new Set<string>();
  /** What picks packets, by the name of the nft chain that they enter, or would enter. */
  readonly #picks = new Map<string, readonly string[]>();
  readonly #guarded: boolean;

  constructor(guarded: boolean) {
    this.#guarded = guarded;
  }

  include(part: ProgramBuilder): void {
    for (const [name, chain] of part.chains) this.chains.set(name, chain);
    for (const name of part.counters) this.counters.add(name);
    for (const [name, rules] of part.#picks) this.#picks.set(name, rules);
  }

  addChain(chain: ChainSteering): void {
    const watch = new WatchRules(chain, this.counters);
    this.counters.add(counterName.lost(chain.id));
    for (const direction of directions) {
      const counted = counterName.in(chain.id, direction);
      this.counters.add(counted);
      this.counters.add(counterName.out(chain.id, direction));
      const onward = this.#onward(chain, direction, chain.entries[direction]);
      const parts = [...watch.picked(direction), `counter name ${counted}`, ...onward];
      this.#addEntry(chain, direction, joined([...this.#quietly(watch, entryName(chain.id, direction), parts), ...parts]));
    }
    for (const port of chain.ports) this.#addPort(chain, port, watch);
    if (chain.probe !== undefined) this.#addProbe(chain);
  }

  /**
   * Where packets are picked. One rule stands there itself: it costs them less than an nft chain of its own. Where packets go on as they were, the next
   * service chain may want them too.
   */
  #addEntry({ id, classifiers, entries, probe }: ChainSteering, direction: Direction, rules: readonly string[]): void {
    const name = entryName(id, direction);
    const [rule = '', ...more] = rules;
    if (more.length > 0 || probe !== undefined) this.#addChain(name, rules);
    const verdict = entries[direction].target.kind === 'plain' ? 'jump' : 'goto';
    const entering = more.length === 0 ? rule : `${verdict} ${name}`;
    this.#picks.set(
      name,
      conditionsOf(classifiers[direction]).map((condition) => `${condition} ${entering}`),
    );
  }

  addSegment({ id, ports, uplink }: SteeredSegment, chains: readonly ChainSteering[]): void {
    const groups = [...Map.groupBy(chains, groupOf)].map(([key, group]) => [`segment_${id}_${key}`, this.#groupRules(id, group)] as const);
    const filled = groups.filter(([, rules]) => rules.length > 0);
    const [only, ...others] = filled;
    const steering = others.length === 0 ? (only?.[1] ?? []) : filled.map(([name]) => `jump ${name}`);
    if (others.length > 0) for (const [name, rules] of filled) this.chains.set(name, { device: undefined, policy: 'accept', rules });
    this.chains.set(`segment_${id}`, { device: undefined, policy: 'accept', rules: [...this.#seenRules(id, chains), ...steering] });
    this.chains.set(exitName(id), { device: undefined, policy: 'accept', rules: exitRules(id, ports) });
    for (const port of ports) this.chains.set(atName(fabricPortName(port.id)), segmentEntry(port, { id, ports }, this.#guarded));
    if (uplink !== '') this.chains.set(atName(uplink), { device: uplink, policy: 'accept', rules: [`goto segment_${id}`] });
  }

  /** Frames of traced flows that come from a port on a segment, whoever takes them. */
  #seenRules(segment: string, chains: readonly ChainSteering[]): string[] {
    return classifiersOn(segment, chains).flatMap(([chain, direction]) =>
      new WatchRules(chain, this.counters).seen(direction).map(({ rule }) => rule),
    );
  }

  /** What becomes of a frame that comes from a port on a segment, as far as some service chains are concerned. */
  #groupRules(segment: string, chains: readonly ChainSteering[]): string[] {
    const picks = classifiersOn(segment, chains).flatMap(([{ id }, direction]) => this.#picks.get(entryName(id, direction)) ?? []);
    const asking = chains.flatMap(({ ports }) => ports.filter(({ asks }) => asks?.segment === segment));
    return [...picks, ...answerRules(4, asking), ...answerRules(6, asking)];
  }

  /** Probes come in here: into the service chain from both its ends. */
  #addProbe({ id }: ChainSteering): void {
    const [, device] = probeDevices(id);
    const rules = [`ether saddr ${probeSource.forward} goto ${entryName(id, 'forward')}`, `goto ${entryName(id, 'backward')}`];
    this.chains.set(atName(device), { device, policy: 'drop', rules });
  }

  #addPort(chain: ChainSteering, port: PortSteering, watch: WatchRules): void {
    const counted = counterName.from(port.port);
    this.counters.add(counted);
    this.counters.add(counterName.into(port.port));
    const onward = this.#onward(chain, port.direction, port.onward);
    const counting = [...watch.from(port.port, port.direction), `counter name ${counted}`, ...onward];
    const passing = [...this.#quietly(watch, `from_${port.port}`, counting), ...counting];
    const device = fabricPortName(port.port);
    const rules = chain.families.flatMap((family) => this.#passing(family, port, passing));
    this.chains.set(atName(device), { device, policy: 'drop', rules });
  }

  /** What a hop may send by a port, in a version of IP: packets on their way, and questions for hardware addresses. */
  #passing(family: Family, { port, asks }: PortSteering, parts: readonly Part[]): string[] {
    const rules = joined(partsOf(family, parts)).map((rule) => `${onTheWay[family]} ${rule}`);
    const asking = asks === undefined ? [] : askRules(family, asks);
    if (family === 4) return [...rules, ...asking];
    const name = `ask_${port}`;
    this.chains.set(name, { device: undefined, policy: 'accept', rules: asking });
    return [`${neighbourDiscovery} goto ${name}`, ...rules];
  }

  #onward(chain: ChainSteering, direction: Direction, { copies, target }: Onward): Part[] {
    const watch = new WatchRules(chain, this.counters);
    const copying = copies.flatMap((port) => [...watch.into(port, direction), this.#copy(port)]);
    switch (target.kind) {
      case 'hop':
        return [...copying, ...this.#enter(chain, direction, target.entries)];
      case 'segment':
        return [...copying, ...watch.ends(), `counter name ${counterName.out(chain.id, direction)} goto ${exitName(target.segment)}`];
      case 'nowhere':
        return [...copying, `counter name ${counterName.lost(chain.id)} drop`];
      case 'plain':
        return [...copying, `counter name ${counterName.out(chain.id, direction)}`];
    }
  }

  #copy(port: string): string {
    this.counters.add(counterName.into(port));
    return `counter name ${counterName.into(port)} dup to "${fabricPortName(port)}"`;
  }

  /** Sends probes by an nft chain of their own, which does with them what these parts do, and counts nothing. Nothing where there are no probes. */
  #quietly(watch: WatchRules, name: string, parts: readonly Part[]): Part[] {
    const rules = watch.probes(`goto ${quietName(name)}`);
    for (const { family } of rules) this.#addChain(quietName(name), quiet(joined(partsOf(family, parts))));
    return rules;
  }

  #addChain(name: string, rules: readonly string[]): void {
    this.chains.set(name, { device: undefined, policy: 'accept', rules });
  }

  /** Into the instance that a flow goes to: the hash is the same for both its directions. */
  #enter(chain: ChainSteering, direction: Direction, entries: readonly HopEntry[]): Part[] {
    const ways = entries.map((entry) => this.#entry(chain, direction, entry));
    if (ways.length === 1) return ways.flat();
    for (const [index, way] of ways.entries()) {
      const name = `into_${entries[index]?.port}`;
      this.#addChain(name, joined(way));
      this.#quietly(new WatchRules(chain, this.counters), name, way);
    }
    const elements = entries.flatMap(({ port, buckets: own }) => own.map((bucket) => `${bucket} : goto into_${port}`));
    return [`symhash mod ${buckets} vmap { ${elements.join(', ')} }`];
  }

  #entry(chain: ChainSteering, direction: Direction, { port, mac }: HopEntry): Part[] {
    const counted = counterName.into(port);
    this.counters.add(counted);
    // As raw bytes: nft would have the type of the interface looked at first if it were told of Ethernet.
    const addressed = mac === undefined ? '' : `@ll,0,48 set 0x${mac.replaceAll(':', '')} `;
    return [
      ...new WatchRules(chain, this.counters).into(port, direction),
      `counter name ${counted} ${addressed}fwd to "${fabricPortName(port)}"`,
    ];
  }
}

/** Of service chains with one priority, those that were made about the same time: when one of them changes, only their rules are loaded again. */
function groupOf({ id, priority }: ChainSteering): string {
  return `${priority}_${Math.floor(Number.parseInt(id, 36) / groupSerials)}`;
}

/** Those that pick packets which come from a segment, and which way these go. */
function classifiersOn(segment: string, chains: readonly ChainSteering[]): (readonly [ChainSteering, Direction])[] {
  return chains.flatMap((chain) =>
    directions.flatMap((direction) => (chain.classifiers[direction].segment === segment ? [[chain, direction] as const] : [])),
  );
}

/** Rules for parts in a row: those without a condition share one, which costs a packet less than one for each. */
function joined(parts: readonly Part[]): string[] {
  const rules: string[] = [];
  let open: string[] = [];
  for (const part of parts) {
    if (typeof part === 'string') {
      open.push(part);
      continue;
    }
    if (open.length > 0) rules.push(open.join(' '));
    open = [];
    rules.push(part.rule);
  }
  return open.length > 0 ? [...rules, open.join(' ')] : rules;
}

/** Packets that service chains take; not those for hosts of one link, or for groups (IPv6 addresses from fe80:: on). */
const onTheWay: Readonly<Record<Family, string>> = { 4: 'meta protocol ip', 6: 'ip6 daddr < fe80::' };

/** Questions and answers of routers and neighbours, redirects (RFC 4861). Whatever address they are for, none is passed on. */
const neighbourDiscovery = 'icmpv6 type 133-137';

/** What answers to hops are known by. */
const answers: Readonly<Record<Family, string>> = { 4: 'meta protocol arp', 6: 'icmpv6 type nd-neighbor-advert' };

/**
 * A hop may ask for hardware addresses, in its own name, and for nothing else. A neighbour solicitation has one option, its source's hardware address,
 * at byte 24, and no room for another.
 */
function askRules(family: Family, { segment, addresses, translated, mac }: Asking): string[] {
  const bridge = bridgeName({ id: segment });
  const own = addresses[family] ?? [];
  const field = family === 4 ? 'arp saddr ip' : 'ip6 saddr';
  const rule = (address: string, change: string): string =>
    family === 4
      ? `arp operation request ${field} ${address} arp saddr ether ${mac} ${change}fwd to "${bridge}"`
      : `ip6 length 32 ip6 nexthdr ipv6-icmp ${field} ${address} icmpv6 type nd-neighbor-solicit @th,192,64 0x0101${mac.replaceAll(':', '')} ${change}fwd to "${bridge}"`;
  return [
    ...own.map((address) => rule(address, '')),
    ...(translated?.[family] ?? []).map((address) => rule(address, `${field} set ${own[0]} `)),
  ];
}

/** Answers to what hops ask find back to them; nothing else that is addressed to them does. */
function answerRules(family: Family, ports: readonly PortSteering[]): string[] {
  const asking = ports.flatMap(({ port, asks }) => (asks?.addresses[family] === undefined ? [] : [{ id: port, mac: asks.mac }]));
  return asking.length === 0 ? [] : [`${answers[family]} ${toPorts(asking)}`];
}

/** Frames for a port go straight to it, all others by the segment's bridge: also those for an address that several ports have. */
function exitRules(segment: string, ports: SteeredSegment['ports']): string[] {
  const toBridge = `fwd to "${bridgeName({ id: segment })}"`;
  const straight = soleHolders(ports);
  return straight.length === 0 ? [toBridge] : [toPorts(straight), toBridge];
}

/** Ports with a hardware address that no other one among them has. */
export function soleHolders(ports: SteeredSegment['ports']): readonly SteeredPort[] {
  return [...Map.groupBy(ports, ({ mac }) => mac).values()].flatMap((holders) => (holders.length === 1 ? holders : []));
}

function toPorts(ports: readonly Pick<SteeredPort, 'id' | 'mac'>[]): string {
  return `fwd to ether daddr map { ${ports.map(({ id, mac }) => `${mac} : "${fabricPortName(id)}"`).join(', ')} }`;
}

/** One for each version of IP, and for each address that packets come back to. */
function conditionsOf({ pairs, condition, translated }: Classifier): string[] {
  const text = (pair: ReachPair, more: string): string => [...addressConditions(pair), more].filter(Boolean).join(' ');
  return [
    ...pairs.map((pair) => text(pair, condition)),
    ...(translated?.pairs ?? []).map((pair) => text(pair, translated?.condition ?? '')),
  ];
}

function addressConditions({ family, sources, destinations }: ReachPair): string[] {
  const protocol = family === 4 ? 'ip' : 'ip6';
  return [addressCondition(`${protocol} saddr`, sources), addressCondition(`${protocol} daddr`, destinations)];
}

function addressCondition(field: string, { only, except }: Reach): string {
  if (only !== undefined) return inSubnet(field, parseCidr(only));
  return except.length === 0 ? '' : `${field} != { ${except.join(', ')} }`;
}

/**
 * That of IPv4 is written so that nft loads whole words and masks them, which the kernel has a short way for; of a prefix it would load some bytes.
 * For what is longer there is none.
 */
function inSubnet(field: string, subnet: Cidr): string {
  if (subnet.family === 6) return `${field} ${formatCidr(networkOf(subnet))}`;
  const mask = networkOf({ ...subnet, address: 0xffffffffn });
  return `${field} & ${formatAddress(mask)} == ${formatAddress(networkOf(subnet))}`;
}
