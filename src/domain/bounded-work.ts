/**
 * Does work of one kind, some at once; what is too much waits for its turn, in the order in which it came.
 *
 *   const checks = new BoundedWork(4);
 *   await checks.run(() => check(text));
 */
export class BoundedWork {
  /** How much more may begin. */
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param most how many at once. */
  constructor(most: number) {
    this.#free = most;
  }

  /** Resolves, or rejects, as the work does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      // Whoever waited takes over the place of what has ended.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
