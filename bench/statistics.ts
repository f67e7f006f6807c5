/** A number measured several times. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median, least and greatest of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new RangeError('A spread needs at least one value.');
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? min) + (sorted[Math.ceil(middle)] ?? max)) / 2;
  return { median, min, max };
}

/** The spread of ours ÷ peer, run by run: what disturbed the machine in one run disturbed both. */
export function spreadOfRatios(ours: readonly number[], peer: readonly number[]): Spread {
  return spreadOf(ours.map((value, run) => value / (peer[run] ?? Number.NaN)));
}
