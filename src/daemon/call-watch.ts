import { unlessAbsent } from '../errors/index.ts';
import type { CallWatch } from '../vfs/system-calls.ts';

/** A call that takes longer hangs, milliseconds. */
const lateMs = 10_000;
const lookMs = 1000;
/** What the two threads share: the process that makes a call, 0 for none; when the call began, in seconds of the machine's clock; and the process that was killed for it. */
const [pidAt, beganAt, killedAt] = [0, 1, 2] as const;

/** Memory for what callWatch notes. */
export function callNotes(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(12));
}

/** Notes the call that is under way, for another thread: who makes it waits for it and can do nothing else. */
export function callWatch(notes: Int32Array): CallWatch {
  return {
    began: (pid) => {
      Atomics.store(notes, beganAt, secondsNow());
      Atomics.store(notes, pidAt, pid);
    },
    wasKilled: () => Atomics.load(notes, killedAt) === Atomics.load(notes, pidAt),
    ended: () => {
      Atomics.store(notes, pidAt, 0);
    },
  };
}

/** Kills a process whose call hangs, from another thread. Its caller then gets ETIMEDOUT, and the next call another process. */
export function killLateCalls(notes: Int32Array): void {
  setInterval(() => {
    const pid = Atomics.load(notes, pidAt);
    if (pid === 0 || (secondsNow() - Atomics.load(notes, beganAt)) * 1000 < lateMs) return;
    Atomics.store(notes, killedAt, pid);
    unlessAbsent(() => process.kill(pid, 'SIGKILL')); // else it has ended, and the call with it
  }, lookMs).unref();
}

/** Since this server began, on a clock that nobody sets. */
function secondsNow(): number {
  return Number(process.hrtime.bigint() / 1_000_000_000n) | 0;
}
