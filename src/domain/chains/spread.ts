import { hash } from 'node:crypto';

/**
 * Shares numbered buckets out among members, each bucket to the one with the highest hash of both (rendezvous hashing, Thaler and Ravishankar
 * 1998): a member that joins or leaves moves its own share and no other.
 *
 * @returns the buckets of each member, by its place in the list.
 */
export function spread(members: readonly string[], buckets: number): number[][] {
  const shares = members.map((): number[] => []);
  for (let bucket = 0; bucket < buckets; bucket += 1) shares[highest(members, bucket)]?.push(bucket);
  return shares;
}

function highest(members: readonly string[], bucket: number): number {
  let best = -1;
  let place = 0;
  for (const [index, member] of members.entries()) {
    const weight = hash('sha256', `${member}/${bucket}`, 'buffer').readUIntBE(0, 6);
    if (weight > best) [best, place] = [weight, index];
  }
  return place;
}
