import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { release } from 'node:os';
import type { RequiredProgram } from '../../domain/ports/hypervisor.ts';
import { unlessAbsent } from '../../errors/index.ts';
import { missingPrograms } from '../missing-programs.ts';
import { againAsRoot, type Finding, type Probe } from './probe.ts';

/** Programs nf.io runs, and the Debian packages they are in. */
const programs: readonly RequiredProgram[] = [
  { program: 'ip', package: 'iproute2' },
  { program: 'tc', package: 'iproute2' },
  { program: 'nft', package: 'nftables' },
  { program: 'unshare', package: 'util-linux' },
  { program: 'nsenter', package: 'util-linux' },
  { program: 'setpriv', package: 'util-linux' },
  { program: 'pivot_root', package: 'util-linux' },
  { program: 'flock', package: 'util-linux' },
  { program: 'perl', package: 'perl-base' },
  { program: 'mount', package: 'mount' },
  { program: 'umount', package: 'mount' },
];

/** Probes that only look. */
export const basicProbes: readonly Probe[] = [
  { name: 'root', needed: true, run: probeRoot },
  { name: 'kernel', needed: true, run: probeKernel },
  { name: 'node', needed: true, run: probeNode },
  { name: '/dev/fuse', needed: true, needsRoot: true, run: () => probeDevice('/dev/fuse', 'modprobe fuse') },
  { name: 'programs', needed: true, run: probePrograms },
  { name: 'user namespaces', needed: true, run: probeUserNamespaces },
];

/** Lets nf.io answer bursts of requests sooner on machines whose processors sleep deeply. */
export const latencyProbe: Probe = {
  name: '/dev/cpu_dma_latency',
  needed: false,
  needsRoot: true,
  run: () => probeDevice('/dev/cpu_dma_latency', 'boot a kernel with CONFIG_CPU_IDLE; without it nothing but speed is lost'),
};

async function probeRoot(): Promise<Finding> {
  const uid = process.geteuid?.();
  return uid === 0 ? { ok: true, detail: 'this is root' } : { ok: false, detail: `this is user ${uid}`, remedy: againAsRoot() };
}

async function probeKernel(): Promise<Finding> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const atLeast = (wantedMajor: number, wantedMinor: number): boolean =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  if (!atLeast(5, 4)) return { ok: false, detail: `Linux ${release()}`, remedy: 'boot a kernel of 5.4 or newer (FUSE protocol 7.31)' };
  const crash = atLeast(6, 9) ? 'a crash of the server is survived' : 'from 6.9 on, a crash of the server would be survived';
  return { ok: true, detail: `Linux ${release()}, ${crash}` };
}

async function probeNode(): Promise<Finding> {
  const major = Number(process.versions.node.split('.')[0]);
  const detail = `Node.js ${process.versions.node}`;
  return major >= 24 ? { ok: true, detail } : { ok: false, detail, remedy: 'npm install --global n && n 24' };
}

async function probeDevice(path: string, remedy: string): Promise<Finding> {
  try {
    const device = await open(path, 'r+');
    await device.close();
    return { ok: true, detail: 'can be opened' };
  } catch (error) {
    return { ok: false, detail: `cannot be opened: ${(error as NodeJS.ErrnoException).code}`, remedy };
  }
}

async function probePrograms(): Promise<Finding> {
  const missing = await missingPrograms(programs);
  if (missing === undefined) return { ok: true, detail: programs.map(({ program }) => program).join(', ') };
  return { ok: false, detail: `not found: ${missing.names.join(', ')}`, remedy: missing.remedy };
}

async function probeUserNamespaces(): Promise<Finding> {
  const path = '/proc/sys/user/max_user_namespaces';
  const most = unlessAbsent(() => readFileSync(path, 'latin1'));
  if (most === undefined) return { ok: false, detail: 'guests need them', remedy: 'boot a kernel with CONFIG_USER_NS' };
  if (Number(most) > 0) return { ok: true, detail: `at most ${most.trim()}` };
  return { ok: false, detail: 'guests need them, and none is allowed', remedy: 'sysctl user.max_user_namespaces=65536' };
}
