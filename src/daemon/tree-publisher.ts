import { setTimeout as delay } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { ModelChange } from '../domain/observation.ts';
import type { ChainRecord } from '../domain/records.ts';
import { type ViewSurroundings, viewsOf } from '../tree/build-views.ts';
import type { KernelMessage } from '../tree/forwarded.ts';
import type { Tree } from '../tree/tree.ts';
import type { Watchers } from './watchers.ts';

/** So many messages may wait for the kernel thread before it is woken to take them in. */
const mostWaiting = 512;

/** How long a kernel thread that is busy is waited for, milliseconds. */
const shownMs = 1000;

/** What a publisher is made from. */
export interface PublisherOptions {
  readonly port: MessagePort;
  readonly taken: Int32Array;
  /** Wakes the kernel thread, which sleeps in read(2). */
  readonly wake: () => void;
  readonly watchers: Watchers;
}

/** Keeps the main thread's tree and the kernel thread's replica as the model says. */
export class TreePublisher {
  readonly tree: Tree;
  readonly #port: MessagePort;
  readonly #wake: () => void;
  readonly #watchers: Watchers;
  /** How many messages the kernel thread has taken in; it counts there. */
  readonly #taken: Int32Array;
  #posted = 0;
  #isServing = false;
  /** It was woken when so many messages had been posted. */
  #wokenAt = 0;

  constructor(tree: Tree, options: PublisherOptions) {
    this.#watchers = options.watchers;
    this.tree = tree;
    this.#port = options.port;
    this.#taken = options.taken;
    this.#wake = options.wake;
  }

  /** Shows a change of the model. The kernel thread has it before it sees any request that is sent after this returns. */
  show(change: ModelChange, surroundings: ViewSurroundings): void {
    if (change.kind === 'removed') {
      for (const port of this.tree.children(change.serial, 'port').values()) this.post({ kind: 'remove', serial: port.serial });
      for (const parent of [...this.#hopsOf(change.serial), change.serial]) {
        for (const entry of [...this.tree.entries(parent).values()]) this.post({ kind: 'remove', serial: entry.serial });
      }
      this.post({ kind: 'remove', serial: change.serial });
      return;
    }
    if (change.kind === 'chain') this.#withdrawMissing(change.record);
    const changed = viewsOf(change, surroundings).map((view) => ({ view, before: this.tree.get(view.serial) }));
    this.post({ kind: 'put', views: changed.map(({ view }) => view) });
    for (const { view, before } of changed) this.#watchers.changed(before, view);
  }

  /** Hops and links that are in the tree and in the service chain no more. */
  #withdrawMissing(chain: ChainRecord): void {
    const present = new Set([chain, ...chain.hops].flatMap(({ serial, links }) => [serial, ...links.map((link) => link.serial)]));
    for (const parent of [chain.serial, ...this.#hopsOf(chain.serial)]) {
      for (const entry of [...this.tree.entries(parent).values()]) {
        if (!present.has(entry.serial)) this.post({ kind: 'remove', serial: entry.serial });
      }
    }
  }

  #hopsOf(chain: number): number[] {
    return [...this.tree.entries(chain).values()].map(({ serial }) => serial);
  }

  /** Resolves when the kernel thread has all that was shown, and so is done with what it was asked before; or soon, where it does not answer. */
  async shown(): Promise<void> {
    const posted = this.#posted;
    this.wake();
    for (const end = performance.now() + shownMs; this.#isServing && performance.now() < end; await delay(1))
      if (Atomics.load(this.#taken, 0) >= posted) return;
  }

  post(message: KernelMessage): void {
    if (message.kind === 'put' || message.kind === 'remove') this.tree.apply(message);
    this.#port.postMessage(message);
    this.#posted += 1;
    if (this.#posted - Atomics.load(this.#taken, 0) > mostWaiting) this.wake();
  }

  /** The kernel thread answers requests from now on; before, nothing can wake it. */
  serving(): void {
    this.#isServing = true;
    this.wake();
  }

  /** It does no longer. */
  ended(): void {
    this.#isServing = false;
  }

  /** Has the kernel thread say that it is alive; false when it does not serve. */
  ping(): boolean {
    if (!this.#isServing) return false;
    this.post({ kind: 'ping' });
    this.wake();
    return true;
  }

  /** Has the kernel thread take in its messages now. One that has not taken those yet for which it was woken last will take all. */
  wake(): void {
    if (!this.#isServing || Atomics.load(this.#taken, 0) < this.#wokenAt) return;
    this.#wokenAt = this.#posted;
    this.#wake();
  }
}
