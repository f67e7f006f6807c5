/** What is left of a user's turns, and when that was so. */
export interface Turns {
  readonly left: number;
  readonly atMs: number;
}

/**
 * Takes one of so many turns a second. Those of one second can be taken at once, and no more are saved up.
 *
 * @returns what is left; undefined: there was none to take.
 */
export function takeTurn(before: Turns | undefined, perSecond: number, nowMs: number): Turns | undefined {
  const saved = before === undefined ? perSecond : before.left + (Math.max(0, nowMs - before.atMs) / 1000) * perSecond;
  const left = Math.min(saved, perSecond) - 1;
  return left < 0 ? undefined : { left, atMs: nowMs };
}
