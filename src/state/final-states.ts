import type { JournalEntry, UserDirectory } from './journal-entry.ts';
import { checksumOf } from './seal.ts';

/** What a journal says in the end of one object. */
export interface FinalState {
  readonly serial: number;
  /** All paths it had in the journal's time, the last one last. */
  readonly keys: readonly string[];
  /** Of its record; undefined: it is there no more. */
  readonly text: string | undefined;
  readonly made: UserDirectory | null | undefined;
  /** Checksums of all texts that its record had in the journal's time, and before. Empty when an older version wrote an entry, which does not say. */
  readonly known: ReadonlySet<string>;
}

/** An object that is there in the end. */
export type PresentState = FinalState & { readonly text: string };

/** The objects that a journal speaks of, in the order of what it says of each last. */
export function finalStates(entries: readonly JournalEntry[]): FinalState[] {
  const finals = new Map<number, FinalState>();
  const checksums = new Map<number, Set<string>>();
  for (const entry of entries) {
    const { serial } = entry;
    const earlier = finals.get(serial);
    const known = checksums.get(serial) ?? new Set<string>();
    checksums.set(serial, known);
    for (const checksum of checksumsOf(entry)) known.add(checksum);
    finals.delete(serial);
    finals.set(serial, {
      serial,
      keys: lastOnce([...(earlier?.keys ?? []), ...(entry.op === 'rename' ? [entry.key, entry.to] : [entry.key])]),
      text: entry.op === 'remove' ? undefined : entry.text,
      made: entry.op === 'put' && entry.made !== undefined ? entry.made : earlier?.made,
      known,
    });
  }
  for (const entry of entries) if (isOfOlderVersion(entry)) checksums.get(entry.serial)?.clear();
  return [...finals.values()];
}

/** Where an object is in the end, or was last. */
export function keyOf({ keys }: FinalState): string {
  return keys.at(-1) ?? '';
}

/** True for an object that is there in the end. */
export function isPresent(final: FinalState): final is PresentState {
  return final.text !== undefined;
}

function isOfOlderVersion(entry: JournalEntry): boolean {
  return entry.op !== 'remove' && entry.before === undefined && !(entry.op === 'put' && entry.made !== undefined);
}

function checksumsOf(entry: JournalEntry): string[] {
  if (entry.op === 'remove') return [];
  return entry.before === undefined ? [checksumOf(entry.text)] : [entry.before, checksumOf(entry.text)];
}

/** Each once, where it is last. */
function lastOnce(keys: readonly string[]): string[] {
  return keys.filter((key, index) => keys.lastIndexOf(key) === index);
}
