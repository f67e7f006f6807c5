import { statfs } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import type { ModelChange } from '../domain/observation.ts';
import type { ChainRecord } from '../domain/records.ts';
import { type ViewSurroundings, viewsOf } from '../tree/build-views.ts';
import type { KernelMessage } from '../tree/forwarded.ts';
import type { Tree } from '../tree/tree.ts';
import type { Watchers } from './watchers.ts';

/** So many messages may wait for the kernel thread before it is woken to take them in. */
const mostWaiting = 512;

/** What a publisher is made from. */
export interface PublisherOptions {
  readonly port: MessagePort;
  readonly taken: Int32Array;
  readonly mountpoint: string;
  readonly watchers: Watchers;
}

/** Keeps the main thread's tree and the kernel thread's replica as the model says. */
export class TreePublisher {
  readonly tree: Tree;
  readonly #port: MessagePort;
  readonly #mountpoint: string;
  readonly #watchers: Watchers;
  /** How many messages the kernel thread has taken in; it counts there. */
  readonly #taken: Int32Array;
  #posted = 0;
  #waking = false;
  #wakesAgain = false;

  constructor(tree: Tree, options: PublisherOptions) {
    this.#watchers = options.watchers;
    this.tree = tree;
    this.#port = options.port;
    this.#taken = options.taken;
    this.#mountpoint = options.mountpoint;
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

  post(message: KernelMessage): void {
    if (message.kind === 'put' || message.kind === 'remove') this.tree.apply(message);
    this.#port.postMessage(message);
    this.#posted += 1;
    if (this.#posted - Atomics.load(this.#taken, 0) > mostWaiting) this.wake();
  }

  /**
   * Has the kernel thread look at its messages now: it sleeps in read(2), and a request of our own wakes it. statfs(2) is never answered from a cache. A request under way may have been read
   * before the newest message was posted: then another follows it.
   */
  wake(): void {
    if (this.#waking) {
      this.#wakesAgain = true;
      return;
    }
    this.#waking = true;
    statfs(this.#mountpoint, () => {
      this.#waking = false;
      if (this.#wakesAgain) this.wake();
    });
    this.#wakesAgain = false;
  }
}
