import { type ChainSteering, directions, type PortSteering, type SteeredSegment, type SteeringPlan } from '../../domain/ports/steering.ts';
import { idOf } from '../../domain/records.ts';
import { fabricPortName } from '../names.ts';
import { counterName, soleHolders } from './program.ts';

/** Something that the fast path is told, for fast-path.pl. */
export interface Offer {
  /** Interfaces that it is about. */
  readonly devices: readonly string[];
  /** All it says, without its key. */
  readonly words: readonly string[];
}

/** What the fast path is to know, by keys of its own: what it does not know the rules of nft do. */
export type FastWays = ReadonlyMap<string, Offer>;

/**
 * The ways that are the same for every packet behind a hop: into the next one, or out of the service chain, straight to the port on the segment
 * that has the frame's hardware address. Left to nft are the entry of a service chain, hops of several instances, hops that only look, and what is traced
 * or probed.
 */
export function fastWaysOf(plan: SteeringPlan): FastWays {
  const plain = plan.chains.filter(({ traced, probe }) => traced === undefined && probe === undefined);
  return new Map([
    ...plain.flatMap(waysOf),
    ...plan.segments.flatMap((segment) => soleHolders(segment.ports).map((port) => holder(segment, port))),
  ]);
}

/** Made once for a service chain: most of them are as they were when another one changes. */
const ways = new WeakMap<ChainSteering, readonly [string, Offer][]>();

function waysOf(chain: ChainSteering): readonly [string, Offer][] {
  const known = ways.get(chain) ?? chain.ports.flatMap((port) => wayFrom(chain, port));
  ways.set(chain, known);
  return known;
}

function wayFrom({ id, families }: ChainSteering, { port, direction, onward: { copies, target } }: PortSteering): [string, Offer][] {
  if (copies.length > 0) return [];
  const from = fabricPortName(port);
  const way = (to: string, where: string, counted: string): [string, Offer][] => {
    const words = [from, to, where, families.join(''), keyOf(counterName.from(port)), keyOf(counted)];
    return [[from, { devices: to === '' ? [from] : [from, to], words }]];
  };
  if (target.kind === 'segment') return way('', segmentNumber(target.segment), counterName.out(id, direction));
  const [entry, ...others] = target.kind === 'hop' ? target.entries : [];
  return entry === undefined || others.length > 0
    ? []
    : way(fabricPortName(entry.port), digitsOf(entry.mac ?? ''), counterName.into(entry.port));
}

function holder({ id }: SteeredSegment, { id: port, mac }: SteeredSegment['ports'][number]): [string, Offer] {
  const device = fabricPortName(port);
  const words = ['', device, digitsOf(mac), segmentNumber(id), keyOf(sentName(port)), ''];
  return [`${id} ${mac}`, { devices: [device], words }];
}

/** The counter of packets that came to a port of a segment straight from a hop: its interface in the fabric has not seen them. */
export function sentName(port: string): string {
  return `sent_${port}`;
}

/** Counters of the fast path are numbers in the kernel: of what they are named after, and of which of its counters they are. */
const countedBy: readonly ((id: string) => string)[] = [
  counterName.from,
  counterName.into,
  sentName,
  ...directions.map((direction) => (chain: string) => counterName.out(chain, direction)),
];

/** The number of a counter; empty for those that the fast path does not count by. */
export function keyOf(counter: string): string {
  const id = counter.slice(counter.lastIndexOf('_') + 1);
  const kind = countedBy.findIndex((name) => name(id) === counter);
  return kind < 0 ? '' : String(Number.parseInt(id, 36) * countedBy.length + kind);
}

/** The counter that has a number. */
export function counterOf(key: number): string {
  const name = countedBy[key % countedBy.length] as (id: string) => string;
  return name(idOf(Math.floor(key / countedBy.length)));
}

function digitsOf(mac: string): string {
  return mac.replaceAll(':', '');
}

/** Distinguishes segments in the kernel. */
function segmentNumber(id: string): string {
  return String(Number.parseInt(id, 36) % 2 ** 32);
}
