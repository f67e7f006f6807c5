/** Columns of /proc/PID/net/dev after the colon (proc_pid_net(5)) that a counter of interfaces is the sum of. */
export const netDevColumns: Readonly<Record<string, readonly number[]>> = {
  rx_bytes: [0],
  rx_packets: [1],
  tx_bytes: [8],
  tx_packets: [9],
  pkt_drops: [3, 11],
};

/** What is counted at the far ends of a guest's interfaces: they receive what it sends. */
export const mirrored: Readonly<Record<string, string>> = {
  rx_bytes: 'tx_bytes',
  rx_packets: 'tx_packets',
  tx_bytes: 'rx_bytes',
  tx_packets: 'rx_packets',
};

/** Counters of interfaces, by name of a counter. */
export type Counts = Readonly<Record<string, number>>;

/** The sum of counters. */
export function addCounts(one: Counts, other: Counts): Counts {
  return Object.fromEntries(Object.keys(netDevColumns).map((counter) => [counter, (one[counter] ?? 0) + (other[counter] ?? 0)]));
}

/**
 * What some interfaces of a guest have counted; those that are not there are left out.
 *
 * @param netDev Text of /proc/PID/net/dev.
 * @param farEnds names of their far ends, by their own, where these are in that text.
 */
export function countsByInterface(
  netDev: string,
  names: readonly string[],
  farEnds: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, Counts>> {
  const rows = new Map(
    netDev.split('\n').flatMap((line) => {
      const [, name = '', fields = ''] = /^\s*(\S+):\s*(.*)$/.exec(line) ?? [];
      return name === '' ? [] : [[name, fields.split(/ +/).map(Number)] as const];
    }),
  );
  const counter = (row: readonly number[], name: string): number =>
    (netDevColumns[farEnds === undefined ? name : (mirrored[name] ?? name)] ?? []).reduce((sum, column) => sum + (row[column] ?? 0), 0);
  return Object.fromEntries(
    names.flatMap((name) => {
      const row = rows.get(farEnds === undefined ? name : (farEnds[name] ?? ''));
      return row === undefined ? [] : [[name, Object.fromEntries(Object.keys(netDevColumns).map((each) => [each, counter(row, each)]))]];
    }),
  );
}
