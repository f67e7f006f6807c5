import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { killTree } from '../../network/index.ts';
import { readOrEmpty } from '../read-or-empty.ts';

const variable = 'NFIO_PROGRAM_OF';
/** How often it is looked whether they have ended, and for how long. Milliseconds. */
const lookMs = 5;
const endTimeoutMs = 5000;

/** Environment of a program that must not outlive the server that runs it. */
export function programOf(mountId: string): Readonly<Record<string, string>> {
  return { [variable]: mountId };
}

/**
 * Ends the programs that a server of a mount began to change guests with and left when it was killed, and waits for their end: one that is late would undo, or
 * mix with, what this server does. Whoever asked for them asks again.
 */
export async function endLeftPrograms(mountId: string): Promise<void> {
  for (const deadline = performance.now() + endTimeoutMs; performance.now() < deadline; await sleep(lookMs)) {
    const left = leftPrograms(mountId);
    if (left.length === 0) return;
    for (const pid of left) killTree(pid);
  }
}

function leftPrograms(mountId: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => environmentOf(pid).split('\0').includes(`${variable}=${mountId}`)).map(Number);
}

/** Those of other users are hidden from a root without CAP_SYS_PTRACE, and are none of ours. */
function environmentOf(pid: string): string {
  try {
    return readOrEmpty(`/proc/${pid}/environ`);
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
