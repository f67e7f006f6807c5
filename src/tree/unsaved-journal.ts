import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { unlessAbsent } from '../errors/index.ts';
import type { Writing } from './closer.ts';
import type { Unsaved } from './pending-save.ts';

/** The file is written anew when it has this many lines, and as often as there are four times as many as open files. */
const leastLines = 4000;
const linesPerFile = 4;
/** Longer texts are not noted: what is written through the descriptor after a kill fails then (EFBIG). Characters. */
const longestText = 256 * 1024;
/** So many closed files are still noted, for what their close began may not be done; twice as many, until these are forgotten at once. */
const mostEnding = 64;

/** A text that was written through a descriptor of a value, as far as it came. */
export interface UnsavedText {
  readonly before: string;
  readonly latin1: string;
  readonly judged: number;
  /** The request that brought the end of it: one that comes again is not added again. */
  readonly request: string;
}

/** What is noted of an open file. */
export interface UnsavedNote {
  readonly save?: Unsaved | undefined;
  readonly text?: UnsavedText | undefined;
  /** Who wrote last, or else opened the file. */
  readonly by?: Writing | undefined;
}

/**
 * What was written through open files and is not in force yet: a server that takes the connection over gets their handles, and nothing else tells it. A line of JSON for each change, of which
 * the last of a handle counts. It concerns one connection: nothing of it need outlive a boot, or be synced.
 */
export class UnsavedJournal {
  readonly #isFirst: boolean;
  #path: string | undefined;
  #file: number | undefined;
  #notes = new Map<number, UnsavedNote>();
  readonly #ending: number[] = [];
  #lines = 0;
  #limit = leastLines;
  /** False when some were not noted, by this server or one before: who wrote is not known then. */
  #isWhole = true;

  /** @param options.first whether this is the first server of its connection: what the file holds is of another. */
  constructor(options: { readonly first: boolean }) {
    this.#isFirst = options.first;
  }

  /** Sets the directory of the file. */
  set directory(path: string) {
    this.#path = `${path}/unsaved`;
    const text = this.#isFirst ? '' : unlessAbsent(() => readFileSync(this.#path ?? '', 'utf8'));
    this.#isWhole = text !== undefined;
    this.#notes = notesIn(text ?? '');
    if (this.#isWhole) this.#orGiveUp(() => this.#rewrite());
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** What is known of a handle; undefined: nothing waits. */
  find(fh: number): UnsavedNote | undefined {
    return this.#notes.get(fh);
  }

  /** Takes note of what waits, before the request that changed it is answered. */
  note(fh: number, change: UnsavedNote): void {
    const note = { ...this.#notes.get(fh), ...change };
    if (note.save === undefined && note.text === undefined) {
      this.#forget([fh]);
      return;
    }
    this.#notes.set(fh, note);
    this.#append([lineOf(fh, note)]);
  }

  /** Takes note for a handle, which somebody has just opened. @param by undefined: that is noted already. */
  noteOf(fh: number, by: Writing | undefined): (save: Unsaved | undefined) => void {
    return (save) => this.note(fh, { by: this.find(fh)?.by ?? by, save });
  }

  /** Its last descriptor is closed, and what that means is being done: should this server end before, the close comes again. */
  forgetLater(fh: number): void {
    this.#ending.push(fh);
    if (this.#ending.length >= 2 * mostEnding) this.#forget(this.#ending.splice(0, mostEnding));
  }

  #forget(handles: readonly number[]): void {
    const known = handles.filter((fh) => this.#notes.delete(fh));
    if (known.length > 0) this.#append(known.map((fh) => lineOf(fh, undefined)));
  }

  #append(lines: readonly string[]): void {
    if (this.#file === undefined) return;
    this.#orGiveUp(() => {
      if (this.#lines >= this.#limit) this.#rewrite();
      else writeSync(this.#file ?? -1, lines.join(''));
      this.#lines += lines.length;
    });
  }

  /** On a full disk there is no journal any more: the next server takes all open files for written to. */
  #orGiveUp(write: () => void): void {
    try {
      write();
    } catch {
      this.#isWhole = false;
      if (this.#file !== undefined) closeSync(this.#file);
      this.#file = undefined;
      rmSync(this.#path ?? '', { force: true });
    }
  }

  #rewrite(): void {
    const path = this.#path ?? '';
    mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true, mode: 0o700 });
    const file = openSync(`${path}.new`, 'w', 0o600);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = file;
    writeSync(file, Array.from(this.#notes, ([fh, note]) => lineOf(fh, note)).join(''));
    renameSync(`${path}.new`, path);
    this.#lines = this.#notes.size;
    this.#limit = Math.max(leastLines, linesPerFile * this.#lines);
  }
}

function lineOf(fh: number, note: UnsavedNote | undefined): string {
  const { text, ...rest } = note ?? {};
  const kept = text === undefined || text.latin1.length > longestText ? rest : { ...rest, text };
  return `${JSON.stringify([fh, note === undefined ? null : kept])}\n`;
}

/** A last line that is cut off is of a request that was not answered. */
function notesIn(text: string): Map<number, UnsavedNote> {
  const notes = new Map<number, UnsavedNote>();
  for (const line of text.split('\n').slice(0, -1)) {
    const [fh, note] = JSON.parse(line) as [number, UnsavedNote | null];
    if (note === null) notes.delete(fh);
    else notes.set(fh, note);
  }
  return notes;
}
