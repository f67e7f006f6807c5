import { join } from 'node:path';
import type { Benchmark, Row } from '../benchmark.ts';
import { FileClient } from '../file-client.ts';
import { MountedServer } from '../processes.ts';
import { onOneCpu, type Workshop } from '../workshop.ts';
import { compareWithPeers } from './peer-comparison.ts';

const program = join(import.meta.dirname, '..', 'ours', 'hello.ts');

/** nfio/fuse alone: a hello file system on it and the same on other libraries. */
export const fuseLibrary: Benchmark = {
  name: 'fuse-library',
  summary: 'a hello file system on nfio/fuse against the same on other FUSE libraries',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const mountpoint = workshop.makeDirectory('hello');
    workshop.use(await MountedServer.start(onOneCpu([process.execPath, program, mountpoint]), mountpoint));
    const file = join(mountpoint, 'control');
    const client = await FileClient.compile(workshop);
    return compareWithPeers(workshop, { benchmark: 'fuse-library', ours: 'nfio/fuse', file, client, runs });
  },
};
