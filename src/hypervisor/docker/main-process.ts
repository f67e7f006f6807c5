import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessId } from '../../network/index.ts';

const timeoutMs = 5000;

/**
 * Waits until a guest's init (docker-init, which reaps) has become parent of its main process, and that runs the program it should. Resolves at once when init
 * has ended, and after five seconds at the latest.
 */
export async function mainProcessRuns(init: ProcessId): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; performance.now() < deadline && isAlive(init); pauseMs = Math.min(pauseMs * 2, 20)) {
    if (hasStarted(init.pid)) return;
    await sleep(pauseMs);
  }
}

function hasStarted(init: number): boolean {
  try {
    const program = readlinkSync(`/proc/${init}/exe`);
    const children = readFileSync(`/proc/${init}/task/${init}/children`, 'latin1').trim().split(' ');
    return children.some((child) => child !== '' && readlinkSync(`/proc/${child}/exe`) !== program);
  } catch {
    return false; // it ends, has not come that far, or cannot be looked at now: it is looked at again
  }
}
