import type { DescriptorBudget } from './descriptor-limit.ts';

/**
 * Counts the descriptors that users hold open here, so that none of them takes those of the others, nor all of them together what the server needs for its own
 * work: to find out whether guests run, to read and write records.
 */
export class DescriptorShares {
  readonly #budget: () => DescriptorBudget;
  readonly #limitOf: (uid: number) => number;
  /** By what is open: a descriptor, or what holds one. */
  readonly #owners = new Map<unknown, number>();
  readonly #held = new Map<number, number>();

  /** @param limitOf what a user may hold open besides, whatever the budget allows. */
  constructor(budget: () => DescriptorBudget, limitOf: (uid: number) => number = () => Number.POSITIVE_INFINITY) {
    this.#budget = budget;
    this.#limitOf = limitOf;
  }

  /** Opens a file for a user. @throws EMFILE when the share is used up, and what `open` throws. */
  open<T extends { readonly fd: unknown }>(uid: number, open: () => T): T {
    const { users, perUser } = this.#budget();
    const held = this.#held.get(uid) ?? 0;
    if (this.#owners.size >= users || held >= perUser || held >= this.#limitOf(uid)) {
      throw Object.assign(new Error(`user ${uid} has too many files open`), { code: 'EMFILE' });
    }
    const opened = open();
    if (opened.fd === undefined) return opened;
    this.#owners.set(opened.fd, uid);
    this.#held.set(uid, held + 1);
    return opened;
  }

  /** A descriptor is about to be closed. One that was not opened here is nobody's. */
  closed(fd: unknown): void {
    const uid = this.#owners.get(fd);
    if (uid === undefined) return;
    this.#owners.delete(fd);
    const left = (this.#held.get(uid) ?? 1) - 1;
    if (left === 0) this.#held.delete(uid);
    else this.#held.set(uid, left);
  }
}
