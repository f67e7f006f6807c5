import type { Model } from './model.ts';

/** The root file systems of guests, for who looks into them by way of rfs/. */
export class GuestRoots {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Makes the root of a deployed VNF that does not run visible, and shows where it is. @throws as a driver's openRoot does. */
  async open(serial: number): Promise<void> {
    const vnf = this.#model.vnf(serial);
    if (!vnf.deployed) return;
    await this.#model.driverOf(vnf).openRoot?.(this.#model.ref(vnf), AbortSignal.timeout(openTimeoutMs));
    void this.#model.publishVnf(serial);
  }
}

/** How long opening may take, milliseconds. */
const openTimeoutMs = 10_000;
