import { NfioError } from '../../errors/index.ts';
import type { Reach } from '../ports/steering.ts';
import type { AppliedChain, ChainRecord, NetworkRecord } from '../records.ts';
import type { MatchCondition } from './match.ts';
import { areDisjoint, subnetCondition } from './match-expression.ts';
import { endsOf, reachOf, type SteeringWorld, upstreamOf } from './steering-plan.ts';

/**
 * Refuses a service chain that could want the same packets as another active one without an order between the two.
 *
 * @throws BusyError (EEXIST) naming the other.
 */
export function checkConflicts(
  chain: { readonly serial: number; readonly applied: AppliedChain },
  others: Iterable<ChainRecord>,
  world: SteeringWorld,
): void {
  const own = wants(chain.applied, world);
  for (const other of others) {
    if (other.serial === chain.serial || other.applied === undefined || other.applied.priority !== chain.applied.priority) continue;
    const theirs = wants(other.applied, world);
    if (!own.some((one) => theirs.some((each) => one.network === each.network && !areDisjoint(one.conditions, each.conditions)))) continue;
    throw new NfioError('BusyError', {
      errno: 'EEXIST',
      message: `chns/${other.name} has priority ${other.applied.priority} too and can match the same packets: give one of them another priority (the lower one comes first)`,
    });
  }
}

/** What a service chain asks of packets, at each network that it picks them from. */
interface Want {
  readonly network: number;
  readonly conditions: readonly MatchCondition[];
}

function wants(applied: AppliedChain, world: SteeringWorld): Want[] {
  const networks = [...world.networks()];
  const ends = endsOf(applied, networks);
  if (ends === undefined) return [];
  const { ingress, egress } = ends;
  const reach = (network: NetworkRecord, other: NetworkRecord): Reach =>
    reachOf(
      network,
      upstreamOf(network, other, (name) => world.portsOn(name)),
      networks,
    );
  const [inner, outer] = [reach(ingress, egress), reach(egress, ingress)];
  const { conditions } = applied.match;
  return [
    { network: ingress.serial, conditions: [...conditions, ...within('ip saddr', inner), ...within('ip daddr', outer)] },
    { network: egress.serial, conditions: [...conditions.map(exchanged), ...within('ip saddr', outer), ...within('ip daddr', inner)] },
  ];
}

function within(field: string, { only }: Reach): MatchCondition[] {
  return only === undefined ? [] : [subnetCondition(field, only)];
}

const opposite: Readonly<Record<string, string>> = { 'ip saddr': 'ip daddr', 'ip daddr': 'ip saddr', sport: 'dport', dport: 'sport' };

function exchanged(condition: MatchCondition): MatchCondition {
  return { ...condition, field: opposite[condition.field] ?? condition.field };
}
