import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { wordsToMountAgain } from '../../daemon/mount-options.ts';
import type { MountRecord } from '../../daemon/mount-record.ts';
import { checkPrivilege } from '../../daemon/preflight.ts';
import { isAlive } from '../../daemon/process-alive.ts';
import { quoteWord } from '../../domain/shell-words.ts';
import { NfioError } from '../../errors/index.ts';
import { mountInUse } from '../../fuse/mount-in-use.ts';
import { mountAt, mountpointsOf } from '../../fuse/mount-info.ts';
import { mountUsers } from '../../fuse/mount-users.ts';
import { defineCommand, type Terminal } from '../command.ts';
import { destroyAll, noAnswer } from '../destroy-all.ts';
import { inUse, isUnused } from '../in-use.ts';
import { findMount, type LiveMount } from '../mounts.ts';
import { notEnded } from '../not-ended.ts';

import { runProgram } from '../run-program.ts';
import { readVnfStates, type VnfState } from '../vnf-states.ts';

const endTimeoutMs = 15_000;
/** Thousands of new objects are written to the disk before the processes end; after so long it is said what is waited for. Milliseconds. */
const writingTimeoutMs = 90_000;
const saySoMs = 2000;
/** A file that was closed just now, and a request of the server's own, hold a mount for a moment longer: it is tried again meanwhile. Milliseconds. */
const transientMs = 5000;
const tryAgainMs = 50;
/** A lazily unmounted file system lives on while something uses it; it is not waited for. */
const lazyTimeoutMs = 500;

/** `nfio umount`. */
export const umountCommand = defineCommand({
  name: 'umount',
  summary: 'Unmount the file system',
  operands: ['MOUNTPOINT'],
  completes: 'mountpoints',
  options: {
    destroy: { type: 'boolean', summary: 'Destroy all VNFs first' },
    lazy: { type: 'boolean', summary: 'Detach now even if it is in use or does not answer' },
  },
  description: `Unmounts nf.io and waits until its processes have ended. VNFs keep running and are found again at the next
mount of the same root, unless --destroy is given. That destroys nothing while the mount is in use, and would stay;
with --lazy it is detached all the same. Programs that use it in another mount namespace, as in a container that has
the mount, are not cut off: the processes end with the last of them.`,
  examples: [
    { command: 'nfio umount /nfio', does: 'VNFs keep running' },
    { command: 'nfio umount --destroy /nfio', does: 'Nothing keeps running' },
    { command: 'nfio umount --lazy /nfio', does: 'Free a mountpoint that is in use' },
  ],
  async run({ values, operands, terminal }) {
    checkPrivilege('nfio umount');
    const mount = await findMount(operands[0] ?? '');
    if (mount === undefined) throw notMounted(resolve(operands[0] ?? ''));
    const { mountpoint, record } = mount;
    // Started in the mount, this process would itself keep it in use.
    process.chdir('/');
    if (values.destroy) await destroyFirst(mount, { lazy: values.lazy, terminal });
    const device = mountAt(mountpoint)?.device ?? '';
    const states = mount.state === 'mounted' ? await readVnfStates(mountpoint) : undefined;
    // Who is in a dead mount has nothing of it: it keeps nobody from detaching it.
    await unmount(mountpoint, values.lazy || mount.state === 'dead');
    const ended = record === undefined || (await waitForEnd(record, { device, lazy: values.lazy, terminal }));
    if (!ended && !values.lazy) throw await notEnded(record, device);
    if (!ended) terminal.out(`${mountpoint} is detached; its processes end when nothing uses it any more.\n`);
    terminal.out(keepRunning(states ?? [], record));
    return 0;
  },
});

/** Nothing is destroyed of a mount that would stay. */
async function destroyFirst(mount: LiveMount, { lazy, terminal }: { readonly lazy: boolean; readonly terminal: Terminal }): Promise<void> {
  const { mountpoint, state } = mount;
  if (state !== 'mounted') throw noAnswer(mountpoint);
  if (!lazy && (await mountInUse(mountpoint))) throw await inUse(mountpoint, 'Nothing was destroyed. ');
  await destroyAll(mountpoint, terminal);
}

function notMounted(path: string): NfioError {
  const entry = mountAt(path);
  const what = entry === undefined ? 'is not mounted' : `is mounted, but as ${entry.type}, not by nf.io`;
  return new NfioError('NotFoundError', { message: `${path} ${what}. See the mounts of nf.io with: nfio status` });
}

async function unmount(mountpoint: string, lazy: boolean): Promise<void> {
  const argv = ['umount', ...(lazy ? ['--lazy'] : []), '--', mountpoint];
  const deadline = performance.now() + transientMs;
  let result = await runProgram(argv, { timeoutMs: 10_000 });
  while (result.exitCode === 32 && performance.now() < deadline && (await isUnused(mountpoint))) {
    await sleep(tryAgainMs);
    result = await runProgram(argv, { timeoutMs: 10_000 });
  }
  if (result.exitCode === 0) return;
  if (result.errorCode === 'ENOENT') {
    throw new NfioError('MissingToolError', { message: 'The program umount is not installed. Run: apt-get install mount' });
  }
  // umount(8): 32 is "mount failure", which for a mount that was found means that something uses it.
  if (result.exitCode === 32 || result.timedOut) throw await inUse(mountpoint);
  throw new NfioError('MountError', { message: `${mountpoint} could not be unmounted: ${result.stderr.trim()}` });
}

/** Waits until the processes have ended, and says why when that takes long. Resolves to whether they did. */
async function waitForEnd(
  record: MountRecord,
  { device, lazy, terminal }: { readonly device: string; readonly lazy: boolean; readonly terminal: Terminal },
): Promise<boolean> {
  if (lazy) return await hasEnded(record, lazyTimeoutMs);
  if (await hasEnded(record, saySoMs)) return true;
  // Who uses it elsewhere keeps it, and writes nothing.
  if (mountpointsOf(device).length > 0 || (await mountUsers(device).catch(() => [0])).length > 0)
    return await hasEnded(record, endTimeoutMs);
  terminal.err(`Waiting until all that was made is written to ${record.root} …\n`);
  return await hasEnded(record, writingTimeoutMs);
}

/** Waits for the daemon's processes to end. Resolves to whether they did. */
async function hasEnded({ supervisorPid, serverPid }: MountRecord, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(supervisorPid) || isAlive(serverPid)) {
    if (performance.now() > deadline) return false;
    await sleep(10);
  }
  return true;
}

function keepRunning(states: readonly VnfState[], record: MountRecord | undefined): string {
  const running = states.filter(({ status }) => status === 'running' || status === 'paused').map(({ vnf }) => vnf);
  if (running.length === 0) return '';
  const shown = running.length > 10 ? [...running.slice(0, 10), `and ${running.length - 10} more`] : running;
  const subject = running.length === 1 ? '1 VNF keeps running' : `${running.length} VNFs keep running`;
  const words = record === undefined ? ['DIR'] : [record.root, ...(record.options === undefined ? [] : wordsToMountAgain(record.options))];
  const again = `nfio mount --root ${words.map(quoteWord).join(' ')} MOUNTPOINT`;
  return `${subject}: ${shown.join(', ')}.\nReach them again with: ${again}\nDestroy them with: ${again} && nfio umount --destroy MOUNTPOINT\n`;
}
