import type { Family } from '../ip.ts';
import type { ChainRecord, NetworkRecord } from '../records.ts';
import { admits } from './families.ts';
import { endsOf, pairsOf, type SteeringWorld } from './steering-plan.ts';

/**
 * Where active service chains lead to from a network, in a version of IP: subnets in CIDR form, each once; an empty text is everywhere. Hosts that have no default route take
 * these ways. A service chain without a router in it leads nowhere: its packets come back to the network.
 */
export function waysFrom(
  network: Pick<NetworkRecord, 'serial'>,
  family: Family,
  world: Pick<SteeringWorld, 'networks' | 'portsOn'> & { readonly chains: () => Iterable<ChainRecord> },
): string[] {
  const found = new Set<string>();
  for (const { applied } of world.chains()) {
    if (applied === undefined || (applied.ingress !== network.serial && applied.egress !== network.serial)) continue;
    const ends = endsOf(applied, world.networks());
    if (ends === undefined || !admits(applied.match, family) || !applied.hops.some(({ mode }) => mode === 'routed')) continue;
    const pair = pairsOf(ends, world).find((each) => each.family === family);
    if (pair === undefined) continue;
    const { only = '' } = applied.ingress === network.serial ? pair.destinations : pair.sources;
    found.add(only);
  }
  return [...found].sort();
}
