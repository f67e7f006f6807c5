import { readFileSync } from 'node:fs';

/** Sets of signals as /proc/PID/status has them (proc_pid_status(5)): bit n - 1 stands for signal n. */
export interface SignalSets {
  /** Of the thread itself, and of its process. */
  readonly pending: bigint;
  readonly blocked: bigint;
  readonly ignored: bigint;
  readonly caught: bigint;
}

/** What is known of a thread that waits for an answer. `gone`: it has ended. `unseen`: it cannot be looked at, now or ever. */
export type CallerSignals = SignalSets | 'gone' | 'unseen';

/** Signals whose default action is to do nothing, or to stop or continue (signal(7)): all others end the process. */
const harmless = setOf({ SIGCHLD: 17, SIGCONT: 18, SIGSTOP: 19, SIGTSTP: 20, SIGTTIN: 21, SIGTTOU: 22, SIGURG: 23, SIGWINCH: 28 });
/** What a terminal, its end, or a person sends to have a program stop what it does. */
const interrupting = setOf({ SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 });
/** A fatal signal becomes this one in each thread of its process as soon as it is sent; so does the end of a process by another thread. */
const kill = setOf({ SIGKILL: 9 });

/**
 * Reads the signals of a thread. The kernel's `pid` of a FUSE request is the number of a thread in the pid namespace of the connection; 0 when the
 * thread is in none that this one sees.
 */
export function signalsOf(thread: number): CallerSignals {
  if (thread === 0) return 'unseen';
  try {
    return parseSignals(readFileSync(`/proc/${thread}/status`, 'latin1'));
  } catch (error) {
    const { code } = error as { code?: unknown };
    return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : 'unseen';
  }
}

/** The sets in the text of /proc/PID/status. */
export function parseSignals(status: string): SignalSets {
  const set = (name: string): bigint => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return { pending: set('SigPnd') | set('ShdPnd'), blocked: set('SigBlk'), ignored: set('SigIgn'), caught: set('SigCgt') };
}

/**
 * True when a pending signal ends the thread, or is caught and one that is sent to interrupt a program. Others (SIGCHLD, SIGWINCH, SIGALRM, SIGUSR1 with a
 * handler, SIGSTOP, what a debugger does) wait until the request is answered.
 */
export function meansToCancel({ pending, blocked, ignored, caught }: SignalSets): boolean {
  if ((pending & kill) !== 0n) return true;
  const deliverable = pending & ~blocked & ~ignored;
  const ends = deliverable & ~caught & ~harmless;
  const interrupts = deliverable & caught & interrupting;
  return (ends | interrupts) !== 0n;
}

function setOf(signals: Readonly<Record<string, number>>): bigint {
  return Object.values(signals).reduce((set, number) => set | (1n << BigInt(number - 1)), 0n);
}
