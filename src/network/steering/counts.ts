import type { ChainCounts, FlowCounts, PacketCount } from '../../domain/ports/steering.ts';
import { counterName } from './program.ts';
import { traceCounter } from './watch-rules.ts';

const none: PacketCount = { packets: 0, bytes: 0 };

/** What the counters of the steering say of one service chain. */
export function countsOf(chain: string, counters: ReadonlyMap<string, PacketCount>): ChainCounts {
  const count = (name: string): PacketCount => counters.get(name) ?? none;
  return {
    in: { forward: count(counterName.in(chain, 'forward')), backward: count(counterName.in(chain, 'backward')) },
    out: { forward: count(counterName.out(chain, 'forward')), backward: count(counterName.out(chain, 'backward')) },
    lost: count(counterName.lost(chain)),
    into: (port) => count(counterName.into(port)),
    from: (port) => count(counterName.from(port)),
  };
}

/** What they say of a traced flow. */
export function flowCountsOf(name: string, counters: ReadonlyMap<string, PacketCount>): FlowCounts {
  const packets = (counter: string): number => counters.get(counter)?.packets ?? 0;
  return {
    seen: (direction) => packets(traceCounter.seen(name, direction)),
    picked: (direction) => packets(traceCounter.picked(name, direction)),
    into: (port) => packets(traceCounter.into(name, port)),
    from: (port) => packets(traceCounter.from(name, port)),
  };
}
