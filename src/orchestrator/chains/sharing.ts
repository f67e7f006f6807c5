import { commonFamilies } from '../../domain/chains/families.ts';
import type { HopMode, NetworkRecord } from '../../domain/records.ts';
import { NfioError } from '../../errors/index.ts';

/** What types of VNF do with packets that pass them. */
export interface SharingWorld {
  /** True for a type whose guests translate addresses. */
  translates(type: string): boolean;
  /** True for a type whose guests end connections and make their own. */
  intercepts(type: string): boolean;
}

/** A hop that several instances are to share, between the networks of its service chain. */
export interface SharedHop {
  readonly name: string;
  readonly mode: HopMode;
  /** Of its instances. */
  readonly type: string;
  readonly ingress: NetworkRecord;
  readonly egress: NetworkRecord;
}

/**
 * Instances of a hop share its flows by a hash that is the same for both directions. Where a VNF makes other flows of those that it gets, what comes back of these has
 * another hash, and would reach another instance.
 *
 * @throws InvalidValueError (EINVAL) for a hop of such VNFs.
 */
export function checkSharing(hop: SharedHop, world: SharingWorld): void {
  const does = hop.mode === 'routed' ? whatItDoes(hop, world) : undefined;
  if (does === undefined) return;
  throw new NfioError('InvalidValueError', {
    message: `hop ${hop.name}: VNFs of type ${hop.type} ${does}: what comes back is for one of them, so they cannot share a hop. Leave one link in it`,
  });
}

/** Connections of IPv6 pass an interceptor. */
function whatItDoes({ type, ingress, egress }: SharedHop, world: SharingWorld): string | undefined {
  if (world.translates(type)) return 'translate addresses';
  return world.intercepts(type) && commonFamilies(ingress, egress).includes(4) ? 'end connections and make their own' : undefined;
}
