import { addressesOf, gatewayOf, type PlacedPort, subnetOf } from '../addressing.ts';
import { addressBits, type Family, formatAddress, parseCidr } from '../ip.ts';
import { type GuardWorld, guardOf } from '../port-guard.ts';
import { derivedMac, macOf } from '../port-plan.ts';
import {
  type Asking,
  buckets,
  type ChainSteering,
  type Classifier,
  type Direction,
  type HopEntry,
  type Onward,
  type PortSteering,
  type Reach,
  type ReachPair,
  type SteeredPort,
  type SteeredSegment,
  type SteeringPlan,
} from '../ports/steering.ts';
import { type AppliedChain, type AppliedHop, type AppliedInstance, type ChainRecord, idOf, type NetworkRecord } from '../records.ts';
import { chainPortAddress, linkLocalAddress, signingAddress } from './chain-ports.ts';
import { admits, commonFamilies } from './families.ts';
import { spread } from './spread.ts';
import { type TranslationWorld, translatedBefore } from './translation.ts';

/** VNFs and networks as they are. */
export interface SteeringWorld extends TranslationWorld, GuardWorld {
  readonly mountId: string;
  networks(): Iterable<NetworkRecord>;
  /** Ports on a network, of all VNFs. */
  portsOn(network: string): Iterable<PlacedPort>;
  /** True for a VNF whose guest runs, so that its ports are there. */
  runs(vnf: number): boolean;
  /** False for a VNF that runs, but would not pass on what a service chain, by serial, sends it: it is being started or stopped. */
  isReady?(chain: number, vnf: number): boolean;
  /** What is to be looked at in a service chain, by serial. */
  watched?(chain: number): Pick<ChainSteering, 'traced' | 'probe'> | undefined;
}

/** How all active service chains are to be steered now. Pure: the same records and the same guests give the same plan. */
export function planSteering(chains: Iterable<ChainRecord>, world: SteeringWorld): SteeringPlan {
  return new SteeringPlanner().plan(chains, world);
}

/** The same, and what was planned of a service chain before is planned again only where something of it has changed. */
export class SteeringPlanner {
  /** By serial. */
  #planned = new Map<number, ChainSteering>();

  /** @param changed Serials of the service chains of which records, guests, networks or what is looked at have changed; undefined: any may have. */
  plan(chains: Iterable<ChainRecord>, world: SteeringWorld, changed?: ReadonlySet<number>): SteeringPlan {
    const networks = [...world.networks()];
    const before = this.#planned;
    this.#planned = new Map();
    for (const chain of chains) {
      const kept = changed === undefined || changed.has(chain.serial) ? undefined : before.get(chain.serial);
      const plan = kept ?? planChain(chain, world, networks);
      if (plan !== undefined) this.#planned.set(chain.serial, plan);
    }
    const planned = [...this.#planned.values()];
    const used = new Set(planned.flatMap(({ classifiers }) => [classifiers.forward.segment, classifiers.backward.segment]));
    const segments = networks.filter(({ serial }) => used.has(idOf(serial))).map((network) => segmentOf(network, world));
    return { chains: planned.toSorted((a, b) => a.priority - b.priority), segments };
  }
}

function planChain({ serial, applied }: ChainRecord, world: SteeringWorld, networks: readonly NetworkRecord[]): ChainSteering | undefined {
  const ends = applied === undefined ? undefined : endsOf(applied, networks);
  if (applied === undefined || ends === undefined) return undefined;
  return { ...new ChainPlanner({ serial, applied }, ends, world).plan(), ...world.watched?.(serial) };
}

/** The two networks of a service chain. */
export interface ChainEnds {
  readonly ingress: NetworkRecord;
  readonly egress: NetworkRecord;
}

/** Both networks, undefined when one is not there any more. */
export function endsOf({ ingress, egress }: AppliedChain, networks: Iterable<NetworkRecord>): ChainEnds | undefined {
  const found = [...networks];
  const [first, last] = [ingress, egress].map((serial) => found.find((network) => network.serial === serial));
  return first === undefined || last === undefined ? undefined : { ingress: first, egress: last };
}

/** One end of a service chain, in a version of IP, and what is around it. */
export interface ChainEnd {
  readonly network: NetworkRecord;
  readonly family: Family;
  /** The network at the other end. */
  readonly other: NetworkRecord;
}

/** The way from a network to all that is not on it, undefined when there is none that does not lead through the other end. */
export function upstreamOf({ network, family, other }: ChainEnd, portsOn: SteeringWorld['portsOn']): string | undefined {
  const gateway = gatewayOf(network, family);
  if (gateway === undefined) return undefined;
  const holders = [...portsOn(network.name)].filter(({ port }) =>
    addressesOf(port).some((each) => formatAddress(parseCidr(each)) === gateway),
  );
  // A copy that is not deployed may have the same address.
  const holder = holders.find(({ vnf }) => vnf.deployed) ?? holders[0];
  const joins = holder?.vnf.ports.some((port) => port.settings['network'] === other.name) ?? false;
  return joins ? undefined : gateway;
}

/** What IPv6 has on every link: nothing that a way leads on to. */
const onEveryLink: Readonly<Record<Family, readonly string[]>> = { 4: [], 6: ['fe80::/10', 'ff00::/8'] };

/** What is at one end: its subnet, or, where a way leads on, all that is on no other network of the mount. */
export function reachOf(end: ChainEnd, world: Pick<SteeringWorld, 'networks' | 'portsOn'>): Reach {
  const { network, family } = end;
  if (upstreamOf(end, (name) => world.portsOn(name)) === undefined) return { only: subnetOf(network, family), except: [] };
  const others = [...world.networks()].filter((each) => each.serial !== network.serial);
  return { only: undefined, except: [...others.flatMap((each) => subnetOf(each, family) ?? []), ...onEveryLink[family]] };
}

/** Where packets of the ingress come from and go to, for each version of IP that both networks have. */
export function pairsOf({ ingress, egress }: ChainEnds, world: Pick<SteeringWorld, 'networks' | 'portsOn'>): ReachPair[] {
  return commonFamilies(ingress, egress).map((family) => ({
    family,
    sources: reachOf({ network: ingress, family, other: egress }, world),
    destinations: reachOf({ network: egress, family, other: ingress }, world),
  }));
}

class ChainPlanner {
  readonly #serial: number;
  readonly #applied: AppliedChain;
  readonly #ends: ChainEnds;
  readonly #world: SteeringWorld;
  readonly #pairs: readonly ReachPair[];
  /** A service chain without a router leaves the packets on the segment that they come from: the router there passes them on. */
  readonly #bends: boolean;

