import { readFileSync, readlinkSync } from 'node:fs';

/** PF_EXITING (linux/sched.h): the thread ends, and closes what it has open. */
const exiting = 0x4;

/**
 * True for a thread that ends because a signal ended its process: the close that it asks for is the kernel's, not its program's. False for one that is not seen (it
 * is in another pid namespace, or gone).
 */
export function isEndedBySignal(thread: number): boolean {
  if (thread === 0 || isSeenToRun(thread)) return false;
  try {
    return statTellsOfSignal(readFileSync(`/proc/${thread}/stat`, 'latin1'));
  } catch {
    return false; // whoever closes is taken for a program that does
  }
}

/** A thread that ends gives its memory back before it closes its files, and what it ran is not known from then on: that is told at a tenth of what the whole of its state costs. */
function isSeenToRun(thread: number): boolean {
  try {
    return readlinkSync(`/proc/${thread}/exe`) !== '';
  } catch {
    return false; // its state is looked at
  }
}

/** The same of the text of /proc/PID/stat (proc_pid_stat(5)): fields 9, flags, and 52, the status for wait(2). The name of the program, field 2, may hold anything. */
export function statTellsOfSignal(stat: string): boolean {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const [flags, status] = [Number(fields[9 - 3]), Number(fields[52 - 3])];
  return (flags & exiting) !== 0 && (status & 0x7f) !== 0;
}
