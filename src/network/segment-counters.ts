import { netDevColumns } from '../domain/net-dev.ts';

/**
 * Sums the counters of interfaces, by the names of the files in stats/.
 *
 * @param netDev Text of /proc/PID/net/dev.
 * @param names The interfaces; those that are not there count nothing.
 */
export function sumCounters(netDev: string, names: ReadonlySet<string>): Readonly<Record<string, number>> {
  const rows = netDev.split('\n').flatMap((line) => {
    const [, name = '', fields = ''] = /^\s*(\S+):\s*(.*)$/.exec(line) ?? [];
    return names.has(name) ? [fields.split(/ +/).map(Number)] : [];
  });
  const sum = (columns: readonly number[]): number =>
    rows.reduce((total, row) => columns.reduce((part, column) => part + (row[column] ?? 0), total), 0);
  return Object.fromEntries(Object.entries(netDevColumns).map(([counter, columns]) => [counter, sum(columns)]));
}
