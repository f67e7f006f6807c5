import { noUse, type Use, useOf } from '../domain/quotas.ts';
import type { StoredRecord } from '../domain/records.ts';

/** Counts what each user has: kept when records change, so that nobody has to walk through them. */
export class UseCounts {
  readonly #used = new Map<number, Use>();
  /** What each record counts for, by serial. */
  readonly #counted = new Map<number, ReturnType<typeof useOf>>();

  /** What a user has. */
  of(uid: number): Use {
    return this.#used.get(uid) ?? noUse;
  }

  /** Counts a record, and the one in its place before no longer: also one that is about to be, which is put back as it is when it does not come to that. */
  put(record: StoredRecord): void {
    this.remove(record.serial);
    const counted = useOf(record);
    if (counted.use === noUse) return;
    this.#counted.set(record.serial, counted);
    this.#add(counted, 1);
  }

  /** The record of a serial is no more. */
  remove(serial: number): void {
    const counted = this.#counted.get(serial);
    if (counted === undefined) return;
    this.#counted.delete(serial);
    this.#add(counted, -1);
  }

  #add({ uid, use }: ReturnType<typeof useOf>, factor: 1 | -1): void {
    const sum = added(this.of(uid), use, factor);
    // Of a user who has nothing nothing is kept.
    if (Object.values(sum).every((count) => count === 0)) this.#used.delete(uid);
    else this.#used.set(uid, sum);
  }
}

function added(a: Use, b: Use, factor: 1 | -1): Use {
  return {
    vnfs: a.vnfs + factor * b.vnfs,
    ports: a.ports + factor * b.ports,
    hops: a.hops + factor * b.hops,
    // Four decimals, as those of one VNF have: sums of fractions drift.
    vcpus: Math.round((a.vcpus + factor * b.vcpus) * 1e4) / 1e4,
    memory: a.memory + factor * b.memory,
    networks: a.networks + factor * b.networks,
    chains: a.chains + factor * b.chains,
  };
}
