import type { Counters } from '../domain/ports/counters.ts';
import type { NetworkDriver, SegmentSpec } from '../domain/ports/network.ts';
import type { Fabric } from './fabric.ts';
import { fabricPortName } from './names.ts';
import { sumCounters } from './segment-counters.ts';
import { Uplinks } from './uplink.ts';

/** Segments as bridges in the fabric. */
export class FabricNetwork implements NetworkDriver {
  readonly #fabric: Fabric;
  readonly #uplinks: Uplinks;

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
    this.#uplinks = new Uplinks(fabric);
  }

  async ensureSegment(segment: SegmentSpec, _signal: AbortSignal): Promise<void> {
    await this.#fabric.ensureSegment(segment);
  }

  async removeSegment(segment: SegmentSpec, signal: AbortSignal): Promise<void> {
    await this.#uplinks.disconnect(segment, signal);
    await this.#fabric.removeSegment(segment);
  }

  async setUplink(segment: SegmentSpec, signal: AbortSignal): Promise<string> {
    await this.#fabric.ensureSegment(segment);
    return this.#uplinks.connect(segment, signal);
  }

  async counters(segment: SegmentSpec, portIds: readonly string[], _signal: AbortSignal): Promise<Counters | undefined> {
    const netDev = await this.#fabric.readNetDev(segment);
    return netDev === undefined ? undefined : sumCounters(netDev, new Set([...portIds.map(fabricPortName), segment.uplink]));
  }

  removeIfUnused(signal: AbortSignal): Promise<boolean> {
    return this.#fabric.removeIfUnused(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fabric[Symbol.asyncDispose]();
  }
}
