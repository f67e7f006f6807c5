/**
 * A server that ends before it serves is followed by the next after 1 s, 2 s, 4 s and so on, and so is the fifth in a row that serves for less than this. After so many in
 * a row, two minutes, the supervisor gives up: a file system that answers nothing is worse than none.
 */
const shortLifeMs = 3000;
const mostShortLives = 9;
/** Servers that served, however shortly, and are followed by the next at once. */
const freeShortLives = 4;
const firstWaitMs = 1000;
const longestWaitMs = 30_000;

/** Counts servers that end soon, and says when to start the next one. */
export class ShortLives {
  /** In a row: those that ended soon after they began to serve, or before. */
  #short = 0;
  /** Those of them that ended before they served. */
  #unserved = 0;
  #servingSinceMs: number | undefined;

  /** A server begins to serve. */
  serving(): void {
    this.#servingSinceMs = performance.now();
  }

  /** It ended. @returns how long to wait before the next one is started, milliseconds; undefined: that one is likely to end as soon. */
  ended(): number | undefined {
    const lifeMs = this.#servingSinceMs === undefined ? 0 : performance.now() - this.#servingSinceMs;
    this.#unserved = this.#servingSinceMs === undefined ? this.#unserved + 1 : 0;
    this.#short = lifeMs < shortLifeMs ? this.#short + 1 : 0;
    this.#servingSinceMs = undefined;
    if (this.#short === mostShortLives) return undefined;
    const failures = Math.max(this.#unserved, this.#short - freeShortLives);
    return failures < 1 ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - 1));
  }
}
