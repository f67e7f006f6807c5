/** Process that writes or closes; 0: not known, as for pages that were mapped (mmap(2)). */
export type Writer = number;

/** What came of a save: it is in force; the text was refused; or nothing was decided, and it has to be tried again. */
export type SaveOutcome = 'saved' | 'refused' | 'failed';

/** Those whose writes a save takes in. */
export type SaveAttempt = ReadonlySet<Writer>;

/** Changes of files are counted: which of two came first. */
let changes = 0;

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
 * A truncation alone does nothing before RELEASE. A text that was refused is judged again when its writer asks, but not at RELEASE, where nobody would hear of it.
 */
export class PendingSave {
  #truncated: boolean;
  #refused = false;
  #writers = new Set<Writer>();
  /** Of what no save took in: the first change, and the last. */
  #first = Number.POSITIVE_INFINITY;
  #last = 0;

  /** @param truncated whether opening the file emptied or made it. */
  constructor(truncated: boolean) {
    this.#truncated = truncated;
    if (truncated) this.#changed();
  }

  /** True while there is something that no save took in. */
  get open(): boolean {
    return this.#truncated || this.#writers.size > 0;
  }

  /** True when a writer has not saved. */
  get written(): boolean {
    return this.#writers.size > 0;
  }

  /** ftruncate(2) to a length in bytes. */
  truncate(length: number): void {
    this.#changed();
    this.#truncated = true;
    this.#refused = false;
    if (length === 0) this.#writers.clear();
  }

  write(by: Writer): void {
    this.#changed();
    this.#refused = false;
    this.#truncated = false;
    this.#writers.add(this.#writers.size < mostWriters ? by : 0);
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

  /** All that was written has been judged by itself, as each write to a value is. */
  settle(): void {
    this.begin();
  }

  /** True when a close by this process saves. */
  savesAtClose(by: Writer): boolean {
    return this.#writers.has(by) || this.#writers.has(0) || (by === 0 && this.#writers.size > 0);
  }

  /** True when there is something left that has to be saved at the very end. */
  savesAtEnd(): boolean {
    return this.open && !this.#refused;
  }

  /** A save begins: what is written from now on is not part of it. */
  begin(): SaveAttempt {
    const attempt = this.#writers;
    this.#writers = new Set();
    this.#truncated = false;
    this.#first = Number.POSITIVE_INFINITY;
    return attempt;
  }

  /** A save is over. What did not get into force is still to be saved. */
  end(attempt: SaveAttempt, outcome: SaveOutcome): void {
    if (outcome === 'saved') return;
    this.#refused = outcome === 'refused' && !this.open;
    for (const writer of attempt) this.#writers.add(writer);
    this.#first = Math.min(this.#first, this.#last);
    if (attempt.size === 0) this.#truncated = true;
  }
}
