/** A process that removes a tree goes on with the next file at once. */
const windowMs = 10_000;

/**
 * `rm -r` of what is in use is told so (EBUSY) by the first file of it, and goes on regardless with all the others, users' own files among them. So who was
 * refused one file of an object is refused the rest of it too, as long as it goes on asking.
 */
export class RefusedRemovals {
  /** When a process was refused last, milliseconds, by pid and object. */
  readonly #refused = new Map<string, number>();

  /** A process is refused a file of an object. */
  refuse(pid: number, serial: number): void {
    const now = performance.now();
    for (const [key, at] of this.#refused) if (now - at > windowMs) this.#refused.delete(key);
    this.#refused.set(keyOf(pid, serial), now);
  }

  /** True when a process was refused another file of the object just now. */
  covers(pid: number, serial: number): boolean {
    const at = this.#refused.get(keyOf(pid, serial));
    if (at === undefined || performance.now() - at > windowMs) return false;
    this.refuse(pid, serial);
    return true;
  }
}

function keyOf(pid: number, serial: number): string {
  return `${pid}/${serial}`;
}
