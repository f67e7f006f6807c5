import type { Request } from '../fuse/request.ts';
import type { Forward } from './forwarded.ts';

/**
 * Requests on the root of a guest that does not run. The main thread is asked to open it, and they are served again when it is open: this thread answers others meanwhile.
 * A request is put aside once; if the root is closed again by then, it fails.
 */
export class ParkedRequests {
  readonly #forward: Forward;
  readonly #waiting = new Map<number, Uint8Array[]>();
  #released: Uint8Array[] = [];
  #resuming = false;

  constructor(forward: Forward) {
    this.#forward = forward;
  }

  /** Puts a request aside until the root of a VNF is open. @returns false when it has been put aside before: it is to be answered. */
  park(request: Request, serial: number): boolean {
    if (this.#resuming) return false;
    const waiting = this.#waiting.get(serial);
    if (waiting === undefined) {
      this.#waiting.set(serial, [request.park()]);
      this.#forward({ op: 'openRoot', serial });
    } else waiting.push(request.park());
    return true;
  }

  /** The root of a VNF is open, or could not be opened. */
  release(serial: number): void {
    this.#released.push(...(this.#waiting.get(serial) ?? []));
    this.#waiting.delete(serial);
  }

  /** Serves again what has been released. */
  resume(session: { resume(request: Uint8Array): void }): void {
    if (this.#released.length === 0) return;
    const released = this.#released;
    this.#released = [];
    this.#resuming = true;
    for (const request of released) session.resume(request);
    this.#resuming = false;
  }
}
