import { constants } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import type { GuestRef } from '../domain/ports/hypervisor.ts';

/**
 * File on this machine with the log of a guest that an activate has started and, when that failed, destroyed again: what `log` shows until the
 * VNF is deployed the next time.
 */
export function lastLogPath({ guestDir }: Pick<GuestRef, 'guestDir'>): string {
  return `${guestDir}.log`;
}

/** Keeps the log of a guest that is about to be destroyed. It need not have one. */
export async function keepLog(ref: GuestRef, logPath: string): Promise<void> {
  await copyFile(logPath, lastLogPath(ref), constants.COPYFILE_FICLONE).catch(() => undefined);
}

/** A new guest begins a new log. */
export async function dropLog(ref: GuestRef): Promise<void> {
  await rm(lastLogPath(ref), { force: true });
}
