import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from '../benchmark.ts';
import { alternate, type Comparison, compareSamples, type Subject, subject } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import { systemPython } from '../peers.ts';
import { run } from '../processes.ts';
import { Unavailable } from '../unavailable.ts';
import type { Workshop } from '../workshop.ts';

const count = 100;
const mininetScript = join(import.meta.dirname, '..', 'peers', 'mininet_hosts.py');
/** Prints the moments, in seconds, at which the hosts were begun, up, checked and gone. */
const nfioScript = `
cd "$1"
each_host() {
  local pids=() pid i
  for ((i = 1; i <= count; i++)); do "$1" "$i" & pids+=($!); done
  for pid in "\${pids[@]}"; do wait "$pid"; done
}
start() {
  local host=nf-types/host/h$1
  mkdir -p "$host/ports/eth0"
  echo lan >"$host/ports/eth0/network"
  echo "10.99.1.$1/16" >"$host/ports/eth0/address"
  echo activate >"$host/action"
}
remove() {
  echo destroy >"nf-types/host/h$1/action"
  rmdir "nf-types/host/h$1"
}
count=$2
echo $EPOCHREALTIME
mkdir networks/lan
echo 10.99.0.0/16 >networks/lan/subnet
mkdir -p nf-types/host
each_host start
echo $EPOCHREALTIME
echo "ping -c 1 -W 5 10.99.1.$count" >nf-types/host/h1/command
answer=$(cat nf-types/host/h1/command)
[[ $answer == *" 0% packet loss"* ]] || { echo "h1 cannot reach h$count: $answer" >&2; exit 1; }
echo $EPOCHREALTIME
each_host remove
rmdir networks/lan
echo $EPOCHREALTIME`;

/** Seconds that a run took; `check` is host 1's ping of the last host. */
interface Extent {
  readonly up: number;
  readonly check: number;
  readonly down: number;
}

/** A hundred hosts with one port each on one network: from nothing to all up, and back. */
export const hosts: Benchmark = {
  name: 'hosts',
  summary: `${count} netns hosts on one network against the same in Mininet`,
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const mount = await NfioMount.start(workshop, 'nfio', { oneCpu: false });
    const down = new Map<string, number[]>([
      ['nf.io', []],
      ['Mininet', []],
    ]);
    const timed =
      (name: string, build: () => Promise<Extent>): (() => Promise<number>) =>
      async () => {
        const extent = await build();
        down.get(name)?.push(extent.down);
        return extent.up;
      };
    const subjects = new Map<string, Subject>([
      ['nf.io', timed('nf.io', () => nfioHosts(mount))],
      ['Mininet', await subject(async () => timed('Mininet', await mininet(workshop)))],
    ]);
    const up = await alternate(subjects, Math.ceil(runs / 6), workshop.signal);
    const comparison = { ours: 'nf.io', peer: 'Mininet' };
    const upComparison: Comparison = { ...comparison, operation: `${count} hosts up`, target: { limit: 1 / 3 } };
    const downComparison: Comparison = { ...comparison, operation: `${count} hosts removed` };
    return [
      ...compareSamples('hosts', subjects, { comparisons: [upComparison], samples: up }),
      ...compareSamples('hosts', subjects, { comparisons: [downComparison], samples: down }),
    ];
  },
};

async function nfioHosts(mount: NfioMount): Promise<Extent> {
  const [begun = 0, up = 0, checked = 0, gone = 0] = (await mount.shell(nfioScript, String(count))).trim().split('\n').map(Number);
  return { up: up - begun, check: checked - up, down: gone - checked };
}

/** Mininet works in namespaces of its own: the machine's settings, which it raises, and its interfaces stay as they are. */
async function mininet(workshop: Workshop): Promise<() => Promise<Extent>> {
  if (!existsSync('/usr/bin/mn')) throw new Unavailable('mininet is not installed: run bench/setup.js.');
  if (!existsSync('/usr/sbin/brctl')) throw new Unavailable('bridge-utils, which Mininet needs, is not installed: run bench/setup.js.');
  const isolated = ['unshare', '--net', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const argv = [...isolated, systemPython, mininetScript, String(count)];
  return async () => JSON.parse(await run(argv, { signal: workshop.signal })) as Extent;
}
