import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LibvirtDaemon, whyNoLibvirt } from '../../test/support/libvirt-daemon.ts';
import { testVnfImage } from '../../test/support/vnf-image.ts';
import type { Benchmark, Row } from '../benchmark.ts';
import { FileClient } from '../file-client.ts';
import { alternate, type Comparison, compareSamples, type Measure, type Subject } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import { run } from '../processes.ts';
import { Unavailable } from '../unavailable.ts';
import type { Workshop } from '../workshop.ts';

/** A virtual machine without a port, one with a port that runs, and the description of the first. */
const prepare = `
cd "$1"
mkdir networks/lan; echo 10.99.0.0/24 >networks/lan/subnet
mkdir -p nf-types/host/a nf-types/host/b/ports/eth0
for each in a b; do echo "$2" >nf-types/host/$each/machine/vm.image; done
echo lan >nf-types/host/b/ports/eth0/network
echo activate >nf-types/host/b/action
echo activate >nf-types/host/a/action
cat nf-types/host/a/machine/domain.xml
echo destroy >nf-types/host/a/action`;

/** Prints the moments, in seconds, before and after what is measured, and undoes it. */
const activate = `
cd "$1/nf-types/host/a"
echo $EPOCHREALTIME
echo activate >action
echo $EPOCHREALTIME
echo destroy >action`;
const defineAndStart = `
set -e
echo $EPOCHREALTIME
virsh -q -c "$1" define "$2" >/dev/null
virsh -q -c "$1" start peer >/dev/null
echo $EPOCHREALTIME
virsh -q -c "$1" destroy peer >/dev/null
virsh -q -c "$1" undefine peer >/dev/null`;
const readings = 10;
const interfaceCounters = `
set -e
echo $EPOCHREALTIME
for ((i = 0; i < ${readings}; i++)); do virsh -q -c "$1" domifstat counted nfbench0 >/dev/null; done
echo $EPOCHREALTIME`;

/** What a virtual machine costs in nf.io against libvirt's own tool: the same domain, and one of its counters. */
export const libvirt: Benchmark = {
  name: 'libvirt',
  summary: 'activating a virtual machine and reading its counter against virsh',
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    const unavailable = whyNoLibvirt();
    if (unavailable !== undefined) return skipped(unavailable);
    const daemon = workshop.use(await LibvirtDaemon.start());
    const image = workshop.makeDirectory('vm-image');
    chmodSync(workshop.directory, 0o755); // QEMU's user reads the image
    // Without image.json, which would have nf.io wait until it has booted: virsh does not either.
    for (const name of ['kernel', 'initrd']) copyFileSync(join(await testVnfImage(), name), join(image, name));
    const options = ['--hypervisor', 'libvirt', '--libvirt-uri', daemon.uri, '--attr-timeout', '0'];
    const mount = await NfioMount.start(workshop, 'vms', { oneCpu: false, options });
    const description = asPeer(await mount.shell(prepare, image), join(image, 'console'));
    writeFileSync(join(image, 'peer.xml'), description);
    writeFileSync(join(image, 'counted.xml'), withInterface(description));
    for (const verb of [
      ['define', join(image, 'counted.xml')],
      ['start', 'counted'],
    ])
      await run(['virsh', '-q', '-c', daemon.uri, ...verb]);
    workshop.use({ [Symbol.asyncDispose]: async () => void (await run(['virsh', '-q', '-c', daemon.uri, 'destroy', 'counted'])) });
    const timed =
      (measure: () => Promise<string>, times = 1): Measure =>
      async () => {
        const [before = 0, after = 0] = (await measure()).trim().split('\n').map(Number);
        return (after - before) / times;
      };
    const client = await FileClient.compile(workshop);
    const virsh =
      (script: string): (() => Promise<string>) =>
      () =>
        run(['bash', '-c', script, 'bench', daemon.uri, join(image, 'peer.xml')]);
    const starts = new Map<string, Subject>([
      ['activate', timed(() => mount.shell(activate))],
      ['virsh define, start', timed(virsh(defineAndStart))],
    ]);
    const counters = new Map<string, Subject>([
      ['rx_bytes', await client.prepare('read', [mount.path('nf-types/host/b/stats/rx_bytes')])],
      ['virsh domifstat', timed(virsh(interfaceCounters), readings)],
    ]);
    const { signal } = workshop;
    const few = Math.ceil(runs / 3);
    const rows = [
      ...compareSamples('libvirt', starts, { comparisons: [comparisons.start], samples: await alternate(starts, few, signal) }),
      ...compareSamples('libvirt', counters, { comparisons: [comparisons.counter], samples: await alternate(counters, few, signal) }),
    ];
    return rows;
  },
};

const comparisons: Readonly<Record<'start' | 'counter', Comparison>> = {
  start: { operation: 'a virtual machine runs', ours: 'activate', peer: 'virsh define, start', target: { limit: 1.1 } },
  counter: { operation: 'reading a counter', ours: 'rx_bytes', peer: 'virsh domifstat', target: { limit: 1 / 50 } },
};

function skipped(reason: string): Row[] {
  const subject = new Unavailable(reason);
  return Object.values(comparisons).flatMap((comparison) => {
    const subjects = new Map<string, Subject>([
      [comparison.ours, subject],
      [comparison.peer, subject],
    ]);
    return compareSamples('libvirt', subjects, { comparisons: [comparison], samples: new Map() });
  });
}

/** The description of one of ours as that of a domain of nobody's. */
function asPeer(description: string, console: string): string {
  return description
    .replace(/<name>.*<\/name>/, '<name>peer</name>')
    .replace(/<uuid>.*<\/uuid>/, '')
    .replaceAll(/<source path='[^']*'/g, `<source path='${console}'`);
}

/** The same domain with another name and an interface, which libvirt makes itself. */
function withInterface(description: string): string {
  const element = `<interface type='ethernet'><target dev='nfbench0'/><model type='virtio'/></interface></devices>`;
  return description
    .replace('<name>peer</name>', '<name>counted</name>')
    .replaceAll("/console'", "/console-2'")
    .replace('</devices>', element);
}
