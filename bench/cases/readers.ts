import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMountRecords } from '../../src/daemon/mount-record.ts';
import type { Benchmark, Row } from '../benchmark.ts';
import { compare, type Subject, subject } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import { peers } from '../peers.ts';
import { run } from '../processes.ts';
import type { Workshop } from '../workshop.ts';

const clients = 32;
const vnfs = 200;
/** How long they read in a run, seconds. */
const seconds = 10;
const ours = `${vnfs} running VNFs`;
const peer = 'C libfuse3';
const startHosts = `
mkdir "$1/networks/lan"
echo 10.99.0.0/16 >"$1/networks/lan/subnet"
mkdir "$1/nf-types/host"
cd "$1/nf-types/host"
for ((i = 1; i <= $2; i++)); do
  mkdir -p "h$i/ports/eth0"
  echo lan >"h$i/ports/eth0/network"
  echo activate >"h$i/action"
done`;

/** What the slowest in a hundred of the reads of a counter take while many clients read as fast as they can: minutes of it with enough runs. */
export const readers: Benchmark = {
  name: 'readers',
  summary: `${clients} clients that read counters of ${vnfs} running VNFs all the time, the slowest in a hundred of their reads`,
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const program = await workshop.compile('clients/readers.c');
    const mount = await NfioMount.start(workshop, 'nfio', { oneCpu: true });
    await mount.shell(startHosts, String(vnfs));
    const counters = Array.from({ length: vnfs }, (_, index) => mount.path('nf-types/host', `h${index + 1}`, 'stats/rx_bytes'));
    const measure = (files: readonly string[], tell: (told: string) => Promise<void>) => async (): Promise<number> => {
      const told = await run([program, String(clients), String(seconds), ...files], { signal: workshop.signal });
      const [median, slow, longest, count] = told.trim().split(' ').map(Number) as [number, number, number, number];
      await tell(`${count} reads, ${median / 1e6} ms (median), ${slow / 1e6} ms (99 of 100), ${longest / 1e6} ms (longest)`);
      return slow / 1e9;
    };
    const subjects = new Map<string, Subject>([
      [ours, measure(counters, async (told) => console.error(`${told}; the server has ${await memoryOf(mount)} MB`))],
      [peer, await subject(async () => measure([join((await peers[peer](workshop)).mountpoint, 'control')], async () => undefined))],
    ]);
    const comparison = { operation: 'open+read+close, 99 of 100', ours, peer };
    return compare('readers', { subjects, comparisons: [comparison], runs, signal: workshop.signal });
  },
};

/** Resident memory of the server that serves a mount, MB (proc_pid_status(5), VmRSS). */
async function memoryOf({ mountpoint }: NfioMount): Promise<number> {
  const supervisor = (await readMountRecords()).get(mountpoint)?.supervisorPid ?? 0;
  const [server] = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'latin1').trim().split(' ');
  const kilobytes = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${server}/status`, 'latin1'))?.[1];
  return Math.round(Number(kilobytes) / 1000);
}
