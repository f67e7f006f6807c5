import { readFileSync } from 'node:fs';

/**
 * The process that a thread belongs to (Tgid, proc_pid_status(5)): requests name the thread that calls. 0 when there is none, or it has ended.
 */
export function processOf(thread: number): number {
  if (thread === 0) return 0;
  try {
    const [, group] = /^Tgid:\t(\d+)$/m.exec(readFileSync(`/proc/${thread}/status`, 'latin1')) ?? [];
    return Number(group ?? 0);
  } catch {
    return 0; // it has ended, is in another pid namespace, or cannot be looked at: whoever asks takes it for an unknown process, at whose closes all is saved
  }
}
