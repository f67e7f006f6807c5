import type { Direction, Flow, FlowCounts } from '../ports/steering.ts';
import { flowBack, flowText } from './flow.ts';
import type { ProbedHop } from './verification.ts';

/** A traced flow, and what was counted of it. */
export interface Trace {
  readonly flow: Flow;
  readonly hops: readonly ProbedHop[];
  readonly ends: { readonly ingress: string; readonly egress: string };
  readonly counts: FlowCounts;
}

/** Hop by hop what happened to the packets of a flow since it is traced: a line each, first those of the flow, then the answers. */
export function traceText(trace: Trace): string {
  return [...way(trace, 'forward'), ...way(trace, 'backward')].join('\n');
}

function way({ flow, hops, ends, counts }: Trace, direction: Direction): string[] {
  const forward = direction === 'forward';
  const [from, to] = forward ? [ends.ingress, ends.egress] : [ends.egress, ends.ingress];
  const [seen, picked] = [counts.seen(direction), counts.picked(direction)];
  const plain = seen > picked ? `, ${seen - picked} took another way: they do not match, or another service chain wants them` : '';
  const lines = [`${direction} ${flowText(forward ? flow : flowBack(flow))}`, `${from}: ${seen} seen, ${picked} taken${plain}`];
  let out = picked;
  for (const hop of forward ? hops : hops.toReversed()) {
    const into = sum(hop.entries[direction], counts.into);
    if (hop.mirror) {
      lines.push(`${hop.name}: ${into} copied`);
      continue;
    }
    out = sum(hop.entries[forward ? 'backward' : 'forward'], counts.from);
    lines.push(`${hop.name}: ${into} in, ${out} out${into > out ? `: ${into - out} dropped, answered or changed here` : ''}`);
  }
  return [...lines, `${to}: ${out} out`];
}

function sum(ports: readonly string[], count: (port: string) => number): number {
  return ports.reduce((total, port) => total + count(port), 0);
}
