const second = 1_000_000_000n;

/** A time in nanoseconds as a double of seconds, which node:fs takes: good to a quarter of a microsecond. */
export function secondsOf(ns: bigint): number {
  const rest = ns % second;
  return Number((ns - rest) / second) + Number(rest) / 1e9;
}

/** The nearest time that node:fs sets exactly. */
export function nearestInSeconds(ns: bigint): bigint {
  const seconds = secondsOf(ns);
  const whole = Math.trunc(seconds);
  return BigInt(whole) * second + BigInt(Math.trunc((seconds - whole) * 1e9)); // as libuv does
}

/** True for a time that node:fs sets exactly. Those before 1970 it takes for others. */
export function isExactInSeconds(ns: bigint): boolean {
  return ns >= 0n && nearestInSeconds(ns) === ns;
}
