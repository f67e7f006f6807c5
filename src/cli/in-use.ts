import { NfioError } from '../errors/index.ts';
import { commandName } from '../fuse/command-name.ts';
import { mountAt, readMountInfo } from '../fuse/mount-info.ts';
import { mountUsers } from '../fuse/mount-users.ts';

/** As many users of a mount as a sentence names. */
const mostNamed = 5;

/** True when nothing is found that uses a mount, though the kernel will not unmount it. */
export async function isUnused(mountpoint: string): Promise<boolean> {
  if (readMountInfo().some((mount) => mount.mountpoint.startsWith(`${mountpoint}/`))) return false;
  const device = mountAt(mountpoint)?.device;
  return device !== undefined && (await mountUsers(device).catch(() => [0])).length === 0;
}

/**
 * The error that says by what a mount is used, and how to free it.
 *
 * @param consequence a sentence that goes before the remedy, with a blank after it.
 */
export async function inUse(mountpoint: string, consequence = ''): Promise<NfioError> {
  const below = readMountInfo().find((mount) => mount.mountpoint.startsWith(`${mountpoint}/`));
  const pids = await mountUsers(mountAt(mountpoint)?.device ?? '').catch(() => []);
  const names = pids.slice(0, mostNamed).map((pid) => `${commandName(pid) || 'a program'} (process ${pid})`);
  const more = pids.length > mostNamed ? [`${pids.length - mostNamed} more`] : [];
  const by = below === undefined ? [...names, ...more].join(', ') : `the mount on ${below.mountpoint}`;
  const lazily = `nfio umount --lazy ${mountpoint}`;
  const free = below === undefined ? `Leave it (cd /), or detach it: ${lazily}` : `Unmount that first: umount ${below.mountpoint}`;
  return new NfioError('BusyError', { message: `${mountpoint} is in use${by === '' ? '' : ` by ${by}`}. ${consequence}${free}` });
}
