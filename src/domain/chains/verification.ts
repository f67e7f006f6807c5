import { type Direction, directions, type ProbeSighting } from '../ports/steering.ts';

/** A hop as probes see it: the ports of its instances, by the direction in which packets come into it there. */
export interface ProbedHop {
  readonly name: string;
  /** The hop only gets copies. */
  readonly mirror: boolean;
  readonly entries: Readonly<Record<Direction, readonly string[]>>;
}

/** What a run of probes has shown. */
export interface Verification {
  /** Before what is said of it: tells versions of IP apart where there are two. */
  readonly label: '' | 'IPv4 ' | 'IPv6 ';
  readonly hops: readonly ProbedHop[];
  readonly ends: { readonly ingress: string; readonly egress: string };
  /** The direction of each packet, by its number. */
  readonly packets: readonly Direction[];
  readonly sightings: readonly ProbeSighting[];
  /** Addresses that hops translate to and what is sent to comes back through the service chain; and why hosts would not use it, in words. Defaults: none, empty. */
  readonly returns?: readonly string[];
  readonly unused?: string;
}

/** In words: `ok`, or the first hop that loses probes; then, hop by hop, how many were seen. One line each. */
export function verificationText(runs: readonly Verification[]): string {
  const lost = runs.flatMap(
    (run) =>
      firstLoss(run, 'forward') ?? translationLoss(run) ?? firstLoss(run, 'backward') ?? (run.unused ? `${run.label}${run.unused}` : []),
  );
  return [lost[0] ?? 'ok', ...runs.flatMap((run) => [...lines(run, 'forward'), ...lines(run, 'backward')])].join('\n');
}

/** Median time that each hop takes, forward and backward, in microseconds: a line each. Empty for a hop that no probe passed. */
export function latencyText(runs: readonly Verification[]): string {
  return runs.flatMap(latencies).join('\n');
}

function latencies(run: Verification): string[] {
  return run.hops
    .filter(({ mirror }) => !mirror)
    .map((hop) => {
      const [forward, backward] = directions.map((direction) => median(timesIn(run, hop, direction)));
      return `${run.label}${hop.name} ${forward ?? '-'} ${backward ?? '-'}`;
    });
}

function firstLoss(run: Verification, direction: Direction): string | undefined {
  const { ingress, egress } = run.ends;
  const way = direction === 'forward' ? `from ${ingress} to ${egress}` : `from ${egress} to ${ingress}`;
  const sent = run.packets.filter((each) => each === direction).length;
  let before = direction === 'forward' ? ingress : egress;
  for (const hop of inOrder(run, direction)) {
    const [into, from] = seen(run, hop, direction);
    if (into < sent) return `${run.label}lost between ${before} and ${hop.name}, ${way}: ${sent - into} of ${sent} probes`;
    if (!hop.mirror && from < sent) return `${run.label}lost in ${hop.name}, ${way}: ${sent - from} of ${sent} probes`;
    if (!hop.mirror) before = hop.name;
  }
  return undefined;
}

/** A hop that gives packets a source which nothing comes back to: what hosts answer is lost, although probes pass. */
function translationLoss({ label, hops, sightings, packets, returns = [] }: Verification): string | undefined {
  for (const hop of hops.filter(({ mirror }) => !mirror)) {
    const forward = sightings.filter(({ packet }) => packets[packet] === 'forward');
    const into = forward.find(({ way, port }) => way === 'into' && hop.entries.forward.includes(port))?.ends.source;
    const from = forward.find(({ way, port }) => way === 'from' && hop.entries.backward.includes(port))?.ends.source;
    if (into === undefined || from === undefined || into === from || returns.includes(from)) continue;
    return `${label}${hop.name} translates ${into} to ${from}, and what is answered to that does not come back through the service chain: translate with a VNF of type nat, to its address on the egress`;
  }
  return undefined;
}

/** A probe as it left the last hop, towards the egress; undefined when none did. */
export function exitOf(sightings: readonly ProbeSighting[], hops: readonly ProbedHop[]): ProbeSighting | undefined {
  const last = hops.findLast(({ mirror }) => !mirror);
  return sightings.find(({ way, port }) => way === 'from' && last?.entries.backward.includes(port) === true);
}

function lines(run: Verification, direction: Direction): string[] {
  return inOrder(run, direction).map((hop) => {
    const [into, from] = seen(run, hop, direction);
    return `${run.label}${direction} ${hop.name} in ${into}${hop.mirror ? '' : ` out ${from}`}`;
  });
}

function inOrder({ hops }: Verification, direction: Direction): readonly ProbedHop[] {
  return direction === 'forward' ? hops : hops.toReversed();
}

/** How many probes went into a hop, and how many came out. */
function seen(run: Verification, hop: ProbedHop, direction: Direction): [number, number] {
  const opposite = direction === 'forward' ? 'backward' : 'forward';
  return [
    new Set(sightings(run, direction, { way: 'into', ports: hop.entries[direction] }).map(({ packet }) => packet)).size,
    new Set(sightings(run, direction, { way: 'from', ports: hop.entries[opposite] }).map(({ packet }) => packet)).size,
  ];
}

function timesIn(run: Verification, hop: ProbedHop, direction: Direction): number[] {
  const opposite = direction === 'forward' ? 'backward' : 'forward';
  const out = new Map(
    sightings(run, direction, { way: 'from', ports: hop.entries[opposite] }).map(({ packet, timeNs }) => [packet, timeNs]),
  );
  return sightings(run, direction, { way: 'into', ports: hop.entries[direction] }).flatMap(({ packet, timeNs }) => {
    const end = out.get(packet);
    return end === undefined ? [] : [(end - timeNs) / 1000];
  });
}

function sightings(
  run: Verification,
  direction: Direction,
  where: { readonly way: ProbeSighting['way']; readonly ports: readonly string[] },
): ProbeSighting[] {
  return run.sightings.filter(
    ({ port, way, packet }) => way === where.way && run.packets[packet] === direction && where.ports.includes(port),
  );
}

function median(values: readonly number[]): string | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  return middle === undefined ? undefined : middle.toFixed(1);
}
