import { flowBack } from '../../domain/chains/flow.ts';
import { ipv6HeaderBytes } from '../../domain/chains/probe-packet.ts';
import type { Family } from '../../domain/ip.ts';
import type { ChainSteering, Direction, Flow, FlowEnd, ProbeMark } from '../../domain/ports/steering.ts';

/** Names of the counters of a traced flow. */
export const traceCounter = {
  seen: (name: string, direction: Direction): string => `trace_${name}_seen_${direction}`,
  picked: (name: string, direction: Direction): string => `trace_${name}_picked_${direction}`,
  into: (name: string, port: string): string => `trace_${name}_into_${port}`,
  from: (name: string, port: string): string => `trace_${name}_from_${port}`,
};

/** A part of what becomes of a packet: statements for all that come so far, or a rule of its own for some of them. */
export type Part = string | Conditional;

/** A rule that concerns some packets only. */
export interface Conditional {
  readonly rule: string;
  /** The version of IP of those packets. */
  readonly family: Family;
}

/** Rules that look at packets of a service chain and change nothing about their way; those of a counter make it known. */
export class WatchRules {
  readonly #chain: ChainSteering;
  readonly #counters: Set<string>;

  constructor(chain: ChainSteering, counters: Set<string>) {
    this.#chain = chain;
    this.#counters = counters;
  }

  /** Where frames come from a segment. */
  seen(direction: Direction): Conditional[] {
    return this.#count(direction, (name) => traceCounter.seen(name, direction));
  }

  /** Where packets were picked. */
  picked(direction: Direction): Conditional[] {
    return this.#count(direction, (name) => traceCounter.picked(name, direction));
  }

  into(port: string, direction: Direction): Conditional[] {
    return this.#count(direction, (name) => traceCounter.into(name, port));
  }

  from(port: string, direction: Direction): Conditional[] {
    return this.#count(direction, (name) => traceCounter.from(name, port));
  }

  /** Where packets leave the service chain: probes stay in it. */
  ends(): Conditional[] {
    return this.probes('drop');
  }

  /** Something for probes alone. */
  probes(verdict: string): Conditional[] {
    const { probe } = this.#chain;
    return probe === undefined ? [] : [{ family: probe.family, rule: `${probeCondition(probe)} ${verdict}` }];
  }

  #count(direction: Direction, counter: (name: string) => string): Conditional[] {
    const { traced } = this.#chain;
    if (traced === undefined) return [];
    const name = counter(traced.name);
    this.#counters.add(name);
    const { flow } = traced;
    return [{ family: flow.family, rule: `${flowCondition(direction === 'forward' ? flow : flowBack(flow))} counter name ${name}` }];
  }
}

function probeCondition({ family, label, length }: ProbeMark): string {
  return family === 4 ? `ip id ${label} ip length ${length}` : `ip6 flowlabel ${label} ip6 length ${length - ipv6HeaderBytes}`;
}

function flowCondition({ protocol, family, source, destination }: Flow): string {
  const port = (field: string, { port: number }: FlowEnd): string => (number === undefined ? '' : ` ${protocol} ${field} ${number}`);
  const ports = `${port('sport', source)}${port('dport', destination)}`;
  if (family === 4) return `ip saddr ${source.address} ip daddr ${destination.address} ip protocol ${protocol}${ports}`;
  const last = protocol === 'icmp' ? 'ipv6-icmp' : protocol;
  return `ip6 saddr ${source.address} ip6 daddr ${destination.address} meta l4proto ${last}${ports}`;
}
