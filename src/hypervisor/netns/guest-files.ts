import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { errnoName, errnoOf, NfioError } from '../../errors/index.ts';
import type { ProcessId } from '../../network/index.ts';
import { isOwnDirectory } from './mount-table.ts';

/** What the driver must know of a guest to find it, stop it and clear it away after a restart of nf.io. */
export interface GuestRecord {
  /** Undefined: made, never started. */
  readonly process: ProcessId | undefined;
  readonly ports: readonly PortSpec[];
  /** True when boot.conf asked for everything a machine can do. */
  readonly privileged: boolean;
  readonly capabilities: readonly string[];
}

const ownFiles = ['hosts', 'hostname', 'resolv.conf'];

/** File systems that cannot hold an overlay's upper directory, by the number statfs(2) gives. */
const unfitTypes = new Map([
  [0x794c7630, 'overlayfs'],
  [0x6969, 'NFS'],
  [0x65735546, 'FUSE'],
]);

/*
 * File calls here are synchronous: they are few, small and local, and done so they cost a tenth of what a thread pool's do.
 */

/**
 * Makes the directory of a guest, before it ever runs: upper (what the guest writes), work and root (the overlay's), etc (files of its own).
 *
 * @throws UnsupportedError (EOPNOTSUPP) when its file system cannot hold a guest, VNFDeployError with the errno that says why else.
 */
export function makeGuestDirectory({ guestDir, boot }: GuestSpec): void {
  try {
    for (const name of ['upper', 'work']) removeTree(join(guestDir, name)); // a guest may have left anything there
    mkdirSync(join(guestDir, 'upper/etc/nfio'), { recursive: true });
    chmodSync(guestDir, 0o700); // set-user-id programs a guest writes are not for this machine's users
    for (const name of ['work', 'root', 'etc']) mkdirSync(join(guestDir, name), { recursive: true });
    for (const name of ownFiles) {
      if (lstatSync(`/etc/${name}`, { throwIfNoEntry: false })?.isFile() !== true) writeFileSync(join(guestDir, 'upper/etc', name), '');
    }
    for (const mount of boot.mounts) makeMountPoint(join(guestDir, 'upper'), mount);
  } catch (cause) {
    if (cause instanceof NfioError) throw cause;
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw new NfioError('VNFDeployError', { errno, message: `${guestDir} could not be prepared (${errno})`, cause });
  }
  const unfit = unfitTypes.get(statfsSync(guestDir).type);
  if (unfit === undefined) return;
  throw new NfioError('UnsupportedError', { message: `guests cannot be kept on ${unfit} (${guestDir}): put --root on ext4, xfs or tmpfs` });
}

function makeMountPoint(upper: string, { source, target }: GuestSpec['boot']['mounts'][number]): void {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found === undefined || !isAbsolute(target)) {
    const wrong = found === undefined ? `${source} does not exist on this machine` : `${target} is not an absolute path`;
    throw new NfioError('VNFDeployError', { errno: found === undefined ? 'ENOENT' : 'EINVAL', message: `mounts in boot.conf: ${wrong}` });
  }
  const point = join(upper, target);
  if (existsSync(target) || isOwnDirectory(target)) return;
  mkdirSync(found.isDirectory() ? point : dirname(point), { recursive: true });
  if (!found.isDirectory()) writeFileSync(point, '');
}

/** Most often there is nothing, which lstat(2) tells at a tenth of rmSync's cost. */
function removeTree(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmSync(path, { recursive: true, force: true });
}

/** Where the guest's output goes. */
export function logFile(guestDir: string): string {
  return join(guestDir, 'log');
}

/** Reads the record of a guest; undefined when there is none (or it is not one). */
export function readRecord(guestDir: string): GuestRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(guestDir, 'guest.json'), 'utf8')) as GuestRecord;
  } catch {
    return undefined;
  }
}

/**
 * Keeps the record of a guest. It needs no fsync: after a power loss there is no guest either. It is written over the one before,
 * which so stays whole when the disk is full.
 */
export function writeRecord(guestDir: string, record: GuestRecord): void {
  const text = Buffer.from(JSON.stringify(record));
  const file = openSync(join(guestDir, 'guest.json'), constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    writeSync(file, text);
    ftruncateSync(file, text.length);
  } finally {
    closeSync(file);
  }
}

/** Exit status of the guest's main process as its init noted it; 137 when someone killed init itself. */
export function readExitCode(guestDir: string): number {
  try {
    const text = readFileSync(join(guestDir, 'exit'), 'latin1');
    return /^\d{1,3}\n$/.test(text) ? Number(text) : 137;
  } catch {
    return 137;
  }
}
