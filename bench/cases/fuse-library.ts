import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from '../benchmark.ts';
import { FileClient } from '../file-client.ts';
import { MountedServer } from '../processes.ts';
import { onOneCpu, type Workshop } from '../workshop.ts';
import { compareWithPeers } from './peer-comparison.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'hello.ts');

/** nfio/fuse alone: the hello example against hello file systems on other libraries. */
export const fuseLibrary: Benchmark = {
  name: 'fuse-library',
  summary: 'the hello file system of examples/ against the same on other FUSE libraries',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const mountpoint = workshop.makeDirectory('hello');
    workshop.use(await MountedServer.start(onOneCpu([process.execPath, example, mountpoint]), mountpoint));
    const file = join(mountpoint, readdirSync(mountpoint)[0] ?? '');
    const client = await FileClient.compile(workshop);
    return compareWithPeers(workshop, { benchmark: 'fuse-library', ours: 'nfio/fuse', file, client, runs });
  },
};
