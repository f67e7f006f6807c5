import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that cannot be taken for a later one with the same number. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly startTime: number;
}

/** The process of that number now, or undefined; one that has ended and was not reaped yet is none. */
export function findProcess(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20);
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTime: Number(fields[19]) };
  } catch {
    return undefined; // ENOENT, or ESRCH while it ends
  }
}

/** True while the very process runs. */
export function isAlive(id: ProcessId): boolean {
  return findProcess(id.pid)?.startTime === id.startTime;
}

/** False when no process has that number: told by one system call, and so at a tenth of what isAlive costs. */
export function mayBeAlive({ pid }: ProcessId): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH: who sets guests up may signal any
  }
}

/** Sends a signal if the very process is still there. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch {
    // ended just now
  }
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
