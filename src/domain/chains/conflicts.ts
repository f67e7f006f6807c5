import { NfioError } from '../../errors/index.ts';
import type { Reach, ReachPair } from '../ports/steering.ts';
import type { AppliedChain, ChainRecord } from '../records.ts';
import { familyCondition } from './families.ts';
import type { MatchCondition } from './match.ts';
import { areDisjoint, subnetConditions } from './match-expression.ts';
import { endsOf, pairsOf, type SteeringWorld } from './steering-plan.ts';

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
      message: `chns/${other.name} has priority ${other.applied.priority} too and can match the same packets. Run: echo NUMBER > chns/${other.name}/priority (the lower one comes first)`,
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
  return pairsOf(ends, world).flatMap((pair) => {
    const conditions = [...applied.match.conditions, ...conditionsOfPair(pair)];
    return [
      { network: ingress.serial, conditions },
      { network: egress.serial, conditions: conditions.map(exchanged) },
    ];
  });
}

function conditionsOfPair({ family, sources, destinations }: ReachPair): MatchCondition[] {
  const protocol = family === 4 ? 'ip' : 'ip6';
  return [familyCondition(family), ...within(`${protocol} saddr`, sources), ...within(`${protocol} daddr`, destinations)];
}

function within(field: string, { only }: Reach): MatchCondition[] {
  return only === undefined ? [] : subnetConditions(field, only);
}

/** Of a source what is asked of a destination, and the other way about. */
function exchanged(condition: MatchCondition): MatchCondition {
  const field = condition.field.replace(/([sd])(addr|port)/, (_, end, what) => `${end === 's' ? 'd' : 's'}${what}`);
  return { ...condition, field };
}
