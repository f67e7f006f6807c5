import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from '../benchmark.ts';
import { compare, type Measure } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import { run } from '../processes.ts';
import type { Workshop } from '../workshop.ts';

/** A tree of small configurations. */
const files = 649;
const directories = 40;
const leastBytes = 200;
const mostBytes = 6000;

const [ours, peer] = ['config/', 'the file system below'];
const unpack = 'tar -C "$1" -xf "$2"';
const clear = 'rm -rf "$1/tree" "$1/big"';

/** Scripts: what is done before, what is timed, and the ratio that it should not exceed. */
const operations = [
  { operation: `unpack ${files} small files`, before: clear, timed: unpack, limit: 4 },
  { operation: 'grep -r over them', before: unpack, timed: 'grep -rq nothing-like-this "$1/tree" || true', limit: 4 },
  { operation: 'rm -r of them', before: unpack, timed: 'rm -r "$1/tree"', limit: 3 },
  { operation: 'write 200 MB', before: clear, timed: 'dd if=/dev/zero of="$1/big" bs=1M count=200 status=none', limit: 1.3 },
] as const;

/** What config/ costs more than the file system that holds it, with the machine's own programs. */
export const userFiles: Benchmark = {
  name: 'user-files',
  summary: 'unpacking, searching, removing and writing in config/ against the file system below it',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const mount = await NfioMount.start(workshop, 'nfio', { oneCpu: false });
    await mount.shell('mkdir "$1/nf-types/host" "$1/nf-types/host/h"');
    const archive = await makeArchive(workshop);
    const places = { [ours]: mount.path('nf-types/host/h/config'), [peer]: workshop.makeDirectory('plain') };
    const rows: Row[] = [];
    for (const { operation, before, timed, limit } of operations) {
      const subjects = new Map(Object.entries(places).map(([name, path]) => [name, measure([path, archive], before, timed)]));
      const comparison = { operation, ours, peer, target: { limit } };
      rows.push(...(await compare('user-files', { subjects, comparisons: [comparison], runs, signal: workshop.signal })));
    }
    return rows;
  },
};

function measure(args: readonly string[], before: string, timed: string): Measure {
  const shell = (script: string): Promise<string> => run(['bash', '-c', `set -e\n${script}`, 'bench', ...args]);
  return async () => {
    await shell(before);
    const began = performance.now();
    await shell(timed);
    const seconds = (performance.now() - began) / 1000;
    await shell(clear);
    return seconds;
  };
}

/** @returns path of a tar archive of the tree. */
async function makeArchive(workshop: Workshop): Promise<string> {
  const directory = workshop.makeDirectory('source');
  for (let file = 0; file < files; file += 1) {
    const parent = join(directory, 'tree', `d${file % directories}`);
    mkdirSync(parent, { recursive: true });
    const length = leastBytes + ((file * 7919) % (mostBytes - leastBytes));
    writeFileSync(join(parent, `f${file}.conf`), 'key = value # comment\n'.repeat(Math.ceil(length / 22)).slice(0, length));
  }
  await run(['tar', '-C', directory, '-cf', join(directory, 'tree.tar'), 'tree']);
  return join(directory, 'tree.tar');
}
