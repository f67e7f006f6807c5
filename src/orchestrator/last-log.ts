import { constants, unlinkSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import type { GuestRef } from '../domain/ports/hypervisor.ts';
import { isThere, unlessAbsent } from '../errors/index.ts';

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
export function dropLog(ref: GuestRef): void {
  const path = lastLogPath(ref);
  if (isThere(path)) unlessAbsent(() => unlinkSync(path));
}
