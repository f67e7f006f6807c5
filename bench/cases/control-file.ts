import type { Benchmark, Row } from '../benchmark.ts';
import { FileClient } from '../file-client.ts';
import { NfioMount } from '../nfio.ts';
import type { Workshop } from '../workshop.ts';
import { compareWithPeers } from './peer-comparison.ts';

/** A control file of a real mount, caching of attributes switched off, against hello file systems on other libraries. */
export const controlFile: Benchmark = {
  name: 'control-file',
  summary: 'a control file of a mounted nf.io against hello file systems on other FUSE libraries',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const mount = await NfioMount.start(workshop, 'nfio', { oneCpu: true, options: ['--attr-timeout', '0'] });
    await mount.shell('mkdir -p "$1/nf-types/host/h"');
    const file = mount.path('nf-types/host/h/machine/vm.image');
    const client = await FileClient.compile(workshop);
    return compareWithPeers(workshop, { benchmark: 'control-file', ours: 'nf.io mount', file, client, runs });
  },
};
