import type { Model } from '../model.ts';
import type { ChainEditor } from './chain-editor.ts';
import type { ChainObserver } from './chain-observer.ts';
import type { Steersman } from './steersman.ts';

/** Keeps active service chains in step with VNFs and networks: those they have, and those that their files name and could not have yet. */
export class ChainFollower {
  readonly #model: Model;
  readonly #steersman: Steersman;
  readonly #editor: ChainEditor;
  readonly #observer: ChainObserver;

  constructor(model: Model, parts: { readonly steersman: Steersman; readonly editor: ChainEditor; readonly observer: ChainObserver }) {
    this.#model = model;
    this.#steersman = parts.steersman;
    this.#editor = parts.editor;
    this.#observer = parts.observer;
  }

  /** At the start: takes up what an earlier process did. */
  async recover(signal: AbortSignal): Promise<void> {
    await this.#steersman.recover(signal);
    await this.#catchUp(signal);
  }

  /** A guest is about to be ended. To be called from the VNF's lane, and `vnfChanged` afterwards. */
  vnfLeaves(serial: number, signal: AbortSignal): Promise<void> {
    return this.#steersman.vnfLeaves(serial, signal);
  }

  /**
   * A guest started, ended, or was removed. Not to be called from the VNF's lane.
   *
   * @param how.anew it may have been started anew by others: it is told again what makes it a hop.
   */
  async vnfChanged(serial: number, how: { readonly anew: boolean; readonly signal: AbortSignal }): Promise<void> {
    await this.#steersman.vnfChanged(serial, how);
    await this.#catchUp(how.signal);
  }

  /** A VNF was made, removed or renamed: service chains with a link to one of that name may be right or wrong now. Not to be called from the VNF's lane. */
  async vnfNamed(type: string, name: string): Promise<void> {
    this.#observer.vnfNamed(type, name);
    await this.#catchUp(new AbortController().signal);
  }

  /** Networks, or ports on them, changed. */
  async networksChanged(names: Iterable<string>, signal: AbortSignal): Promise<void> {
    await this.#steersman.networksChanged(names, signal);
    await this.#catchUp(signal);
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    for (const { serial, applied } of [...this.#model.inventory.chains()]) {
      if (applied !== undefined) await this.#editor.catchUp(serial, signal);
    }
  }
}
