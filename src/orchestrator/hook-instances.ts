import type { HookInstance } from '../domain/middlebox.ts';
import type { VnfRecord } from '../domain/records.ts';
import type { Model } from './model.ts';

/** What the hooks and actions of middlebox modules get to see of a VNF. */
export class HookInstances {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  instance(vnf: VnfRecord, signal: AbortSignal): HookInstance {
    const { driver } = this.#model.parts;
    return {
      type: vnf.type,
      name: vnf.name,
      value: (path) => this.#model.vnf(vnf.serial).settings[path] ?? '',
      execute: (command) => driver.executeInGuest(this.#model.ref(vnf), command, { signal }),
    };
  }
}
