import { availableParallelism, loadavg } from 'node:os';

const mostTimes = 8;

/**
 * How long a test waits, where a quiet machine is given so many milliseconds: as much longer as there is more to do than processors to do it, up to eight
 * times. For limits that only end what hangs; none of them is what a test asserts.
 */
export function patient(quietMs: number): number {
  const [lastMinute = 0] = loadavg();
  return Math.round(quietMs * Math.min(mostTimes, Math.max(1, lastMinute / availableParallelism())));
}
