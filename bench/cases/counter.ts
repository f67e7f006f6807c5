import type { Benchmark, Row } from '../benchmark.ts';
import { FileClient } from '../file-client.ts';
import { compare, type Subject } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import type { Workshop } from '../workshop.ts';

const startHost = `
mkdir "$1/networks/lan"
echo 10.99.0.0/24 >"$1/networks/lan/subnet"
mkdir -p "$1/nf-types/host/h"
mkdir "$1/nf-types/host/h/ports/eth0"
echo lan >"$1/nf-types/host/h/ports/eth0/network"
echo 10.99.0.10/24 >"$1/nf-types/host/h/ports/eth0/address"
echo activate >"$1/nf-types/host/h/action"`;

/** What a live number costs more than a fixed one: rx_bytes of a running VNF against vm.image of the same VNF. */
export const counter: Benchmark = {
  name: 'counter',
  summary: 'reading rx_bytes of a running VNF against reading a static control file',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const mount = await NfioMount.start(workshop, 'nfio', { oneCpu: true, options: ['--attr-timeout', '0'] });
    await mount.shell(startHost);
    const client = await FileClient.compile(workshop);
    const subjects = new Map<string, Subject>([
      ['stats/rx_bytes', await client.prepare('read', [mount.path('nf-types/host/h/stats/rx_bytes')])],
      ['machine/vm.image', await client.prepare('read', [mount.path('nf-types/host/h/machine/vm.image')])],
    ]);
    const comparison = { operation: 'open+read+close', ours: 'stats/rx_bytes', peer: 'machine/vm.image', target: { limit: 1.5 } };
    return compare('counter', { subjects, comparisons: [comparison], runs, signal: workshop.signal });
  },
};
