import { readFile } from 'node:fs/promises';
import { NfioError } from '../errors/index.ts';
import { mountpointsOf } from '../fuse/mount-info.ts';
import { mountUsers } from '../fuse/mount-users.ts';
import type { LiveMount } from './mounts.ts';

/**
 * The error that says why a mount's processes are still there after its unmount, and what ends them.
 *
 * @param device of the file system, MAJOR:MINOR.
 */
export async function notEnded({ mountpoint, supervisorPid, serverPid }: LiveMount, device: string): Promise<NfioError> {
  const [other] = mountpointsOf(device);
  const users = await mountUsers(device).catch(() => []);
  return new NfioError('TimeoutError', { message: `${mountpoint} is unmounted, but ${await why()}` });

  async function why(): Promise<string> {
    if (other !== undefined) return `the file system is mounted on ${other} too. Unmount that: umount ${other}`;
    if (users.length === 0) return `its processes have not ended. End them with: kill ${supervisorPid} ${serverPid}`;
    // What is in use in this mount namespace is not unmounted.
    const names = await Promise.all(users.map(async (pid) => `${pid} (${await commandName(pid)})`));
    return `used in another mount namespace by ${names.join(', ')}. End that, or cut it off with: kill ${supervisorPid}`;
  }
}

async function commandName(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'ended')).trim();
}
