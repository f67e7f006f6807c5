import { type ChainCounts, directions, type FlowCounts, type PacketCount } from '../../domain/ports/steering.ts';
import { counterName } from './program.ts';
import { traceCounter } from './watch-rules.ts';

type Counters = ReadonlyMap<string, PacketCount>;

const none: PacketCount = { packets: 0, bytes: 0 };

/** The counters of a service chain, and of these ports of its hops. */
export function countersOf(chain: string, ports: readonly string[]): string[] {
  return [
    ...directions.flatMap((direction) => [counterName.in(chain, direction), counterName.out(chain, direction)]),
    ...ports.flatMap((port) => [counterName.into(port), counterName.from(port)]),
  ];
}

/** What they say. */
export function countsOf(chain: string, counters: Counters): ChainCounts {
  const count = (name: string): PacketCount => counters.get(name) ?? none;
  return {
    in: { forward: count(counterName.in(chain, 'forward')), backward: count(counterName.in(chain, 'backward')) },
    out: { forward: count(counterName.out(chain, 'forward')), backward: count(counterName.out(chain, 'backward')) },
    into: (port) => count(counterName.into(port)),
    from: (port) => count(counterName.from(port)),
  };
}

/** The counters of a traced flow, and of it at these ports. */
export function flowCountersOf(name: string, ports: readonly string[]): string[] {
  return [
    ...directions.flatMap((direction) => [traceCounter.seen(name, direction), traceCounter.picked(name, direction)]),
    ...ports.flatMap((port) => [traceCounter.into(name, port), traceCounter.from(name, port)]),
  ];
}

/** What they say. */
export function flowCountsOf(name: string, counters: Counters): FlowCounts {
  const packets = (counter: string): number => counters.get(counter)?.packets ?? 0;
  return {
    seen: (direction) => packets(traceCounter.seen(name, direction)),
    picked: (direction) => packets(traceCounter.picked(name, direction)),
    into: (port) => packets(traceCounter.into(name, port)),
    from: (port) => packets(traceCounter.from(name, port)),
  };
}
