import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { Errno, errnoName, errnoOf, NfioError } from '../../errors/index.ts';
import { ipLine, newPortLines } from '../../network/index.ts';
import { mountTable } from './mount-table.ts';
import type { ProcessId } from './process-table.ts';

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

/**
 * Makes the directory of a guest: upper (what the guest writes), work and root (the overlay's), etc (files of its own).
 *
 * @throws UnsupportedError (EOPNOTSUPP) when its file system cannot hold a guest, VNFDeployError with the errno that says why else.
 */
export async function makeGuestDirectory(guestDir: string): Promise<void> {
  try {
    await mkdir(join(guestDir, 'upper/etc/nfio'), { recursive: true });
    await chmod(guestDir, 0o700); // set-user-id programs a guest writes are not for this machine's users
    for (const name of ['work', 'root', 'etc']) await mkdir(join(guestDir, name), { recursive: true });
    for (const name of ownFiles) {
      const machines = await lstat(`/etc/${name}`).catch(() => undefined);
      if (machines?.isFile() !== true) await writeFile(join(guestDir, 'upper/etc', name), '', { flag: 'wx' }).catch(unlessThere);
    }
  } catch (cause) {
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw new NfioError('VNFDeployError', { errno, message: `${guestDir} could not be prepared (${errno})`, cause });
  }
  const unfit = unfitTypes.get((await statfs(guestDir)).type);
  if (unfit === undefined) return;
  throw new NfioError('UnsupportedError', { message: `guests cannot be kept on ${unfit} (${guestDir}): put --root on ext4, xfs or tmpfs` });
}

/** Writes what the setup of a start reads: mounts, ports, settings, and the guest's own files in /etc. */
export async function writeStartFiles(spec: GuestSpec, options: { readonly devDirectory: string; readonly fabric: string }): Promise<void> {
  const { name, guestDir } = spec;
  const files = {
    fstab: mountTable(spec, options.devDirectory),
    ports: `${[ipLine('link', 'set', 'dev', 'lo', 'up'), ...spec.ports.flatMap((port) => newPortLines(port, options.fabric))].join('\n')}\n`,
    sysctl: sysctlLines(spec),
    'etc/hosts': ['127.0.0.1 localhost', '::1 localhost ip6-localhost', `127.0.1.1 ${name}`, ...spec.hosts, ''].join('\n'),
    'etc/hostname': `${name}\n`,
    'etc/resolv.conf': spec.boot.dns.map((server) => `nameserver ${server}\n`).join(''),
  };
  await Promise.all([
    ...Object.entries(files).map(([file, text]) => writeFile(join(guestDir, file), text)),
    rm(join(guestDir, 'exit'), { force: true }),
  ]);
}

/** Opens the guest's log to append to; never through a symbolic link. */
export async function openLog(guestDir: string): Promise<import('node:fs/promises').FileHandle> {
  return open(logFile(guestDir), constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o640);
}

/** Where the guest's output goes. */
export function logFile(guestDir: string): string {
  return join(guestDir, 'log');
}

/** Reads the record of a guest; undefined when there is none (or it is not one). */
export async function readRecord(guestDir: string): Promise<GuestRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(guestDir, 'guest.json'), 'utf8')) as GuestRecord;
  } catch {
    return undefined;
  }
}

/** Keeps the record of a guest. It needs no fsync: after a power loss there is no guest either. */
export async function writeRecord(guestDir: string, record: GuestRecord): Promise<void> {
  await writeFile(join(guestDir, 'guest.json'), JSON.stringify(record));
}

/** Exit status of the guest's main process as its init noted it; 137 when someone killed init itself. */
export async function readExitCode(guestDir: string): Promise<number> {
  const text = await readFile(join(guestDir, 'exit'), 'latin1').catch(() => '');
  return /^\d{1,3}\n$/.test(text) ? Number(text) : 137;
}

/** Lines "PATH VALUE" for the setup. Only settings of the guest's own network namespace are its to make. */
function sysctlLines(spec: GuestSpec): string {
  const ipv6 = spec.ports.some(({ addresses }) => addresses.some((address) => address.includes(':')));
  const quiet = ipv6 ? [] : ['net/ipv6/conf/default/disable_ipv6 1'];
  const set = Object.entries(spec.boot.sysctl).map(([name, value]) => `${sysctlPath(name)} ${value.replaceAll(/\s+/g, ' ')}`);
  return [...quiet, ...set]
    .filter((line) => line !== '')
    .join('\n')
    .concat('\n');
}

function sysctlPath(name: string): string {
  const path = name.includes('/') ? name : name.replaceAll('.', '/');
  if (/^net\/[\w./-]+$/.test(path) && !path.split('/').includes('..')) return path;
  throw new NfioError('UnsupportedError', {
    message: `sysctl.${name.slice(0, 80)} acts on the whole machine, not on one guest: only net.* settings can be given to a guest`,
  });
}

function unlessThere(error: unknown): void {
  if (errnoOf(error) !== Errno.EEXIST) throw error;
}
