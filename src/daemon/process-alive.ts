import { readFileSync } from 'node:fs';

/**
 * Whether a process runs. One that has ended and waits for its parent to notice (a zombie) does not. Where other users' processes are
 * hidden (proc(5) hidepid), the kernel still tells that there is one.
 */
export function isAlive(pid: number): boolean {
  try {
    // proc_pid_stat(5): pid (name) state …; the name may hold anything, parentheses and blanks included.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(')')));
  } catch {
    return isHidden(pid);
  }
}

function isHidden(pid: number): boolean {
  if (process.geteuid?.() === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
