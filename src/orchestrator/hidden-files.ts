import { domainPath } from '../domain/observation.ts';
import type { Model } from './model.ts';

/**
 * Special files of what is not in use can be removed, and made again: `rm -r`, and the tools that restore by removing first (tar, git), expect
 * that. Nothing else changes, and a new mount or a deployment shows them all again. Those of service chains are kept with the chains.
 */
export class HiddenFiles {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** A special file of a VNF, a network or a host that is not in use is removed. */
  hide(serial: number, path: string): void {
    const runtime = this.#model.runtime(serial);
    if (path === domainPath) runtime.hasDomain = false;
    else runtime.hidden.add(path);
    this.#model.publish(serial);
  }

  /** It is made again. */
  show(serial: number, path: string): void {
    const runtime = this.#model.runtime(serial);
    if (path === domainPath) runtime.hasDomain = true;
    if (runtime.hidden.delete(path) || path === domainPath) this.#model.publish(serial);
  }

  /** The object is about to be removed: should that fail, it is shown whole. */
  showAll(serial: number): void {
    this.#model.runtime(serial).hidden.clear();
    this.#model.publish(serial);
  }
}
