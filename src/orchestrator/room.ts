import { totalmem } from 'node:os';
import { ownerOf } from '../domain/authority.ts';
import { defaultName, isDefaultQuota, type Limited, type Limits, limitsOf, limitText, machineLimits, type Use } from '../domain/quotas.ts';
import type { ObjectRecord, QuotaRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { World } from './world.ts';

/** What can be made more. */
type Counted = Limited & keyof Use;

const nouns: Readonly<Record<Counted, string>> = {
  vnfs: 'VNFs',
  ports: 'ports',
  hops: 'hops and links of service chains',
  vcpus: 'processors for what is deployed',
  memory: 'bytes of memory for what is deployed',
};

/** The limits that an entry of quotas/ stands for; without one those of all who have none. */
export function limitsFor({ inventory }: World, quota: QuotaRecord | undefined): Limits {
  const own = quota !== undefined && isDefaultQuota(quota) ? undefined : quota;
  return limitsOf(own, inventory.quota(defaultName), machineLimits(totalmem()));
}

/**
 * There must be room for more in what the owner of an object may have. Root may make any number, also in what belongs to others.
 *
 * @param maker number of the user who makes it.
 * @param owned the object that it will be part of, or that it will be.
 * @throws QuotaError (EDQUOT), which says who may change what.
 */
export function requireRoom(world: World, maker: number, owned: ObjectRecord, more: Readonly<Partial<Record<Counted, number>>>): void {
  const { uid } = ownerOf(owned);
  if (maker === 0 || uid === 0) return;
  const limits = limitsFor(world, world.inventory.quotaOf(uid));
  const used = world.inventory.used.of(uid);
  for (const [what, count] of Object.entries(more) as [Counted, number][]) {
    if (count <= 0 || used[what] + count <= limits[what]) continue;
    const message = `user ${uid} has ${used[what]} ${nouns[what]}, and ${count} more is over the limit. ${limitAndRemedy(world, uid, what)}`;
    throw new NfioError('QuotaError', { message });
  }
}

/** Which file limits a user, and what root runs to change that. */
export function limitAndRemedy(world: World, uid: number, what: Limited): string {
  const quota = world.inventory.quotaOf(uid);
  const limit = `quotas/${quota?.name ?? defaultName}/${what} is ${limitText(limitsFor(world, quota)[what])}`;
  return `${limit}. Run as root: ${quota === undefined ? `mkdir quotas/${uid}; ` : ''}echo NUMBER > quotas/${quota?.name ?? uid}/${what}`;
}
