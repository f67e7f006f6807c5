import { checksumOf } from './seal.ts';

/** One change to the objects of a root, as the journal keeps it. Keys are paths below the root, serials name objects for good. */
export type JournalEntry =
  /** An object has this record now. `made`: it was made by this entry, with these user files. */
  | (Changed & { readonly op: 'put'; readonly text: string; readonly made?: UserDirectory | null })
  | (Changed & { readonly op: 'rename'; readonly to: string; readonly text: string })
  | { readonly op: 'remove'; readonly key: string; readonly serial: number };

interface Changed {
  readonly key: string;
  readonly serial: number;
  /** Checksum of the record's text until then: by it replay knows a record that is older than the entry. Absent: nothing was there, or an older version wrote it. */
  readonly before?: string;
}

/** A directory of files that belong to a user. */
export interface UserDirectory {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly files: Readonly<Record<string, string>>;
  /** When they are said to be written, seconds since 1970: one that still says so nobody else has written. Absent in entries of an older version. */
  readonly mtimeS?: number;
}

/**
 * The entry that takes another one back.
 *
 * @param before The text of the record until then; undefined when there is none.
 * @throws ENOENT, as node:fs does, when there is no object to change.
 */
export function inverseOf(entry: JournalEntry, before: string | undefined): JournalEntry {
  const { key, serial } = entry;
  if (entry.op === 'put' && entry.made !== undefined) return { op: 'remove', key, serial };
  if (before === undefined) throw Object.assign(new Error(`${key}: no record`), { code: 'ENOENT' });
  if (entry.op === 'remove') return { op: 'put', key, serial, text: before };
  const replaced = checksumOf(entry.text);
  if (entry.op === 'rename') return { op: 'rename', key: entry.to, serial, to: key, text: before, before: replaced };
  return { op: 'put', key, serial, text: before, before: replaced };
}

/** An entry that says what it replaces, by the one that takes it back. */
export function withBefore(entry: JournalEntry, inverse: JournalEntry): JournalEntry {
  if (entry.op === 'remove' || inverse.op === 'remove') return entry;
  return { ...entry, before: checksumOf(inverse.text) };
}
