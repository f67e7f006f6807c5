import type { Spread } from './statistics.ts';
import type { Workshop } from './workshop.ts';

/** What a ratio of ours ÷ peer should not exceed; smaller is better throughout. */
export interface Target {
  readonly limit: number;
  /** The limit itself already misses it. Default false. */
  readonly exclusive?: boolean;
}

/** One line of the table: something that both did in the same run. */
export interface MeasuredRow {
  readonly kind: 'measured';
  readonly benchmark: string;
  /** What was done. */
  readonly operation: string;
  readonly ours: string;
  readonly peer: string;
  /** Seconds. */
  readonly ourTime: Spread;
  readonly peerTime: Spread;
  readonly ratio: Spread;
  readonly target: Target | undefined;
}

/** Something that could not be measured here. */
export interface SkippedRow {
  readonly kind: 'skipped';
  readonly benchmark: string;
  readonly operation: string;
  readonly ours: string;
  readonly peer: string;
  readonly reason: string;
}

export type Row = MeasuredRow | SkippedRow;

/** One benchmark: sets up its subjects in the workshop and measures them. */
export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  run(workshop: Workshop, runs: number): Promise<readonly Row[]>;
}

/** Whether a row reached its target; a row without a target is for information. */
export function meetsTarget({ ratio, target }: MeasuredRow): boolean | undefined {
  if (target === undefined) return undefined;
  return target.exclusive === true ? ratio.median < target.limit : ratio.median <= target.limit;
}
