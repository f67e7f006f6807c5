import { Errno, type LockRequest, LockType, type Replier, type Request, type Ticket } from '../../../src/fuse/index.ts';

interface Waiter {
  readonly ticket: Ticket;
  readonly lock: LockRequest;
}

/** The locks of one file: those held, and those waited for. POSIX locks and flocks do not see each other. */
export class MemoryLocks {
  #held: LockRequest[] = [];
  #waiting: Waiter[] = [];

  conflict(wanted: LockRequest): LockRequest | undefined {
    return this.#held.find(
      (held) =>
        held.owner !== wanted.owner &&
        held.flock === wanted.flock &&
        held.start <= wanted.end &&
        wanted.start <= held.end &&
        (held.type === LockType.WRITE || wanted.type === LockType.WRITE),
    );
  }

  set(request: Request, lock: LockRequest, replier: Replier): void {
    if (lock.type === LockType.UNLOCK || this.conflict(lock) === undefined) {
      this.#put(lock);
      request.replyOk();
      this.#retry(replier);
    } else if (lock.wait) {
      const ticket = request.defer();
      if (replier.accept(ticket)) this.#waiting.push({ ticket, lock });
    } else request.replyError(Errno.EAGAIN);
  }

  /** All locks of an owner end. */
  drop(owner: bigint, flock: boolean, replier: Replier): void {
    this.#held = this.#held.filter((held) => held.owner !== owner || held.flock !== flock);
    this.#retry(replier);
  }

  /** Stops waiting; true when it was this file that was waited for. */
  interrupt(ticket: Ticket): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((waiter) => waiter.ticket !== ticket);
    return this.#waiting.length < before;
  }

  #put(lock: LockRequest): void {
    this.#held = this.#held.flatMap((held) => {
      if (held.owner !== lock.owner || held.flock !== lock.flock || held.start > lock.end || lock.start > held.end) return [held];
      const before = { ...held, end: lock.start - 1 };
      const after = { ...held, start: lock.end + 1 };
      return [before, after].filter(({ start, end }) => start <= end && start !== Number.POSITIVE_INFINITY);
    });
    if (lock.type !== LockType.UNLOCK) this.#held.push(lock);
  }

  #retry(replier: Replier): void {
    this.#waiting = this.#waiting.filter(({ ticket, lock }) => {
      if (this.conflict(lock) !== undefined) return true;
      this.#put(lock);
      replier.ok(ticket);
      return false;
    });
  }
}
