import type { Request } from '../fuse/request.ts';
import type { Forward } from './forwarded.ts';

/**
 * Requests that take long are served in parts. One that is not finished is put aside and served once more when a message has been to the main thread and back: others are
 * answered meanwhile.
 */
export class Turns {
  readonly #forward: Forward;
  readonly #op: 'turn' | 'probe';
  #resuming = false;
  #waiting: Uint8Array[] = [];
  #due: Uint8Array[] = [];

  /** @param op the message that goes to the main thread: it comes back at once, or when the disk of user files has answered. */
  constructor(forward: Forward, op: 'turn' | 'probe' = 'turn') {
    this.#forward = forward;
    this.#op = op;
  }

  /** True while requests are served that have waited. */
  get isResuming(): boolean {
    return this.#resuming;
  }

  /** Puts a request aside until its next turn. */
  wait(request: Request): void {
    this.#waiting.push(request.park());
    if (this.#waiting.length === 1) this.#forward({ op: this.#op });
  }

  /** The message is back. */
  come(): void {
    this.#due.push(...this.#waiting);
    this.#waiting = [];
  }

  /** Serves those whose turn it is. */
  resume(session: { resume(request: Uint8Array): void }): void {
    if (this.#due.length === 0) return;
    const due = this.#due;
    this.#due = [];
    this.#resuming = true;
    for (const request of due) session.resume(request);
    this.#resuming = false;
  }
}
