import { closeSync, openSync } from 'node:fs';
import type { ProcessId } from './process-id.ts';

/**
 * Keeps the network namespace of a guest when the guest ends, until its ports are gone. Left to itself the kernel takes the rules of nft away before the
 * interfaces (cleanup_net), and packets pass in between as if there were none.
 */
export class NetworkHold implements Disposable {
  #files: number[] = [];

  /** Holds the network of a process, besides those that are held already. Where that cannot be done, the kernel does as it does. */
  take({ pid }: ProcessId): void {
    try {
      this.#files.push(openSync(`/proc/${pid}/ns/net`, 'r'));
    } catch {
      // It ended, or this process has no descriptors left.
    }
  }

  /** To be called when the ports are gone. */
  [Symbol.dispose](): void {
    for (const file of this.#files.splice(0)) closeSync(file);
  }
}
