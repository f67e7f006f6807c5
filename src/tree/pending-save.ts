/** Process that writes or closes; 0: not known, as for pages that were mapped (mmap(2)). */
export type Writer = number;

/** What came of a save: it is in force; the text was refused; or nothing was decided, and it has to be tried again. */
export type SaveOutcome = 'saved' | 'refused' | 'failed';

/** Those whose writes a save takes in. */
export type SaveAttempt = ReadonlySet<Writer>;

/** Changes of files are counted: which of two came first. */
let changes = 0;

/** What was written and is not in force: what a server that takes over has to know. */
export interface Unsaved {
  readonly truncated: boolean;
  readonly refused: boolean;
  readonly writers: readonly Writer[];
  /** Something of it is missing, and nobody may save it. */
  readonly cut?: boolean;
}

/** So many writers of one descriptor are told apart; more are not known. */
const mostWriters = 64;

/**
 * When what is written through one open file takes effect. It is the same for the values of the tree and for the configuration of a VNF:
 *
 *   FLUSH     of a process that has written since the last save: now. It comes for each close of each duplicate, in every child that ends, and in a shell's
 *             redirection before anything was written, so that the close of anybody else means nothing.
 *   FSYNC     now.
 *   RELEASE   what nobody saved: a truncation with nothing after it (`: > FILE`, truncate(1)), and writes whose writer is not known.
 *
 * What is not whole saves nothing: when a write failed, or a signal ended who wrote, or who had only truncated the file. That is over when the file is written from its
 * beginning.
 *
 * A truncation alone does nothing before RELEASE. A text that was refused is judged again when its writer asks, but not at RELEASE, where nobody would hear of it.
 */
export class PendingSave {
  #truncated: boolean;
  #refused = false;
  #cut = false;
  #writers = new Set<Writer>();
  /** Of what no save took in: the first change, and the last. */
  #first = Number.POSITIVE_INFINITY;
  #last = 0;
  /** Saves that are under way, and whether each takes in a truncation. */
  readonly #running = new Map<SaveAttempt, boolean>();
  #closed = false;
  readonly #note: (unsaved: Unsaved | undefined) => void;

  /**
   * @param begin whether opening the file emptied or made it; or what a server before this one noted.
   * @param note Takes note of what is not in force, undefined: nothing. Called when that changes.
   */
  constructor(begin: boolean | Unsaved, note: (unsaved: Unsaved | undefined) => void = () => undefined) {
    const {
      truncated,
      refused,
      writers,
      cut = false,
    } = typeof begin === 'boolean' ? { truncated: begin, refused: false, writers: [], cut: false } : begin;
    this.#truncated = truncated;
    this.#refused = refused;
    this.#cut = cut;
    this.#writers = new Set(writers);
    this.#note = note;
    if (this.open) this.#changed();
    if (begin === true) this.#tell();
  }

  #tell(): void {
    const truncated = this.#truncated || [...this.#running.values()].includes(true);
    const writers = [...new Set([this.#writers, ...this.#running.keys()].flatMap((set) => [...set]))];
    const nothing = (this.#closed && this.#running.size === 0) || (!truncated && writers.length === 0 && !this.#cut);
    this.#note(nothing ? undefined : { truncated, refused: this.#refused, writers, ...(this.#cut ? { cut: true } : {}) });
  }

  /** True while there is something that no save took in. */
  get open(): boolean {
    return !this.#cut && (this.#truncated || this.#writers.size > 0);
  }

  /** True when a writer has not saved. */
  get written(): boolean {
    return this.open && this.#writers.size > 0;
  }

  /** ftruncate(2) to a length in bytes. */
  truncate(length: number): void {
    this.#changed();
    this.#truncated = true;
    this.#refused = false;
    if (length === 0) {
      this.#cut = false;
      this.#writers.clear();
    }
    this.#tell();
  }

  /** @param begins whether the text begins with it. */
  write(by: Writer, begins: boolean): void {
    const isKnown = this.#writers.has(by) && !this.#refused && !this.#truncated && !this.#cut;
    if (begins) this.#cut = false;
    this.#changed();
    this.#refused = false;
    this.#truncated = false;
    this.#writers.add(this.#writers.size < mostWriters ? by : 0);
    if (!isKnown) this.#tell();
  }

  #changed(): void {
    changes += 1;
    this.#last = changes;
    this.#first = Math.min(this.#first, changes);
  }

  /** True when the file was changed through another descriptor since this one began, and that one is still to save: what the file holds now is neither's text. */
  isOvertakenBy(other: PendingSave): boolean {
    return other.savesAtEnd() && other.#last > this.#first;
  }

  /** A write failed: what the file holds is not whole. */
  cut(): void {
    this.#cut = true;
    this.#tell();
  }

  /** A signal ended a process that had the file open. @returns whether what it wrote, or would have written, is not whole by that. */
  writerKilled(by: Writer): boolean {
    if (!this.savesAtClose(by) && !(this.open && this.#writers.size === 0)) return false;
    this.cut();
    return true;
  }

  /** All that was written is judged by itself, as each write to a value is. */
  settle(): void {
    const wasOpen = this.open;
    this.hand();
    if (wasOpen) this.#tell();
  }

  /** The same at a close: should this server end before that is done, the close comes again, and finds it undone. */
  hand(): void {
    this.#writers = new Set();
    this.#truncated = false;
  }

  /** True when a close by this process saves. */
  savesAtClose(by: Writer): boolean {
    return this.open && (this.#writers.has(by) || this.#writers.has(0) || (by === 0 && this.#writers.size > 0));
  }

  /** True when there is something left that has to be saved at the very end. */
  savesAtEnd(): boolean {
    return this.open && !this.#refused;
  }

  /** A save begins: what is written from now on is not part of it. */
  begin(): SaveAttempt {
    const attempt = this.#writers;
    this.#running.set(attempt, this.#truncated);
    this.hand();
    this.#first = Number.POSITIVE_INFINITY;
    return attempt;
  }

  /** A save is over. What did not get into force is still to be saved. */
  end(attempt: SaveAttempt, outcome: SaveOutcome): void {
    this.#running.delete(attempt);
    if (outcome !== 'saved') {
      this.#refused = outcome === 'refused' && !this.open;
      for (const writer of attempt) this.#writers.add(writer);
      this.#first = Math.min(this.#first, this.#last);
      if (attempt.size === 0) this.#truncated = true;
    }
    this.#tell();
  }

  /** The last descriptor is closed: what is not in force will never be, but by a save that is under way. */
  close(): void {
    this.#closed = true;
    this.#tell();
  }
}
