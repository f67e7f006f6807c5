import { chmodSync, closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestRef } from '../../domain/ports/hypervisor.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { errnoName, errnoOf, NfioError, unlessAbsent } from '../../errors/index.ts';

/** What labels do not tell of a guest after a restart of nf.io. */
export interface GuestRecord {
  readonly containerId: string;
  readonly ports: readonly PortSpec[];
  readonly configDir: string;
  readonly limits: string;
  /** True when its ports are closed unless `openPorts` opened them. */
  readonly guarded?: boolean;
  /** Ids of those that are closed. */
  readonly closed?: readonly string[];
  /** Which of its lives its ports were made in: when that began, in Docker's words. */
  readonly portsSince?: string;
}

/** Makes the directory of a guest. @throws VNFDeployError with the errno that says why it cannot. */
export function makeGuestDirectory({ guestDir }: GuestRef): void {
  try {
    mkdirSync(guestDir, { recursive: true });
    chmodSync(guestDir, 0o700);
    closeSync(openSync(logFile(guestDir), constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  } catch (cause) {
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw new NfioError('VNFDeployError', { errno, message: `${guestDir} could not be prepared (${errno})`, cause });
  }
}

/** Where the guest's output goes. */
export function logFile(guestDir: string): string {
  return join(guestDir, 'log');
}

/** Reads the record of a guest; undefined when there is none (or it is not one). */
export function readRecord(guestDir: string): GuestRecord | undefined {
  return readJson<GuestRecord>(join(guestDir, 'guest.json'));
}

/** Keeps the record of a guest. It needs no fsync: labels tell what was lost. */
export function writeRecord(guestDir: string, record: GuestRecord): void {
  writeJson(join(guestDir, 'guest.json'), record);
}

/** Reads a small file of the driver's own; undefined when there is none, or it is not whole. @throws as node:fs does when it cannot be read. */
export function readJson<Value>(path: string): Value | undefined {
  const text = unlessAbsent(() => readFileSync(path, 'utf8'));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Value);
  } catch {
    return undefined; // cut off, as by a full disk
  }
}

/** Writes one over the one before, which so stays whole when the disk is full. */
export function writeJson(path: string, value: unknown): void {
  const text = Buffer.from(JSON.stringify(value));
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    writeSync(file, text);
    ftruncateSync(file, text.length);
  } finally {
    closeSync(file);
  }
}
