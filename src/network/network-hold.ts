import { closeSync, openSync } from 'node:fs';
import type { ProcessId } from './process-id.ts';

/** How many descriptors holds may take together. */
let mostHolds = Number.POSITIVE_INFINITY;
let holds = 0;

/** Bounds the descriptors that holds take together, of this process. */
export function limitHolds(most: number): void {
  mostHolds = most;
}

/**
 * Keeps the network namespace of a guest when the guest ends, until its ports are gone. Left to itself the kernel takes the rules of nft away before the
 * interfaces (cleanup_net), and packets pass in between as if there were none.
 */
export class NetworkHold implements Disposable {
  #files: number[] = [];

  /** Holds the network of a process, besides those that are held already. Where that cannot be done, the kernel does as it does. */
  take({ pid }: ProcessId): void {
    if (holds >= mostHolds) return;
    try {
      this.#files.push(openSync(`/proc/${pid}/ns/net`, 'r'));
      holds += 1;
    } catch {
      // It ended, or this process has no descriptors left.
    }
  }

  /** To be called when the ports are gone. */
  [Symbol.dispose](): void {
    for (const file of this.#files.splice(0)) {
      closeSync(file);
      holds -= 1;
    }
  }
}
