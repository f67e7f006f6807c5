import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from './durable-file.ts';
import type { JournalEntry } from './journal.ts';
import { ObjectFiles, recordName, trashName } from './object-files.ts';
import { decodeRecord } from './record-codec.ts';

/** What the journal says in the end of one key. */
interface Final {
  readonly serial: number;
  /** undefined: nothing is there any more. */
  readonly text: string | undefined;
  readonly made: Extract<JournalEntry, { op: 'put' }>['made'];
  /** Keys the object had before, in the journal's time. */
  readonly earlier: readonly string[];
}

/**
 * Brings the directories of a root to what its journal says, after a crash. They may be anywhere between the first entry and the last: each entry was
 * carried out, in part, or not at all. Objects are told apart by their serials, so nothing that came later under the same name is
 * touched for the sake of what was there before.
 */
export function replay(root: string, entries: readonly JournalEntry[]): void {
  const files = new ObjectFiles(root);
  const finals = finalStates(entries);
  for (const [key, final] of finals) if (final.text === undefined) discard(root, files, { key, serial: final.serial });
  for (const [key, final] of finals) if (final.text !== undefined) place(root, files, { key, final, text: final.text });
}

function finalStates(entries: readonly JournalEntry[]): Map<string, Final> {
  const finals = new Map<string, Final>();
  for (const entry of entries) {
    const before = finals.get(entry.key);
    const made = entry.op === 'put' && entry.made !== undefined ? entry.made : before?.made;
    const earlier = before?.serial === entry.serial ? before.earlier : [];
    if (entry.op === 'put') {
      finals.set(entry.key, { serial: entry.serial, text: entry.text, made, earlier });
    } else {
      finals.set(entry.key, { serial: entry.serial, text: undefined, made: undefined, earlier: [] });
      if (entry.op === 'rename') finals.set(entry.to, { serial: entry.serial, text: entry.text, made, earlier: [...earlier, entry.key] });
    }
  }
  return finals;
}

/** Removes an object if it is still there; a rename that was not carried out is seen to by `place`. */
function discard(root: string, files: ObjectFiles, object: { readonly key: string; readonly serial: number }): void {
  if (serialAt(files, object.key) !== object.serial) return;
  const waiting = join(root, trashName, String(object.serial));
  rmSync(waiting, { recursive: true, force: true });
  renameSync(join(root, object.key), waiting);
}

function place(root: string, files: ObjectFiles, object: { readonly key: string; readonly final: Final; readonly text: string }): void {
  const { key, final, text } = object;
  const there = serialAt(files, key);
  if (there !== undefined && there !== final.serial) discard(root, files, { key, serial: there });
  if (!existsSync(join(root, key))) {
    // discard has put what the object was renamed from into the trash, where it is found by its serial.
    const waiting = join(root, trashName, String(final.serial));
    if (final.earlier.length > 0 && existsSync(waiting)) renameSync(waiting, join(root, key));
    else files.apply({ op: 'put', key, serial: final.serial, text, made: final.made ?? null });
  }
  if (final.made !== undefined && final.made !== null) files.complete(key, final.made);
  replaceFile(join(root, key, recordName), text);
}

/** The serial of the object at a key, undefined when there is none, or its record was cut off in the middle. */
function serialAt(files: ObjectFiles, key: string): number | undefined {
  const text = files.read(key);
  if (text === undefined) return undefined;
  try {
    return decodeRecord(text).serial;
  } catch {
    return undefined;
  }
}
