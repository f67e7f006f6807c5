import type { Said } from './kind.ts';

/** What a storm came to. */
export class Verdict {
  /** What must not be, a sentence each. */
  readonly faults: string[] = [];
  /** Calls that failed with EIO, which the kernel may have ended (ADR 8). */
  readonly lost: string[] = [];
  readonly #confirmed = new Map<string, number>();

  /** Takes in what a client said in a round. `cut`: both processes were killed in it, and its clients may say so. */
  hear(name: string, said: readonly Said[], { cut }: { readonly cut: boolean }): void {
    for (const { word, rest } of said) {
      if (word === 'ok') this.#confirmed.set(name, (this.#confirmed.get(name) ?? 0) + 1);
      else if (word === 'wrong') this.faults.push(`${name}: ${rest}`);
      else if (word === 'failed' && rest.startsWith('EIO ')) this.lost.push(`${name}: ${rest}`);
      else if (word === 'failed' || (word === 'cut' && !cut)) this.faults.push(`${name}: ${word} ${rest}`);
    }
  }

  /** Judges the failed calls. @param may how many the kernel may have lost. @param others how requests ended that it did not lose. */
  judge(may: number, others: readonly string[]): void {
    if (this.lost.length <= may) return;
    this.faults.push(`${this.lost.length} calls failed with EIO, of which ADR 8 explains ${may}:`, ...this.lost, ...others);
  }

  /** What was confirmed, by kind of client. */
  get confirmed(): string {
    return Array.from(this.#confirmed, ([name, count]) => `${name} ${count}`).join(', ');
  }
}
