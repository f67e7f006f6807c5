import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { PortSpec } from '../../src/domain/ports/network.ts';
import type { HypervisorContract } from '../contract/hypervisor.ts';
import { LibvirtDaemon, whyNoLibvirt } from './libvirt-daemon.ts';
import { LibvirtWorld } from './libvirt-world.ts';
import { testVnfImage } from './vnf-image.ts';

/** The contract of hypervisors for virtual machines that really boot, under a libvirtd of the test's own. */
export function libvirtContract(parts: HypervisorContract['parts']): HypervisorContract {
  let daemon: LibvirtDaemon | undefined;
  let world: LibvirtWorld | undefined;
  return {
    name: `libvirt, ${parts?.join(' and ')}`,
    makeWorld: async () => {
      daemon = await LibvirtDaemon.start();
      world = new LibvirtWorld(daemon.uri, await testVnfImage());
      return world;
    },
    kill: (uuid) => process.kill(qemuOf(uuid), 'SIGKILL'),
    clear: async () => await daemon?.[Symbol.asyncDispose](),
    machines: {
      exited: 'shut off',
      many: 2,
      queues: async ({ id }: PortSpec) => {
        const { stdout } = await promisify(execFile)('tc', ['-netns', world?.fabric.name ?? '', 'qdisc', 'show', 'dev', `p${id}`]);
        return stdout;
      },
    },
    ...(parts === undefined ? {} : { parts }),
    skip: whyNoLibvirt(),
  };
}

/** The process that runs a domain. */
export function qemuOf(uuid: string): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (words[0]?.includes('qemu') && words.includes(uuid)) return Number(pid);
    } catch {
      // it ended meanwhile
    }
  }
  throw new Error(`no process runs the domain ${uuid}`);
}
