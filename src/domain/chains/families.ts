import { NfioError } from '../../errors/index.ts';
import { subnetOf } from '../addressing.ts';
import type { Family } from '../ip.ts';
import type { NetworkRecord } from '../records.ts';
import type { ChainMatch, MatchCondition } from './match.ts';

const families: readonly Family[] = [4, 6];

/** The field that says which version of IP a condition is about. */
export const familyField = 'family';

/** Versions of IP that two networks both have a subnet of: what a service chain between them passes on. */
export function commonFamilies(one: NetworkRecord, other: NetworkRecord): Family[] {
  return families.filter((family) => subnetOf(one, family) !== undefined && subnetOf(other, family) !== undefined);
}

/** True unless a match is about packets of the other version of IP. */
export function admits({ conditions }: Pick<ChainMatch, 'conditions'>, family: Family): boolean {
  const allows = ({ ranges }: MatchCondition): boolean => ranges?.some(([least, most]) => least <= family && family <= most) ?? true;
  return conditions.every((condition) => condition.field !== familyField || allows(condition));
}

/**
 * Versions of IP that a service chain takes packets of.
 *
 * @throws InvalidValueError (EINVAL) when there is none: what is matched is not on these networks.
 */
export function familiesOf(
  ends: { readonly ingress: NetworkRecord; readonly egress: NetworkRecord },
  match: ChainMatch,
): [Family, ...Family[]] {
  const common = commonFamilies(ends.ingress, ends.egress);
  const [first, ...more] = common.filter((family) => admits(match, family));
  if (first !== undefined) return [first, ...more];
  throw new NfioError('InvalidValueError', {
    message: `match: "${match.text}" is about packets that are not on ${ends.ingress.name} and ${ends.egress.name}, which both have IPv${common.join(' and IPv')}`,
  });
}

/** What a match asks that is about one version of IP. */
export function familyCondition(family: Family): MatchCondition {
  return { field: familyField, ranges: [[family, family]] };
}
