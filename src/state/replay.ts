import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from './durable-file.ts';
import type { JournalEntry, UserDirectory } from './journal.ts';
import { ObjectFiles, recordName, trashName } from './object-files.ts';
import { decodeRecord } from './record-codec.ts';

/** What the journal says in the end of one object. */
interface Final {
  readonly serial: number;
  /** All it had in the journal's time, the last one last. */
  readonly keys: readonly string[];
  /** undefined: it is there no more. */
  readonly text: string | undefined;
  readonly made: UserDirectory | null | undefined;
}

/** An object that is there in the end. */
type Present = Final & { readonly text: string };

/**
 * Brings the directories of a root to what its journal says, after a crash. They may be anywhere between the first entry and the last: each entry was
 * carried out, in part, or not at all. Objects are told apart by their serials, so nothing that came later under the same name is
 * touched for the sake of what was there before. A record that was cut off is of the object that the journal has under its name.
 */
export function replay(root: string, entries: readonly JournalEntry[]): void {
  const files = new ObjectFiles(root);
  const finals = finalStates(entries);
  const present = [...finals.values()].filter((final): final is Present => final.text !== undefined);
  const places = new Map(present.map((final) => [keyOf(final), final.serial]));
  for (const final of finals.values()) {
    for (const key of final.keys) {
      const there = serialAt(files, key, places.get(key) ?? final.serial);
      if (there !== undefined && there !== places.get(key)) discard(root, key, there);
    }
  }
  for (const final of present) place(root, files, final);
}

function finalStates(entries: readonly JournalEntry[]): Map<number, Final> {
  const finals = new Map<number, Final>();
  for (const entry of entries) {
    const { serial } = entry;
    const before = finals.get(serial);
    const made = entry.op === 'put' && entry.made !== undefined ? entry.made : before?.made;
    const added = entry.op === 'rename' ? [entry.key, entry.to] : [entry.key];
    const keys = [...(before?.keys ?? []).filter((key) => !added.includes(key)), ...added];
    finals.set(serial, { serial, keys, made, text: entry.op === 'remove' ? undefined : entry.text });
  }
  return finals;
}

function keyOf({ keys }: Final): string {
  return keys.at(-1) ?? '';
}

/** Puts what is at a key aside; one that has another name now is found there by its serial. */
function discard(root: string, key: string, serial: number): void {
  const waiting = join(root, trashName, String(serial));
  rmSync(waiting, { recursive: true, force: true });
  renameSync(join(root, key), waiting);
}

function place(root: string, files: ObjectFiles, final: Present): void {
  const key = keyOf(final);
  if (!existsSync(join(root, key))) {
    const waiting = join(root, trashName, String(final.serial));
    if (existsSync(waiting)) renameSync(waiting, join(root, key));
    else files.apply({ op: 'put', key, serial: final.serial, text: final.text, made: final.made ?? null });
  }
  if (final.made !== undefined && final.made !== null) files.complete(key, final.made);
  writeRecord(root, files, { key, serial: final.serial, text: final.text });
}

/** In place, which a full disk has room for: the journal has the text until all is done. What is right already needs to be on the disk only. */
function writeRecord(
  root: string,
  files: ObjectFiles,
  record: { readonly key: string; readonly serial: number; readonly text: string },
): void {
  const path = join(root, record.key, recordName);
  if (!existsSync(path)) {
    replaceFile(path, record.text);
    return;
  }
  if (readFileSync(path, 'utf8') !== record.text) files.apply({ op: 'put', ...record });
  files.sync(record.key);
}

/**
 * The serial of the object at a key, undefined when there is none; `torn` when its record was cut off in the middle, or the disk does not give it back.
 *
 * @throws as node:fs does, when it could not be looked at.
 */
function serialAt(files: ObjectFiles, key: string, torn: number): number | undefined {
  if (!files.exists(key)) return undefined;
  let text: string | undefined;
  try {
    text = files.read(key);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error;
  }
  try {
    return decodeRecord(text ?? '').serial;
  } catch {
    return torn;
  }
}
