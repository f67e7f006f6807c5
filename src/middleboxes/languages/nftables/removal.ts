import { dropCounter } from './count-drops.ts';

/** Kinds of objects in the order in which they can be deleted: what refers to others first. Rules went before. */
const kinds = [
  'map',
  'set',
  'flowtable',
  'chain',
  'counter',
  'quota',
  'limit',
  'synproxy',
  'secmark',
  'ct helper',
  'ct timeout',
  'ct expectation',
];

/**
 * Prints the first line of each table and of each object in it, and nothing of the rules and elements, which may be many.
 * A line `failed` says that nft did not succeed.
 */
export const inventoryScript = `{ nft -s -t list ruleset || echo failed; } | grep -E '^(table [^"]* \\{|\t[a-z][^"]* \\{|failed)$'; exit 0`;

/**
 * The commands that empty every table of a guest, all but nf.io's counters. Tables themselves stay, because a counter lives in its
 * table; one that the new rules do not have is left with nothing but its counter, which still counts for the sum.
 *
 * @param inventory what inventoryScript printed.
 */
export function removalOf(inventory: string): string {
  const flushes: string[] = [];
  const deletions = new Map<string, string[]>(kinds.map((kind) => [kind, []]));
  let table = '';
  for (const line of inventory.split('\n')) {
    const words = line.trim().split(' ').slice(0, -1);
    const name = words.pop() ?? '';
    if (line.startsWith('table ')) {
      table = `${words[1]} ${name}`;
      flushes.push(`flush table ${table}\n`);
    } else if (name !== dropCounter) {
      const kind = words.join(' ');
      deletions.get(kind)?.push(`delete ${kind} ${table} ${name}\n`);
    }
  }
  return [...flushes, ...[...deletions.values()].flat()].join('');
}
