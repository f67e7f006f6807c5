import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { errnoName, errnoOf, NfioError, unlessAbsent } from '../../errors/index.ts';

/** What the driver must know of a guest to find it and clear it away after a restart of nf.io. */
export interface GuestRecord {
  /** Whether it ever ran. */
  readonly begun: boolean;
  /** As it was last asked for, with the ports it has now. */
  readonly spec: GuestSpec | undefined;
  readonly vcpus: number;
  /** What it was started with; the most that it can be given while it runs. */
  readonly memoryBytes: number;
  /** Ids of ports that are closed, though they are wanted up. */
  readonly closed?: readonly string[];
}

/** Where the guest's console goes. */
export function logFile(guestDir: string): string {
  return join(guestDir, 'log');
}

/** Its disk, where it has one: what it changed of the image. */
export function overlayFile(guestDir: string): string {
  return join(guestDir, 'overlay.qcow2');
}

/** What its disk is built on: the image, or a link to it. */
export function baseFile(guestDir: string, format: string): string {
  return join(guestDir, `base.${format}`);
}

/** What it boots. */
export function bootFile(guestDir: string, name: 'kernel' | 'initrd'): string {
  return join(guestDir, name);
}

/** The CD that cloud-init reads. */
export function seedFile(guestDir: string): string {
  return join(guestDir, 'seed.iso');
}

/** Makes the directory of a guest, and its log, so that there is one to read. @throws VNFDeployError with the errno that says why. */
export function makeGuestDirectory(guestDir: string): void {
  try {
    mkdirSync(guestDir, { recursive: true, mode: 0o700 });
    chmodSync(guestDir, 0o700);
    writeFileSync(logFile(guestDir), '', { mode: 0o600 });
  } catch (cause) {
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw new NfioError('VNFDeployError', { errno, message: `${guestDir} could not be prepared (${errno})`, cause });
  }
}

/**
 * Lets QEMU's user pass to the files in a guest's directory: search permission, no more, on the directory and on the two above it, which
 * are nf.io's. What else is in those is closed by its own mode.
 */
export function openWay(guestDir: string): void {
  for (const directory of [guestDir, dirname(guestDir), dirname(dirname(guestDir))]) {
    const { mode } = statSync(directory);
    if ((mode & 0o001) === 0) chmodSync(directory, (mode & 0o7777) | 0o011);
  }
}

/** Reads the record of a guest; undefined when there is none (or it is not one). */
export function readRecord(guestDir: string): GuestRecord | undefined {
  const text = unlessAbsent(() => readFileSync(recordFile(guestDir), 'utf8'));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as GuestRecord);
  } catch {
    return undefined;
  }
}

/** Keeps the record of a guest. It needs no fsync: what it says of a guest that a power loss ended no longer matters. */
export function writeRecord(guestDir: string, record: GuestRecord): void {
  const path = recordFile(guestDir);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function recordFile(guestDir: string): string {
  return join(guestDir, 'guest.json');
}
