import { addressesOf, type PlacedPort } from '../addressing.ts';
import { type Family, formatAddress, parseCidr } from '../ip.ts';
import type { AppliedChain, AppliedHop } from '../records.ts';

/** What is to be known of VNFs to find out which addresses a service chain has packets come back to. */
export interface TranslationWorld {
  /** Ports on a network, of all VNFs. */
  portsOn(network: string): Iterable<PlacedPort>;
  /** True for a type whose guests translate the addresses of what they pass on. */
  translates?(type: string): boolean;
}

/**
 * The addresses that a VNF translates to as a hop: those of its own ports on the egress, in a version of IP. There the egress finds it, and what comes back to them
 * is steered into the hop. None for a VNF that does not translate.
 */
export function translatedAddresses(
  vnf: number,
  on: { readonly network: string; readonly family: Family },
  world: TranslationWorld,
): string[] {
  const own = [...world.portsOn(on.network)].filter((each) => each.vnf.serial === vnf && world.translates?.(each.vnf.type) === true);
  const addresses = own.flatMap(({ port }) => addressesOf(port)).map(parseCidr);
  return addresses.filter(({ family }) => family === on.family).map(formatAddress);
}

/** The hops of a service chain that can translate, from the ingress to the egress: who shares a hop cannot. */
export function translatingHops({ hops }: AppliedChain): readonly AppliedHop[] {
  return hops.filter(({ mode, instances }) => mode === 'routed' && instances.length === 1);
}

/** Addresses that hops before the one of an index, towards the ingress, translate to: what comes back to the hop is for them. */
export function translatedBefore(
  applied: AppliedChain,
  before: { readonly hop: number; readonly network: string; readonly family: Family },
  world: TranslationWorld,
): string[] {
  const hops = translatingHops({ ...applied, hops: applied.hops.slice(0, before.hop) });
  return hops.flatMap(({ instances }) => instances.flatMap(({ vnf }) => translatedAddresses(vnf, before, world)));
}
