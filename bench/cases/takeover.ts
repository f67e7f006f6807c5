import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMountRecords } from '../../src/daemon/mount-record.ts';
import type { Benchmark, Row } from '../benchmark.ts';
import { compare, type Measure, type Subject } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import type { Workshop } from '../workshop.ts';

const ours = 'a server stands by';
const peer = 'one is started';
const startHosts = `
mkdir "$1/nf-types/host"
for n in 1 2 3 4 5 6 7 8 9 10; do mkdir "$1/nf-types/host/h$n"; echo activate >"$1/nf-types/host/h$n/action"; done`;
/** One that stands by and used no processor time for so long has loaded all, milliseconds. */
const idleMs = 500;

/** What a client waits for an answer after a kill -9 of the server, with a second one standing by and without. */
export const takeover: Benchmark = {
  name: 'takeover',
  summary: 'the pause after a kill of the server, with one standing by against starting one',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const mount = await NfioMount.start(workshop, 'nfio', { oneCpu: false });
    await mount.shell(startHosts);
    const supervisor = (await readMountRecords()).get(mount.mountpoint)?.supervisorPid ?? 0;
    const file = mount.path('nf-types/host/h1/status');
    const subjects = new Map<string, Subject>([
      [ours, pauseAfterKill(supervisor, { file, spare: true })],
      [peer, pauseAfterKill(supervisor, { file, spare: false })],
    ]);
    const comparison = { operation: 'read after kill -9', ours, peer, target: { limit: 0.5 } };
    return compare('takeover', { subjects, comparisons: [comparison], runs, signal: workshop.signal });
  },
};

/** @param options.spare whether the server that stands by is left alone. */
function pauseAfterKill(supervisor: number, { file, spare }: { readonly file: string; readonly spare: boolean }): Measure {
  return async () => {
    const [server, standby] = await bothServers(supervisor);
    const began = performance.now();
    for (const pid of spare ? [server] : [standby, server]) process.kill(pid, 'SIGKILL');
    await readFile(file);
    return (performance.now() - began) / 1000;
  };
}

/** The server that serves, and the one that stands by, once it is loaded. */
async function bothServers(supervisor: number): Promise<readonly [number, number]> {
  for (;;) {
    const [server, standby] = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'latin1').trim().split(' ').map(Number);
    const used = timeUsed(standby);
    await sleep(idleMs);
    if (server !== undefined && standby !== undefined && used !== undefined && used === timeUsed(standby)) return [server, standby];
  }
}

/** Clock ticks (proc_pid_stat(5), fields 14 and 15); undefined: there is no such process. */
function timeUsed(pid: number | undefined): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return undefined;
  }
}
