/** How to tell that something which is waited for hangs. */
export interface SignOfLifeOptions {
  /** After so long without a word it is asked for one, milliseconds. */
  readonly askMs: number;
  /** After so long again it is lost, milliseconds. */
  readonly lostMs: number;
  readonly ask?: () => void;
  readonly lost: () => void;
}

/** Watches a helper process while something is wanted of it: one that says nothing for too long, not even that it is there, hangs. */
export class SignOfLife {
  readonly #options: SignOfLifeOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SignOfLifeOptions) {
    this.#options = options;
  }

  /** Something is wanted of it. While something is already, this says nothing new. */
  begin(): void {
    if (this.#timer === undefined) this.#wait();
  }

  /** It said something. */
  heard(): void {
    if (this.#timer === undefined) return;
    this.end();
    this.#wait();
  }

  /** Nothing is wanted of it any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const { askMs, lostMs, ask, lost } = this.#options;
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        lost();
      }, lostMs).unref();
      ask?.();
    }, askMs).unref();
  }
}
