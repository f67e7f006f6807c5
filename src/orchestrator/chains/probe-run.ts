import { type ProbePair, type ProbeShape, probeMark, probePacket } from '../../domain/chains/probe-packet.ts';
import { exitOf, type ProbedHop } from '../../domain/chains/verification.ts';
import type { Direction, ProbeSighting } from '../../domain/ports/steering.ts';
import { type ChainRecord, idOf } from '../../domain/records.ts';
import type { Model } from '../model.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';
import type { Steersman } from './steersman.ts';

/** How long it may take to have traffic steered otherwise, which is never cut short, milliseconds. */
const steerTimeoutMs = 60_000;

/** What to send through a service chain. */
export interface ProbeOrder {
  readonly shape: ProbeShape;
  readonly pair: ProbePair;
  readonly hops: readonly ProbedHop[];
  /** How many, each way. */
  readonly count: number;
}

/** Sends probes through a service chain: first from its ingress, then the answers of whom they reached. */
export class ProbeRunner {
  readonly #model: Model;
  readonly #steersman: Steersman;
  readonly #runtimes: ChainRuntimes;

  constructor(model: Model, parts: { readonly steersman: Steersman; readonly runtimes: ChainRuntimes }) {
    this.#model = model;
    this.#steersman = parts.steersman;
    this.#runtimes = parts.runtimes;
  }

  /**
   * Resolves to where they were seen: the first `count` numbers are those of packets from the ingress.
   *
   * @throws NetworkError when probes cannot be sent.
   */
  async run(chain: ChainRecord, order: ProbeOrder, signal: AbortSignal): Promise<readonly ProbeSighting[]> {
    const { network } = this.#model.parts;
    const runtime = this.#runtimes.of(chain.serial);
    const id = idOf(chain.serial);
    await network.openProbe(id);
    try {
      runtime.probe = probeMark(order.pair);
      await this.#steersman.steer([chain], AbortSignal.timeout(steerTimeoutMs));
      const there = await this.#send(id, 'forward', order, signal);
      const back = await this.#send(id, 'backward', answerTo(there, order), signal);
      return [...there, ...back.map((sighting) => ({ ...sighting, packet: sighting.packet + order.count }))];
    } finally {
      runtime.probe = undefined;
      await this.#steersman.steer([chain], new AbortController().signal);
      await network.closeProbe(id);
    }
  }

  #send(
    chain: string,
    direction: Direction,
    { shape, pair, hops, count }: ProbeOrder,
    signal: AbortSignal,
  ): Promise<readonly ProbeSighting[]> {
    const first = direction === 'forward' ? 0 : count;
    const packets = Array.from({ length: count }, (_, index) => ({
      direction,
      bytes: probePacket(shape, pair, { direction, number: first + index }),
    }));
    const ports = hops.flatMap(({ entries }) => [...entries.forward, ...entries.backward]);
    return this.#model.parts.network.sendProbes({ chain, mark: probeMark(pair), packets, ports }, signal);
  }
}

/** Probes that answer to how those of the other way came out: hops may have translated them. */
function answerTo(there: readonly ProbeSighting[], order: ProbeOrder): ProbeOrder {
  const seen = exitOf(there, order.hops)?.ends;
  if (seen === undefined) return order;
  const pair = { ...order.pair, ingressAddress: seen.source, egressAddress: seen.destination, number: seen.sourceNumber };
  return { ...order, pair, shape: { ...order.shape, port: seen.destinationNumber } };
}