  constructor({ serial, applied }: { readonly serial: number; readonly applied: AppliedChain }, ends: ChainEnds, world: SteeringWorld) {
    this.#serial = serial;
    this.#applied = applied;
    this.#ends = ends;
    this.#world = world;
    this.#pairs = pairsOf(ends, world).filter(({ family }) => admits(applied.match, family));
    this.#bends = applied.hops.every((hop) => hop.mode !== 'routed' || this.#isSkipped(hop));
  }

  plan(): ChainSteering {
    const { hops } = this.#applied;
    const ports = hops.flatMap((hop, index) => (hop.mode === 'mirror' ? [] : this.#portsOf(hop, index)));
    return {
      id: idOf(this.#serial),
      priority: this.#applied.priority,
      families: this.#families,
      classifiers: { forward: this.#classifier('forward'), backward: this.#classifier('backward') },
      entries: { forward: this.#onward(-1, 'forward'), backward: this.#onward(hops.length, 'backward') },
      ports,
    };
  }

  get #families(): Family[] {
    return this.#pairs.map(({ family }) => family);
  }

  #classifier(direction: Direction): Classifier {
    const { ingress, egress } = this.#ends;
    const { match } = this.#applied;
    const segment = idOf((direction === 'forward' || this.#bends ? ingress : egress).serial);
    return direction === 'forward'
      ? { segment, pairs: this.#pairs, condition: match.forward }
      : { segment, pairs: this.#pairs.map(reversed), condition: match.backward, ...this.#translated() };
  }

  /** What comes back to addresses that hops translate to. */
  #translated(): Pick<Classifier, 'translated'> {
    const { match, hops } = this.#applied;
    const network = this.#ends.egress.name;
    const pairs = this.#pairs.flatMap((pair) => {
      const found = translatedBefore(this.#applied, { hop: hops.length, network, family: pair.family }, this.#world);
      return found.map((address) => ({ ...reversed(pair), destinations: { only: `${address}/${addressBits(pair.family)}`, except: [] } }));
    });
    return pairs.length === 0 ? {} : { translated: { pairs, condition: match.translated ?? match.backward } };
  }

  /** Addresses that the hop of a port translates to, by version of IP. */
  #translatedBy(hop: AppliedHop): Asking['translated'] {
    const network = this.#ends.egress.name;
    const single = { ...this.#applied, hops: [hop] };
    const found = this.#families.map((family) => [family, translatedBefore(single, { hop: 1, network, family }, this.#world)] as const);
    return found.some(([, addresses]) => addresses.length > 0) ? Object.fromEntries(found) : undefined;
  }

  /** Those of a guest that is being stopped are among them: what is inside still comes out. */
  #portsOf(hop: AppliedHop, index: number): PortSteering[] {
    return hop.instances
      .filter(({ vnf }) => this.#world.runs(vnf))
      .flatMap(({ ingressPort, egressPort }) => [
        this.#port(egressPort, 'forward', { hop, onward: this.#onward(index, 'forward') }),
        this.#port(ingressPort, 'backward', { hop, onward: this.#onward(index, 'backward') }),
      ]);
  }

  #port(serial: number, direction: Direction, { hop, onward }: { readonly hop: AppliedHop; readonly onward: Onward }): PortSteering {
    const end = direction === 'forward' ? this.#ends.egress : this.#ends.ingress;
    const { mountId } = this.#world;
    const mac = derivedMac(mountId, serial);
    const own = (family: Family): string[] =>
      family === 4 ? [chainPortAddress(serial)] : [linkLocalAddress(mac), signingAddress(mountId, serial)];
    const addresses = Object.fromEntries(this.#families.map((family) => [family, own(family)]));
    const translated = direction === 'forward' ? this.#translatedBy(hop) : undefined;
    const asks = { segment: idOf(end.serial), mac, addresses, ...(translated && { translated }) };
    return { port: idOf(serial), direction, asks: hop.mode === 'routed' ? asks : undefined, onward };
  }

  /** What becomes of packets behind the hop of an index. */
  #onward(index: number, direction: Direction): Onward {
    const step = direction === 'forward' ? 1 : -1;
    const { hops } = this.#applied;
    const copies: string[] = [];
    for (let next = index + step; next >= 0 && next < hops.length; next += step) {
      const hop = hops[next] as AppliedHop;
      const alive = hop.instances.filter(({ vnf }) => this.#isAlive(vnf));
      if (hop.mode === 'mirror') copies.push(...alive.map(({ ingressPort }) => idOf(ingressPort)));
      else if (alive.length > 0) return { copies, target: { kind: 'hop', entries: this.#entries(hop, alive, direction) } };
      else if (!this.#isSkipped(hop)) return { copies, target: { kind: 'nowhere' } };
    }
    return { copies, target: this.#end(direction) };
  }

  #end(direction: Direction): Onward['target'] {
    const passes = this.#applied.hops.some((hop) => hop.mode !== 'mirror' && !this.#isSkipped(hop));
    if (!passes) return { kind: 'plain' };
    const end = direction === 'backward' || this.#bends ? this.#ends.ingress : this.#ends.egress;
    return { kind: 'segment', segment: idOf(end.serial) };
  }

  #entries(hop: AppliedHop, alive: readonly AppliedInstance[], direction: Direction): HopEntry[] {
    const members = alive.map(({ vnf }) => idOf(vnf));
    const shares = members.length > 1 ? spread(members, buckets) : [];
    return alive.map(({ ingressPort, egressPort }, index) => {
      const serial = direction === 'forward' ? ingressPort : egressPort;
      const mac = hop.mode === 'routed' ? derivedMac(this.#world.mountId, serial) : undefined;
      return { port: idOf(serial), mac, buckets: shares[index] ?? [] };
    });
  }

  /** True for a hop that packets go around: it is dead, and the policy says so. */
  #isSkipped(hop: AppliedHop): boolean {
    return this.#applied.failure === 'open' && !hop.instances.some(({ vnf }) => this.#isAlive(vnf));
  }

  #isAlive(vnf: number): boolean {
    return this.#world.runs(vnf) && this.#world.isReady?.(this.#serial, vnf) !== false;
  }
}

function reversed({ family, sources, destinations }: ReachPair): ReachPair {
  return { family, sources: destinations, destinations: sources };
}

function steeredPort(placed: PlacedPort, network: NetworkRecord, world: SteeringWorld): SteeredPort {
  const guard = guardOf(placed, network, world);
  const port = { id: idOf(placed.port.serial), mac: macOf(placed, world.mountId), addresses: addressesOf(placed.port) };
  return guard === undefined ? port : { ...port, guard };
}

function segmentOf(network: NetworkRecord, world: SteeringWorld): SteeredSegment {
  const ports = [...world.portsOn(network.name)]
    .filter(({ vnf }) => world.runs(vnf.serial))
    .map((placed) => steeredPort(placed, network, world));
  return { id: idOf(network.serial), ports, uplink: network.settings['uplink'] ?? '' };
}
