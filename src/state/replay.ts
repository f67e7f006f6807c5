import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isThere } from '../errors/index.ts';
import { isOfOnePlace, replaceFile, syncDirectory } from './durable-file.ts';
import { finalStates, isPresent, keyOf, type PresentState } from './final-states.ts';
import type { JournalContent } from './journal-text.ts';
import { ObjectFiles, recordName, trashName } from './object-files.ts';
import { decodeRecord, encodeRecord } from './record-codec.ts';
import { checksumOf } from './seal.ts';

/**
 * Brings the directories of a root to what its journal says, after a crash. They may be anywhere between the first entry and the last: each entry was
 * carried out, in part, or not at all. Objects are told apart by their serials, so nothing that came later under the same name is
 * touched for the sake of what was there before. A record that was cut off is of the object that the journal has under its name.
 *
 * All it changes is durable when it returns, so that the journal can be emptied.
 *
 * @returns a sentence for each object that is as its files have it, because an entry of the journal was damaged and they are newer than the rest of it, or
 *   because its files cannot be read or written: then what the journal has of it is kept in `lost/`.
 * @throws as node:fs does, where the disk fails; the journal is needed still then.
 */
export function replay(root: string, { entries, damaged }: JournalContent): string[] {
  const finals = finalStates(entries);
  const present = finals.filter(isPresent);
  const places = new Map(present.map((final) => [keyOf(final), final.serial]));
  const serials = new Set(finals.map(({ serial }) => serial));
  const state = new ReplayedRoot(root, damaged.length > 0);
  for (const { keys, serial } of finals) {
    for (const key of keys) {
      const there = state.serialAt(key, places.get(key) ?? serial);
      if (there !== undefined && there !== places.get(key) && serials.has(there)) state.discard(key, there);
    }
  }
  for (const final of present) if (places.get(keyOf(final)) === final.serial) state.place(final);
  state.sync();
  return state.told;
}

/** The directories of a root while its journal is replayed. */
class ReplayedRoot {
  readonly told: string[] = [];
  readonly #root: string;
  readonly #isDamaged: boolean;
  readonly #files: ObjectFiles;
  /** Directories whose names have changed. */
  readonly #changed = new Set<string>();

  /** @param isDamaged an entry of the journal is missing: what is on the disk may be newer than what the others say. */
  constructor(root: string, isDamaged: boolean) {
    this.#root = root;
    this.#isDamaged = isDamaged;
    this.#files = new ObjectFiles(root);
  }

  /**
   * The serial of the object at a key, undefined when there is none; `torn` when its record was cut off in the middle, or cannot be read.
   *
   * @throws as node:fs does, when it could not be looked at.
   */
  serialAt(key: string, torn: number): number | undefined {
    if (!this.#files.exists(key)) return undefined;
    let text: string | undefined;
    try {
      text = this.#files.read(key);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EIO' && !isOfOnePlace(error)) throw error;
    }
    try {
      return decodeRecord(text ?? '').serial;
    } catch {
      return torn;
    }
  }

  /** Puts what is at a key aside; one that has another name now is found there by its serial. */
  discard(key: string, serial: number): void {
    rmSync(this.#waiting(serial), { recursive: true, force: true });
    this.#rename(join(this.#root, key), this.#waiting(serial));
  }

  /** What is wrong with the place of one object is told, and holds up no other. */
  place(final: PresentState): void {
    try {
      this.#place(final);
    } catch (error) {
      if (!isOfOnePlace(error)) throw error;
      const key = keyOf(final);
      const path = join(this.#root, key, recordName);
      const kept = this.#files.keepRecord({ key, serial: final.serial, text: final.text });
      const why = `${path} cannot be written (${(error as Error).message}). What it should hold is in ${kept}`;
      this.told.push(`${why}. Unmount, run: rm -r ${path}; cp ${kept} ${path}; and mount again`);
    }
  }

  #place(final: PresentState): void {
    const key = keyOf(final);
    const { serial, text } = final;
    const there = this.serialAt(key, serial);
    if (there === undefined) {
      if (this.#isDamaged && this.#isElsewhere(final)) return;
      const waiting = this.#waiting(serial);
      if (isThere(waiting)) this.#rename(waiting, join(this.#root, key));
      else this.#files.apply({ op: 'put', key, serial, text, made: final.made ?? null });
    } else if (there !== serial) {
      this.told.push(`${key}: the journal has another object of this name. It is left out, and what is there is served`);
      return;
    }
    if (final.made !== undefined && final.made !== null) this.#files.complete(key, final.made);
    this.#writeRecord(key, final);
  }

  /** Makes durable what was renamed. */
  sync(): void {
    for (const directory of this.#changed) syncDirectory(directory);
  }

  /** In place, which a full disk has room for: the journal has the text until all is done. What is right already needs to be on the disk only. */
  #writeRecord(key: string, final: PresentState): void {
    const path = join(this.#root, key, recordName);
    if (!isThere(path)) {
      replaceFile(path, final.text);
      return;
    }
    const text = this.#files.read(key) ?? '';
    if (this.#isDamaged && isNewer(text, final))
      this.told.push(`${key}: its record is newer than what can be read of the journal, and is served`);
    else if (text !== final.text) this.#files.apply({ op: 'put', key, serial: final.serial, text: final.text });
    this.#files.sync(key);
  }

  /** Whether an object is under a name that the journal does not tell of any more. */
  #isElsewhere(final: PresentState): boolean {
    const home = dirname(keyOf(final));
    const names = readdirSync(join(this.#root, home)).filter((name) => !name.startsWith('.'));
    const found = names.find((name) => this.serialAt(`${home}/${name}`, -1) === final.serial);
    if (found !== undefined)
      this.told.push(`${home}/${found}: was ${basename(keyOf(final))}, and its new name cannot be read in the journal`);
    return found !== undefined;
  }

  #rename(from: string, to: string): void {
    renameSync(from, to);
    for (const path of [from, to]) this.#changed.add(dirname(path));
  }

  #waiting(serial: number): string {
    return join(this.#root, trashName, String(serial));
  }
}

/** Whether a record is whole, and none that its object had as far as the journal tells. */
function isNewer(text: string, { serial, known }: PresentState): boolean {
  if (known.size === 0) return false;
  try {
    const record = decodeRecord(text);
    return record.serial === serial && ![text, encodeRecord(record)].some((each) => known.has(checksumOf(each)));
  } catch {
    return false;
  }
}
