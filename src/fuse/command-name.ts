import { readFileSync } from 'node:fs';
import { unlessAbsent } from '../errors/absence.ts';

/** The name of the program that a process runs (proc_pid_comm(5)), at most 15 bytes; empty when the process has ended. @throws as node:fs does when it cannot be told. */
export function commandName(pid: number): string {
  return unlessAbsent(() => readFileSync(`/proc/${pid}/comm`, 'utf8'))?.trimEnd() ?? '';
}
