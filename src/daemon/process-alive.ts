import { readFileSync } from 'node:fs';
import { isAbsence } from '../errors/index.ts';

/**
 * Whether a process runs. One that has ended and waits for its parent to notice (a zombie) does not. Where other users' processes are
 * hidden (proc(5) hidepid), the kernel still tells that there is one.
 */
export function isAlive(pid: number): boolean {
  try {
    // proc_pid_stat(5): pid (name) state …; the name may hold anything, parentheses and blanks included.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(')')));
  } catch (error) {
    return isAbsence(error) ? isHidden(pid) : hasNumber(pid);
  }
}

function isHidden(pid: number): boolean {
  if (process.geteuid?.() === 0) return false;
  return hasNumber(pid);
}

/** Asked without a descriptor. EPERM: there is one. */
function hasNumber(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !isAbsence(error);
  }
}
