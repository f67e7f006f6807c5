import { readFileSync } from 'node:fs';

/** The name of the program that a process runs (proc_pid_comm(5)), at most 15 bytes; empty when the process has ended. */
export function commandName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return '';
  }
}
