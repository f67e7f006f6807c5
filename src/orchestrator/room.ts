import { totalmem } from 'node:os';
import { ownerOf } from '../domain/authority.ts';
import { defaultName, isDefaultQuota, type Limited, type Limits, limitsOf, limitText, machineLimits } from '../domain/quotas.ts';
import type { ObjectRecord, QuotaRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { World } from './world.ts';

const nouns: Readonly<Record<Limited, string>> = { vnfs: 'VNFs', ports: 'ports', hops: 'hops and links of service chains' };

/** The limits that an entry of quotas/ stands for; without one those of all who have none. */
export function limitsFor({ inventory }: World, quota: QuotaRecord | undefined): Limits {
  const own = quota !== undefined && isDefaultQuota(quota) ? undefined : quota;
  return limitsOf(own, inventory.quota(defaultName), machineLimits(totalmem()));
}

/**
 * There must be room for one more in what the owner of an object may have. Root may make any number, also in what belongs to others.
 *
 * @param maker number of the user who makes it.
 * @param owned the object that it will be part of, or that it will be.
 * @throws QuotaError (EDQUOT), which says who may change what.
 */
export function requireRoom(world: World, maker: number, owned: ObjectRecord, what: Limited): void {
  const { uid } = ownerOf(owned);
  if (maker === 0 || uid === 0) return;
  const { inventory } = world;
  const quota = inventory.quotaOf(uid);
  const [limit, used] = [limitsFor(world, quota)[what], inventory.used.of(uid)[what]];
  if (used < limit) return;
  const [name, entry] = quota === undefined ? [defaultName, `mkdir quotas/${uid}; `] : [quota.name, ''];
  const message = `user ${uid} has ${used} ${nouns[what]}, and quotas/${name}/${what} is ${limitText(limit)}. Remove some, or run as root: ${entry}echo NUMBER > quotas/${quota?.name ?? uid}/${what}`;
  throw new NfioError('QuotaError', { message });
}
