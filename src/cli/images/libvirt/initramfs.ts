import { readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Entry } from '../../../hypervisor/libvirt/cpio-archive.ts';
import { librariesOf } from './libraries.ts';
import { modulesOf } from './modules.ts';
import { run } from './packages.ts';
import { agentScript, bootScript, initScript, inittab, powerOffScript } from './vm-init.ts';

/** Programs besides busybox, by their path in the packages. Its own shell would take its own commands before these. */
const programs = ['/bin/dash', '/usr/sbin/nft', '/bin/ip', '/sbin/tc', '/bin/ping', '/usr/sbin/qemu-ga'] as const;

/** Files that programs read. */
const data = ['/etc/iproute2/rt_tables', '/etc/iproute2/rt_protos', '/etc/iproute2/rt_scopes'] as const;

const emptyDirectories = ['dev', 'proc', 'sys', 'run', 'tmp', 'root', 'var/log', 'var/tmp', 'etc/nfio', 'mnt/disk', 'mnt/root'] as const;

/** The entries of the initramfs: busybox and its links, the other programs with their libraries, kernel modules, and the scripts that start it all. */
export async function initramfsEntries(root: string, release: string, signal: AbortSignal): Promise<Entry[]> {
  const libraries = await librariesOf(root, programs, signal);
  const files = await Promise.all([...programs, ...libraries, ...data].map((path) => fileEntry(root, path)));
  const taken = new Set(['sh', ...files.map(({ path }) => basename(path))]);
  return [
    ...emptyDirectories.map((path): Entry => ({ kind: 'directory', path })),
    { kind: 'link', path: 'bin/sh', target: '/bin/dash' },
    { kind: 'link', path: 'var/run', target: '/run' },
    ...(await busybox(root, taken, signal)),
    ...files,
    ...(await modulesOf(root, release, signal)),
    ...etcFiles(),
  ];
}

function etcFiles(): Entry[] {
  const texts: Readonly<Record<string, string>> = {
    'etc/inittab': inittab,
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
    'etc/hosts': '127.0.0.1 localhost\n',
  };
  const scripts: Readonly<Record<string, string>> = {
    init: initScript,
    'etc/nfio-boot': bootScript,
    'etc/nfio-agent': agentScript,
    'etc/acpi/PWRF/00000080': powerOffScript,
  };
  const entry =
    (executable: boolean) =>
    ([path, text]: readonly [string, string]): Entry => ({ kind: 'file', path, content: Buffer.from(text), executable });
  return [...Object.entries(texts).map(entry(false)), ...Object.entries(scripts).map(entry(true))];
}

async function busybox(root: string, taken: ReadonlySet<string>, signal: AbortSignal): Promise<Entry[]> {
  const applets = (await run(['chroot', root, '/bin/busybox', '--list-full'], signal)).split('\n').filter((path) => path !== '');
  const links = applets.filter((path) => !taken.has(basename(path))).map((path): Entry => ({ kind: 'link', path, target: '/bin/busybox' }));
  return [await fileEntry(root, '/bin/busybox'), ...links.filter(({ path }) => path !== 'bin/busybox')];
}

async function fileEntry(root: string, path: string): Promise<Entry & { readonly kind: 'file' }> {
  const content = await readFile(await realpath(join(root, path)));
  return { kind: 'file', path: path.slice(1), content, executable: !path.startsWith('/etc/') };
}
