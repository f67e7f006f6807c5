import { chmodSync, lstatSync, mkdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { errnoName, errnoOf, NfioError, unlessAbsent } from '../../errors/index.ts';
import { removeTree } from '../remove-tree.ts';

/** File systems that cannot hold an overlay's upper directory, by the number statfs(2) gives. */
const unfitTypes = new Map([
  [0x794c7630, 'overlayfs'],
  [0x6969, 'NFS'],
  [0x65735546, 'FUSE'],
]);

/*
 * File calls here are synchronous, but for what a guest wrote: they are few, small and local, and done so they cost a tenth of what a thread pool's do.
 */

/**
 * Makes the directory of a guest, before it ever runs: upper (what the guest writes) and work (the overlay's). Later there may be its log, its
 * exit status and what its last command printed.
 *
 * @throws UnsupportedError (EOPNOTSUPP) when its file system cannot hold a guest, VNFDeployError with the errno that says why else.
 */
export async function makeGuestDirectory({ guestDir, boot }: GuestSpec): Promise<void> {
  for (const mount of boot.mounts) checkMount(mount);
  try {
    const isNew = makeDirectory(guestDir, 0o700); // set-user-id programs a guest writes are not for this machine's users
    for (const path of [`${guestDir}/upper`, `${guestDir}/work`]) {
      if (!isNew) await removeTree(path); // a guest may have left anything there
      mkdirSync(path);
    }
  } catch (cause) {
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw new NfioError('VNFDeployError', { errno, message: `${guestDir} could not be prepared (${errno})`, cause });
  }
  const unfit = unfitTypes.get(statfsSync(guestDir).type);
  if (unfit === undefined) return;
  throw new NfioError('UnsupportedError', {
    message: `guests cannot be kept on ${unfit} (${guestDir}). Mount with --root DIR, a directory on ext4, xfs or tmpfs`,
  });
}

function checkMount({ source, target }: GuestSpec['boot']['mounts'][number]): void {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found !== undefined && isAbsolute(target)) return;
  const wrong = found === undefined ? `${source} does not exist on this machine` : `${target} is not an absolute path`;
  throw new NfioError('VNFDeployError', { errno: found === undefined ? 'ENOENT' : 'EINVAL', message: `mounts in boot.conf: ${wrong}` });
}

/** True when it was not there. */
function makeDirectory(path: string, mode: number): boolean {
  const isNew = mkdirSync(path, { recursive: true, mode }) !== undefined;
  if ((statSync(path).mode & 0o7777) !== mode) chmodSync(path, mode);
  return isNew;
}

/** Where the guest's output goes. */
export function logFile(guestDir: string): string {
  return `${guestDir}/log`;
}

/** Directory of what a guest wrote. */
export function upperDirectory(guestDir: string): string {
  return `${guestDir}/upper`;
}

/** What the directory of a guest without a record tells: a record does not outlive a reboot. */
export function readTraces(guestDir: string): 'none' | 'made' | 'ran' {
  if (lstatSync(upperDirectory(guestDir), { throwIfNoEntry: false }) === undefined) return 'none';
  // The kernel makes this one when it mounts the overlay.
  return lstatSync(join(guestDir, 'work/work'), { throwIfNoEntry: false }) === undefined ? 'made' : 'ran';
}

/** True once the guest's main process has ended, unless someone killed init itself; its processes may still be ending. */
export function hasExitCode(guestDir: string): boolean {
  return readExit(guestDir) !== undefined;
}

/** Exit status of the guest's main process as its init noted it; 137 when someone killed init itself. @throws as node:fs does when it cannot be read. */
export function readExitCode(guestDir: string): number {
  return readExit(guestDir) ?? 137;
}

/** What init wrote at the end; before that the file holds no number. */
function readExit(guestDir: string): number | undefined {
  const text = unlessAbsent(() => readFileSync(join(guestDir, 'exit'), 'utf8')) ?? '';
  return /^\d{1,3}\n$/.test(text) ? Number(text) : undefined;
}
