import type {
  ChainSteering,
  Classifier,
  Direction,
  HopEntry,
  Onward,
  PortSteering,
  Reach,
  SteeringPlan,
} from '../../domain/ports/steering.ts';
import { buckets } from '../../domain/ports/steering.ts';
import { bridgeName, fabricPortName, probeDevices } from '../names.ts';
import { type Part, WatchRules } from './watch-rules.ts';

/** The table of a fabric that steers. Names in it are made of ids of `[a-z0-9]`, never of what users write. */
export const steeringTable = 'netdev nfio_chains';

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
 */
export function programOf(plan: SteeringPlan): NftProgram {
  const program = new ProgramBuilder();
  for (const chain of plan.chains) program.addChain(chain);
  for (const segment of plan.segments) {
    const rules = segmentRules(segment.id, plan.chains, program.counters);
    program.chains.set(`segment_${segment.id}`, { device: undefined, policy: 'accept', rules });
    const devices = [...segment.ports.map(fabricPortName), ...(segment.uplink === '' ? [] : [segment.uplink])];
    for (const device of devices) program.chains.set(atName(device), segmentEntry(device, segment.id));
  }
  return program;
}

/** The nft chain that frames from a port on a segment enter. */
export function segmentEntry(device: string, segment: string): NftChain {
  return { device, policy: 'accept', rules: [`goto segment_${segment}`] };
}

/** The name of the nft chain at an interface. Names of uplinks are their users': only some characters may stand in a name of nft's. */
export function atName(device: string): string {
  return `at_${[...device].map((each) => (/[a-z0-9]/.test(each) ? each : `_${each.codePointAt(0)?.toString(16)}_`)).join('')}`;
}

class ProgramBuilder implements NftProgram {
  readonly chains = new Map<string, NftChain>();
  readonly counters = new Set<string>();

  addChain(chain: ChainSteering): void {
    const watch = new WatchRules(chain, this.counters);
    this.counters.add(counterName.lost(chain.id));
    for (const direction of ['forward', 'backward'] as const) {
      const counted = counterName.in(chain.id, direction);
      this.counters.add(counted);
      this.counters.add(counterName.out(chain.id, direction));
      const rules = joined([
        ...watch.picked(direction),
        `counter name ${counted}`,
        ...this.#onward(chain, direction, chain.entries[direction]),
      ]);
      this.chains.set(entryName(chain.id, direction), { device: undefined, policy: 'accept', rules });
    }
    for (const port of chain.ports) this.#addPort(chain, port, watch);
    if (chain.probe !== undefined) this.#addProbe(chain);
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
    const passing = joined([...watch.from(port.port, port.direction), `counter name ${counted}`, ...onward]);
    const device = fabricPortName(port.port);
    this.chains.set(atName(device), {
      device,
      policy: 'drop',
      rules: [...passing.map((rule) => `meta protocol ip ${rule}`), ...askRules(port)],
    });
  }

  #onward(chain: ChainSteering, direction: Direction, { copies, target }: Onward): Part[] {
    const watch = new WatchRules(chain, this.counters);
    const copying = copies.flatMap((port) => [...watch.into(port, direction), this.#copy(port)]);
    switch (target.kind) {
      case 'hop':
        return [...copying, ...this.#enter(chain, direction, target.entries)];
      case 'segment':
        return [
          ...copying,
          ...watch.ends(),
          `counter name ${counterName.out(chain.id, direction)} fwd to "${bridgeName({ id: target.segment })}"`,
        ];
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

  /** Into the instance that a flow goes to: the hash is the same for both its directions. */
  #enter(chain: ChainSteering, direction: Direction, entries: readonly HopEntry[]): Part[] {
    const ways = entries.map((entry) => this.#entry(chain, direction, entry));
    if (ways.length === 1) return ways.flat();
    for (const [index, way] of ways.entries()) {
      this.chains.set(`into_${entries[index]?.port}`, { device: undefined, policy: 'accept', rules: joined(way) });
    }
    const elements = entries.flatMap(({ port, buckets: own }) => own.map((bucket) => `${bucket} : goto into_${port}`));
    return [`symhash mod ${buckets} vmap { ${elements.join(', ')} }`];
  }

  #entry(chain: ChainSteering, direction: Direction, { port, mac }: HopEntry): Part[] {
    const counted = counterName.into(port);
    this.counters.add(counted);
    const addressed = mac === undefined ? '' : `ether daddr set ${mac} `;
    return [
      ...new WatchRules(chain, this.counters).into(port, direction),
      `counter name ${counted} ${addressed}fwd to "${fabricPortName(port)}"`,
    ];
  }
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

/** A hop may ask for hardware addresses, in its own name, and for nothing else. */
function askRules({ asks }: PortSteering): string[] {
  if (asks === undefined) return [];
  const { segment, address, mac } = asks;
  return [`arp operation request arp saddr ip ${address} arp saddr ether ${mac} fwd to "${bridgeName({ id: segment })}"`];
}

/** What becomes of a frame that comes from a port on a segment. */
function segmentRules(segment: string, chains: readonly ChainSteering[], counters: Set<string>): string[] {
  const answered = chains.flatMap(({ ports }) =>
    ports.flatMap(({ port, asks }) => (asks?.segment === segment ? [{ port, mac: asks.mac }] : [])),
  );
  const picked = chains.flatMap((chain) =>
    (['forward', 'backward'] as const).flatMap((direction) => {
      const classifier = chain.classifiers[direction];
      if (classifier.segment !== segment) return [];
      return [pickRule(classifier, entryName(chain.id, direction), chain.entries[direction])];
    }),
  );
  const seen = chains.flatMap((chain) =>
    (['forward', 'backward'] as const).flatMap((direction) =>
      chain.classifiers[direction].segment === segment ? new WatchRules(chain, counters).seen(direction).map(({ rule }) => rule) : [],
    ),
  );
  if (answered.length === 0) return [...seen, ...picked];
  // Only answers to what hops ask are addressed to them: they come last.
  const elements = answered.map(({ port, mac }) => `${mac} : "${fabricPortName(port)}"`);
  return [...seen, ...picked, `fwd to ether daddr map { ${elements.join(', ')} }`];
}

/** Where packets go on as they were, the next service chain may want them too. */
function pickRule({ sources, destinations, condition }: Classifier, entry: string, { target }: Onward): string {
  const verdict = target.kind === 'plain' ? 'jump' : 'goto';
  return [addressCondition('saddr', sources), addressCondition('daddr', destinations), condition, `${verdict} ${entry}`]
    .filter((part) => part !== '')
    .join(' ');
}

function addressCondition(field: 'saddr' | 'daddr', { only, except }: Reach): string {
  if (only !== undefined) return `ip ${field} ${only}`;
  return except.length === 0 ? '' : `ip ${field} != { ${except.join(', ')} }`;
}
