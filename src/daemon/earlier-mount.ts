import { execFile } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { NfioError, unlessAbsent } from '../errors/index.ts';
import { unmount } from '../fuse/mount.ts';
import { mountAt, mountpointsOf, parseMountInfo } from '../fuse/mount-info.ts';
import { mountUsers } from '../fuse/mount-users.ts';
import { type MountRecord, readMountRecords } from './mount-record.ts';
import { isAlive } from './process-alive.ts';

/** A mount answers within this, or hangs. */
const answerTimeoutMs = 5000;
/** The end of a server writes what was made; after so long it is looked whether somebody uses what was unmounted, and after that again. Milliseconds. */
const lookAfterMs = 5000;
const longestEndMs = 90_000;
const againMs = 50;

/** Tells a person what is waited for, or done for them. */
export type Tell = (sentence: string) => void;

/** Detaches what is mounted at a path if it is a mount of nf.io that no process serves any more. Its guests go on. Who is in it loses nothing but the dead mount. */
export async function detachDead(path: string, tell: Tell): Promise<void> {
  while (mountAt(path)?.type === 'fuse.nfio' && (await isDead(path))) {
    tell(`${path} was a mount that no process served any more: it is detached.`);
    await unmount(path, { lazy: true });
  }
}

/** A process asks, which may hang in place of this one, by statfs(2), which is never answered from a cache. It fails for root only where nobody answers. */
async function isDead(path: string): Promise<boolean> {
  const record = (await readMountRecords()).get(mountAt(path)?.mountpoint ?? '');
  if (record !== undefined && isServed(record)) return false;
  const options = { cwd: '/', timeout: answerTimeoutMs, killSignal: 'SIGKILL' } as const;
  return await promisify(execFile)('stat', ['--file-system', '--format=', '--', path], options).then(
    () => false,
    (error: { readonly code?: unknown }) => typeof error.code === 'number',
  );
}

/**
 * Waits until the processes of an earlier mount of a root have ended, which take a while after an unmount: what was made is written to the disk.
 *
 * @throws StateInUseError (EBUSY) when it is mounted still, when something uses what was unmounted, or when its processes do not end.
 */
export async function waitForEarlierMount(root: string, tell: Tell): Promise<void> {
  const startedMs = performance.now();
  let lookedMs = startedMs;
  for (let said = false; ; await sleep(againMs)) {
    const record = [...(await readMountRecords()).values()].find((each) => isSame(each.root, root) && isServed(each));
    if (record === undefined) return;
    if (isMounted(record)) throw inUse(`${root} is in use by another mount. Unmount that: nfio umount ${record.mountpoint}`);
    if (!said) tell(`Waiting until the earlier mount of ${root}, on ${record.mountpoint}, has ended …`);
    said = true;
    if (performance.now() - lookedMs < lookAfterMs) continue;
    await checkEnding(record, performance.now() - startedMs);
    lookedMs = performance.now();
  }
}

async function checkEnding(record: MountRecord, waitedMs: number): Promise<void> {
  const { root, mountpoint, device, supervisorPid, serverPid } = record;
  const isReused = mountpointsOf(device).length > 0; // its number, by another file system
  const users = isReused ? [] : await mountUsers(device).catch(() => []);
  const unmounted = `${root} is in use by a mount that was on ${mountpoint}`;
  if (users.length > 0)
    throw inUse(`${unmounted}, and used by process ${users.join(', ')}. End that, or cut it off: kill ${supervisorPid}`);
  if (waitedMs > longestEndMs) throw inUse(`${unmounted} and does not end. End it: kill ${supervisorPid} ${serverPid}`);
}

function inUse(message: string): NfioError {
  return new NfioError('StateInUseError', { message });
}

function isServed({ supervisorPid, serverPid }: MountRecord): boolean {
  return isAlive(supervisorPid) || isAlive(serverPid);
}

/** In the mount namespace of its processes. The kernel gives the number of a file system that is gone to the next one, which is mounted elsewhere. */
function isMounted({ mountpoint, device, supervisorPid, serverPid }: MountRecord): boolean {
  const mounts = [supervisorPid, serverPid].map((pid) => unlessAbsent(() => readFileSync(`/proc/${pid}/mountinfo`, 'utf8')) ?? '');
  return mounts.some((text) => parseMountInfo(text).some((mount) => mount.device === device && mount.mountpoint === mountpoint));
}

function isSame(root: string, other: string): boolean {
  return root === other || unlessAbsent(() => realpathSync(root)) === unlessAbsent(() => realpathSync(other));
}
