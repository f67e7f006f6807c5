import type { MeasuredRow, Row, Target } from './benchmark.ts';
import { spreadOf, spreadOfRatios } from './statistics.ts';
import { Unavailable } from './unavailable.ts';

/** Does its work once and resolves to the seconds that it took. */
export type Measure = () => Promise<number>;

/** What takes part in a benchmark: a way to measure it, or the reason why this machine cannot. */
export type Subject = Measure | Unavailable;

/** Seconds of each run, by the name of the subject. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/** What to compare with what, by the names of subjects. */
export interface Comparison {
  readonly operation: string;
  readonly ours: string;
  readonly peer: string;
  readonly target?: Target;
}

/** Sets a subject up; when the machine has not what it needs, the reason takes its place. */
export async function subject(setUp: () => Promise<Measure>): Promise<Subject> {
  try {
    return await setUp();
  } catch (error) {
    if (error instanceof Unavailable) return error;
    throw error;
  }
}

/** Measures all subjects in each run, each run beginning with another one, so that none always goes first. */
export async function alternate(subjects: ReadonlyMap<string, Subject>, runs: number, signal: AbortSignal): Promise<Samples> {
  const measures = [...subjects].filter((entry): entry is [string, Measure] => typeof entry[1] === 'function');
  const samples = new Map(measures.map(([name]): [string, number[]] => [name, []]));
  for (let run = 0; run < runs; run += 1) {
    for (let turn = 0; turn < measures.length; turn += 1) {
      signal.throwIfAborted();
      const [name, measure] = measures[(run + turn) % measures.length] ?? [];
      if (name !== undefined && measure !== undefined) samples.get(name)?.push(await measure());
    }
  }
  return samples;
}

/** Measures the subjects and makes one row of each comparison. */
export async function compare(benchmark: string, options: CompareOptions): Promise<readonly Row[]> {
  const { subjects, comparisons, runs, signal } = options;
  return compareSamples(benchmark, subjects, { comparisons, samples: await alternate(subjects, runs, signal) });
}

/** Makes one row of each comparison from what was measured; a skipped one where a subject could not be. */
export function compareSamples(
  benchmark: string,
  subjects: ReadonlyMap<string, Subject>,
  { comparisons, samples }: { readonly comparisons: readonly Comparison[]; readonly samples: Samples },
): readonly Row[] {
  return comparisons.map((comparison): Row => {
    const { operation, ours, peer } = comparison;
    const missing = [ours, peer].map((name) => subjects.get(name)).find((entry) => entry instanceof Unavailable);
    if (missing === undefined) return measuredRow(benchmark, comparison, samples);
    return { kind: 'skipped', benchmark, operation, ours, peer, reason: missing.message };
  });
}

/** Options of {@link compare}. */
export interface CompareOptions {
  readonly subjects: ReadonlyMap<string, Subject>;
  readonly comparisons: readonly Comparison[];
  readonly runs: number;
  readonly signal: AbortSignal;
}

function measuredRow(benchmark: string, comparison: Comparison, samples: Samples): MeasuredRow {
  const { operation, ours, peer, target } = comparison;
  const [ourSamples, peerSamples] = [samples.get(ours) ?? [], samples.get(peer) ?? []];
  return {
    kind: 'measured',
    benchmark,
    operation,
    ours,
    peer,
    ourTime: spreadOf(ourSamples),
    peerTime: spreadOf(peerSamples),
    ratio: spreadOfRatios(ourSamples, peerSamples),
    target,
  };
}
