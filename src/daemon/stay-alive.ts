import { readFileSync, writeFileSync } from 'node:fs';

/** proc_pid_oom_score_adj(5): what nf.io's daemon would have, and how much more all that it can do without counts, guests among it (guest-launcher.pl, execute.ts). */
const daemonScore = -900;
const spareScore = 300;

/** Own score at the start, which the supervisor has too. */
const inherited = ownScore();

/** Has the kernel end this process last when memory runs out: guests, and who works in the mount, would lose more than memory. Only CAP_SYS_RESOURCE may go below what was inherited. */
export function goLast(): void {
  if (!setScore(daemonScore)) setScore(inherited);
}

/** Has the kernel end this process before a daemon that goes last. */
export function goEarly(): void {
  setScore(Math.max(0, inherited + spareScore));
}

function ownScore(): number {
  try {
    return Number(readFileSync('/proc/self/oom_score_adj', 'latin1'));
  } catch {
    return 0; // without /proc there is nothing to set, either
  }
}

function setScore(score: number): boolean {
  try {
    writeFileSync('/proc/self/oom_score_adj', String(score));
    return true;
  } catch {
    return false;
  }
}

/** A daemon has no terminal, and no configuration to read again: SIGHUP means nothing to it, whoever sends it. */
export function ignoreHangup(): void {
  process.on('SIGHUP', () => undefined);
}
