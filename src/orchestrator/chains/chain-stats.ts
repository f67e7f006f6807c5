import type { ChainCounts, PacketCount } from '../../domain/ports/steering.ts';
import { type AppliedHop, idOf } from '../../domain/records.ts';
import type { Model } from '../model.ts';

/** What came in and what went out at one place, in both directions together. */
interface Flow {
  readonly in: PacketCount;
  readonly out: PacketCount;
}

/** Counts what service chains and their hops pass on. */
export class ChainStats {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /**
   * A counter of a service chain, or of one of its hops; undefined when it is not steered.
   *
   * @param counter `in_packets`, `out_bytes`, `drops`, …
   */
  async read(chain: number, hop: number | undefined, counter: string, signal: AbortSignal): Promise<number | undefined> {
    const record = this.#model.inventory.chain(chain);
    if (record?.applied === undefined) return undefined;
    const applied = record.applied.hops.find(({ serial }) => serial === hop);
    if (hop !== undefined && applied === undefined) return undefined;
    const counts = await this.#model.parts.network.chainCounts(idOf(chain), applied === undefined ? [] : portsOf(applied), signal);
    return counterOf(applied === undefined ? wholeFlow(counts) : hopFlow(applied, counts), counter);
  }
}

function counterOf(flow: Flow, counter: string): number {
  switch (counter) {
    case 'in_packets':
      return flow.in.packets;
    case 'in_bytes':
      return flow.in.bytes;
    case 'out_packets':
      return flow.out.packets;
    case 'out_bytes':
      return flow.out.bytes;
    default:
      return Math.max(flow.in.packets - flow.out.packets, 0);
  }
}

function wholeFlow(counts: ChainCounts): Flow {
  return { in: sum([counts.in.forward, counts.in.backward]), out: sum([counts.out.forward, counts.out.backward]) };
}

/** Copies that a hop gets do not come out again, and are not lost. */
function hopFlow(hop: AppliedHop, counts: ChainCounts): Flow {
  const ports = portsOf(hop);
  const into = sum(ports.map((port) => counts.into(port)));
  return { in: into, out: hop.mode === 'mirror' ? into : sum(ports.map((port) => counts.from(port))) };
}

function portsOf({ instances }: AppliedHop): string[] {
  return instances.flatMap(({ ingressPort, egressPort }) => [idOf(ingressPort), idOf(egressPort)]);
}

function sum(counts: readonly PacketCount[]): PacketCount {
  return counts.reduce((total, each) => ({ packets: total.packets + each.packets, bytes: total.bytes + each.bytes }), {
    packets: 0,
    bytes: 0,
  });
}
