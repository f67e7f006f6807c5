import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../../daemon/process-alive.ts';
import { NfioError } from '../../errors/index.ts';
import { mountAt } from '../../fuse/mount-info.ts';
import { defineCommand } from '../command.ts';
import { destroyAll } from '../destroy-all.ts';
import { readMountTable } from '../mount-table.ts';
import { findMount, type LiveMount } from '../mounts.ts';
import { notEnded } from '../not-ended.ts';
import { checkPrivilege } from '../preflight.ts';
import { runProgram } from '../run-program.ts';
import { readVnfStates, type VnfState } from '../vnf-states.ts';

const endTimeoutMs = 15_000;
/** A lazily unmounted file system lives on while something uses it; it is not waited for. */
const lazyTimeoutMs = 500;

/** `nfio umount`. */
export const umountCommand = defineCommand({
  name: 'umount',
  summary: 'Unmount the file system',
  operands: ['MOUNTPOINT'],
  options: {
    destroy: { type: 'boolean', summary: 'Destroy all VNFs first' },
    lazy: { type: 'boolean', summary: 'Detach now even if it is in use or does not answer' },
  },
  description: `Unmounts nf.io and waits until its processes have ended. VNFs keep running and are found again at the next
mount of the same root, unless --destroy is given. Programs that use it in another mount namespace,
as in a container that has the mount, are not cut off: the processes end with the last of them.`,
  examples: [
    { command: 'nfio umount /nfio', does: 'VNFs keep running' },
    { command: 'nfio umount --destroy /nfio', does: 'Nothing keeps running' },
    { command: 'nfio umount --lazy /nfio', does: 'Free a mountpoint that is in use' },
  ],
  async run({ values, operands, terminal }) {
    await checkPrivilege('umount');
    const mount = await findMount(operands[0] ?? '');
    if (mount === undefined) throw await notMounted(resolve(operands[0] ?? ''));
    if (values.destroy) await destroyAll(mount.mountpoint, terminal);
    const device = mountAt(mount.mountpoint)?.device ?? '';
    const states = mount.served ? await readVnfStates(mount.mountpoint) : undefined;
    await unmount(mount.mountpoint, values.lazy);
    const ended = await hasEnded(mount, values.lazy ? lazyTimeoutMs : endTimeoutMs);
    if (!ended && !values.lazy) throw await notEnded(mount, device);
    if (!ended) terminal.out(`${mount.mountpoint} is detached; its processes end when nothing uses it any more.\n`);
    terminal.out(keepRunning(states ?? [], mount));
    return 0;
  },
});

async function notMounted(path: string): Promise<NfioError> {
  const entry = (await readMountTable()).find((candidate) => candidate.mountpoint === path);
  const what = entry === undefined ? 'is not mounted' : `is mounted, but as ${entry.fsType}, not by nf.io`;
  return new NfioError('NotFoundError', { message: `${path} ${what}. See the mounts of nf.io with: nfio status` });
}

async function unmount(mountpoint: string, lazy: boolean): Promise<void> {
  const result = await runProgram(['umount', ...(lazy ? ['--lazy'] : []), '--', mountpoint], { timeoutMs: 10_000 });
  if (result.exitCode === 0) return;
  if (result.errorCode === 'ENOENT') {
    throw new NfioError('MissingToolError', { message: 'The program umount is not installed. Install it: apt-get install mount' });
  }
  // umount(8): 32 is "mount failure", which for a mount that was found means that something uses it.
  if (result.exitCode === 32 || result.timedOut) {
    throw new NfioError('BusyError', {
      message: `${mountpoint} is in use. See by what: fuser -vm ${mountpoint}; leave it, or detach it with: nfio umount --lazy ${mountpoint}`,
    });
  }
  throw new NfioError('MountError', { message: `${mountpoint} could not be unmounted: ${result.stderr.trim()}` });
}

/** Waits for the daemon's processes to end. Resolves to whether they did. */
async function hasEnded(mount: LiveMount, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(mount.supervisorPid) || isAlive(mount.serverPid)) {
    if (performance.now() > deadline) return false;
    await sleep(10);
  }
  return true;
}

function keepRunning(states: readonly VnfState[], mount: LiveMount): string {
  const running = states.filter(({ status }) => status === 'running' || status === 'paused').map(({ vnf }) => vnf);
  if (running.length === 0) return '';
  const shown = running.length > 10 ? [...running.slice(0, 10), '…'] : running;
  const subject = running.length === 1 ? '1 VNF keeps running' : `${running.length} VNFs keep running`;
  return `${subject}: ${shown.join(', ')}.\nMount ${mount.root} again to reach them, or destroy them before: nfio umount --destroy MOUNTPOINT\n`;
}
