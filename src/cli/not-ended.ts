import type { MountRecord } from '../daemon/mount-record.ts';
import { NfioError } from '../errors/index.ts';
import { commandName } from '../fuse/command-name.ts';
import { mountpointsOf } from '../fuse/mount-info.ts';
import { mountUsers } from '../fuse/mount-users.ts';

/**
 * The error that says why a mount's processes are still there after its unmount, and what ends them.
 *
 * @param device of the file system, MAJOR:MINOR.
 */
export async function notEnded({ mountpoint, supervisorPid, serverPid }: MountRecord, device: string): Promise<NfioError> {
  const [other] = mountpointsOf(device);
  const users = await mountUsers(device).catch(() => []);
  return new NfioError('TimeoutError', { message: `${mountpoint} is unmounted, but ${why()}` });

  function why(): string {
    if (other !== undefined) return `the file system is mounted on ${other} too. Unmount that: umount ${other}`;
    if (users.length === 0) return `its processes have not ended. End them with: kill ${supervisorPid} ${serverPid}`;
    // What is in use in this mount namespace is not unmounted.
    const names = users.map((pid) => `${pid} (${commandName(pid) || 'ended'})`);
    return `used in another mount namespace by ${names.join(', ')}. End that, or cut it off with: kill ${supervisorPid}`;
  }
}
