import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { NfioError } from '../../errors/index.ts';
import { vnfImage } from '../../middleboxes/vm-profile.ts';
import { isInstalled } from '../missing-programs.ts';
import { againAsRoot, type Finding, type Probe } from './probe.ts';

const timeoutMs = 2000;
const dockerSocket = '/var/run/docker.sock';
const libvirtSocket = '/run/libvirt/libvirt-sock';

/** Other hypervisors than the embedded one: good to have. */
export const engineProbes: readonly Probe[] = [
  { name: 'docker', needed: false, run: probeDocker },
  { name: 'libvirt', needed: false, run: probeLibvirt },
  { name: 'kvm', needed: false, needsRoot: true, run: probeKvm },
  { name: 'vm image', needed: false, run: probeVmImage },
];

async function probeDocker(): Promise<Finding> {
  try {
    const version = await new Promise<string>((resolve, reject) => {
      const outgoing = request({ socketPath: dockerSocket, path: '/_ping', method: 'HEAD', timeout: timeoutMs }, (response) => {
        response.resume();
        resolve(String(response.headers['api-version'] ?? 'unknown'));
      });
      outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
      outgoing.on('error', reject);
      outgoing.end();
    });
    return { ok: true, detail: `Docker Engine API ${version} on ${dockerSocket}` };
  } catch (error) {
    return await absent(error, { what: 'Docker Engine', socket: dockerSocket, program: 'dockerd', packages: 'docker.io', unit: 'docker' });
  }
}

async function probeLibvirt(): Promise<Finding> {
  try {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(libvirtSocket, () => {
        socket.destroy();
        resolve();
      });
      socket.setTimeout(timeoutMs, () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
      socket.on('error', reject);
    });
    const { findSlowness } = await import('../../hypervisor/libvirt/kvm-access.ts');
    const slowness = findSlowness();
    if (slowness !== undefined) return { ok: false, detail: `libvirtd listens, but ${slowness.why}`, remedy: slowness.remedy };
    return { ok: true, detail: `libvirtd listens on ${libvirtSocket}` };
  } catch (error) {
    const packages = 'libvirt-daemon-system qemu-system-x86';
    return await absent(error, { what: 'libvirtd', socket: libvirtSocket, program: 'libvirtd', packages, unit: 'libvirtd' });
  }
}

/** Boots a guest, once in the life of the machine. */
async function probeKvm(): Promise<Finding> {
  const { probeAcceleration } = await import('../../hypervisor/libvirt/acceleration.ts');
  try {
    const { works, why } = await probeAcceleration(join(vnfImage, 'kernel'));
    if (works) return { ok: true, detail: `virtual machines run at full speed: ${why}` };
    return {
      ok: false,
      detail: why,
      remedy: 'virtual machines are emulated, which is slower; on a virtual machine ask for nested virtualisation',
    };
  } catch (error) {
    if (!(error instanceof NfioError) || error.code !== 'MissingToolError')
      return {
        ok: false,
        detail: `whether KVM works could not be tried: ${(error as Error).message}`,
        remedy: 'mend that, and run: nfio doctor',
      };
    return { ok: false, detail: 'QEMU is not installed', remedy: 'apt-get install qemu-system-x86 qemu-utils' };
  }
}

async function probeVmImage(): Promise<Finding> {
  const { describeVnfImage } = await import('../images/libvirt/build.ts');
  const found = await describeVnfImage(vnfImage);
  if (found !== undefined) return { ok: true, detail: `${vnfImage}, Linux ${found.release}` };
  return { ok: false, detail: 'there is no image for virtual machines', remedy: 'nfio images build --libvirt' };
}

/** A daemon that did not answer. */
interface AbsentDaemon {
  readonly what: string;
  readonly socket: string;
  readonly program: string;
  readonly packages: string;
  readonly unit: string;
}

/** What is there is not to be installed, and what this user may not use is not to be started. */
async function absent(error: unknown, { what, socket, program, packages, unit }: AbsentDaemon): Promise<Finding> {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES') return { ok: false, detail: `only root, and its group, may use ${socket}`, remedy: againAsRoot() };
  const start = `systemctl start ${unit}`;
  const installed = await isInstalled(program);
  const detail = installed ? `${what} is installed, and does not answer on ${socket} (${code})` : `${what} is not installed`;
  return { ok: false, detail, remedy: installed ? start : `apt-get install ${packages} && ${start}` };
}
