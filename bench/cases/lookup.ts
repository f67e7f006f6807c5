import type { Benchmark, Row } from '../benchmark.ts';
import { FileClient } from '../file-client.ts';
import { type Comparison, compare, type Measure } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import type { Workshop } from '../workshop.ts';

const few = 10;
const many = 10_000;
const target = { limit: 1.2 };
const makeInstances = 'mkdir "$1/nf-types/host"; cd "$1/nf-types/host"; seq -f "i%05g" 1 "$2" | xargs -P 8 -n 100 mkdir';

/** Whether finding an instance costs more among ten thousand than among ten. */
export const lookup: Benchmark = {
  name: 'lookup',
  summary: `stat of an instance among ${many} against among ${few}`,
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const client = await FileClient.compile(workshop);
    const paths = async (name: string, count: number): Promise<readonly string[]> => {
      const mount = await NfioMount.start(workshop, name, { oneCpu: true, options: ['--attr-timeout', '0'] });
      await mount.shell(makeInstances, String(count));
      return Array.from({ length: count }, (_, index) => mount.path('nf-types/host', `i${String(index + 1).padStart(5, '0')}`));
    };
    const [small, large] = [await paths('small', few), await paths('large', many)];
    const spread = Array.from({ length: few }, (_, index) => large[index * (many / few)] ?? '');
    const subjects = new Map<string, Measure>([
      [`among ${few}`, await client.prepare('stat', small)],
      [`10 names among ${many}`, await client.prepare('stat', spread)],
      [`all of ${many}`, await client.prepare('stat', large)],
    ]);
    const comparisons = [`10 names among ${many}`, `all of ${many}`].map(
      (ours): Comparison => ({ operation: 'stat', ours, peer: `among ${few}`, target }),
    );
    return compare('lookup', { subjects, comparisons, runs, signal: workshop.signal });
  },
};
