import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAbsence, unlessAbsent } from '../errors/index.ts';

/** A process that cannot be taken for a later one with the same number. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly startTime: number;
}

/**
 * The process of that number now, or undefined; one that has ended and was not reaped yet is none.
 *
 * @throws as node:fs does when it cannot be told: this process has no descriptors left (EMFILE).
 */
export function findProcess(pid: number): ProcessId | undefined {
  const stat = unlessAbsent(() => readFileSync(`/proc/${pid}/stat`, 'utf8')); // ENOENT, or ESRCH while it ends
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20);
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startTime: Number(fields[19]) };
}

/** True while the very process runs. Where that cannot be told, one that has its number is taken for it: who runs is never taken for dead. */
export function isAlive(id: ProcessId): boolean {
  try {
    return findProcess(id.pid)?.startTime === id.startTime;
  } catch {
    return mayBeAlive(id); // which needs no descriptor
  }
}

/** False when no process has that number: told by one system call, and so at a tenth of what isAlive costs. */
export function mayBeAlive({ pid }: ProcessId): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !isAbsence(error); // EPERM: there is one
  }
}

/** Sends a signal if the very process is still there. @throws as findProcess does: no other process gets it by mistake. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (findProcess(id.pid)?.startTime !== id.startTime) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if (!isAbsence(error)) throw error; // ESRCH: ended just now
  }
}

/** How long the kernel takes to have a process that has let go of its namespaces ended, milliseconds. */
const endingMs = 200;

/** True for a process that has ended or is about to: what failed in its namespaces failed because of that. */
export function isEnding(id: ProcessId): Promise<boolean> {
  return waitUntilGone(id, endingMs);
}

/** Waits until the process is gone: true; false when it still runs after `timeoutMs`. */
export async function waitUntilGone(id: ProcessId, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (let pauseMs = 1; isAlive(id); pauseMs = Math.min(pauseMs * 2, 20)) {
    if (performance.now() > end) return false;
    await sleep(pauseMs);
  }
  return true;
}
