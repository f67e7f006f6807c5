/** What takes longer waits for the disk, milliseconds: a busy processor takes less. */
const slowMs = 100;
/** A disk that was quick is taken to be so for this long, milliseconds. */
const trustMs = 1000;

/**
 * Whether the disk of user files answers at once. The thread that serves everybody works on it itself only while that was so a moment ago: what may wait is tried out, or done, elsewhere.
 */
export class DiskPace {
  #quickUntilMs = 0;

  /** True while it answers at once. */
  get isQuick(): boolean {
    return performance.now() < this.#quickUntilMs;
  }

  /** Something on it took so many milliseconds. */
  took(ms: number): void {
    this.#quickUntilMs = ms < slowMs ? performance.now() + trustMs : 0;
  }
}
