import { isAsWanted } from '../domain/port-plan.ts';
import type { PortState } from '../domain/ports/network.ts';
import type { Model } from './model.ts';

/** So long a port may be otherwise than its owner wants, milliseconds: while nf.io itself changes it, it is. */
const settleMs = 100;

/** Has ports shown as they are in their guests, where the guest made them otherwise than their owner wants them. */
export class PortObserver {
  readonly #model: Model;
  /** As the kernel told last, by serial. */
  readonly #last = new Map<number, PortState>();

  constructor(model: Model) {
    this.#model = model;
    model.parts.network.watchPorts((port, state) => this.#observe(port, state));
  }

  #observe(serial: number, state: PortState | undefined): void {
    if (state === undefined) this.#last.delete(serial);
    else this.#last.set(serial, state);
    if (this.#differs(serial)) setTimeout(() => this.#show(serial), settleMs).unref();
    else this.#show(serial);
  }

  #show(serial: number): void {
    const { portStates } = this.#model;
    const placed = this.#model.inventory.port(serial);
    const state = this.#differs(serial) ? this.#last.get(serial) : undefined;
    if (state === portStates.get(serial)) return;
    if (state === undefined) portStates.delete(serial);
    else portStates.set(serial, state);
    if (placed !== undefined) this.#model.publishVnf(placed.vnf.serial);
  }

  /** Ports of service chains are nobody's to see. */
  #differs(serial: number): boolean {
    const placed = this.#model.inventory.port(serial);
    const state = this.#last.get(serial);
    return placed !== undefined && state !== undefined && !isAsWanted(placed.port, state);
  }
}
