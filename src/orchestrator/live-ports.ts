import { portChanges } from '../domain/port-plan.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import type { VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { Configurator } from './configurator.ts';
import { wantedPorts } from './guest-spec.ts';
import { type Model, pathOf } from './model.ts';
import { PastCounts } from './past-counts.ts';

/** Keeps the ports of running guests as the records want them. */
export class LivePorts {
  readonly #model: Model;
  readonly #configurator: Configurator;
  readonly past: PastCounts;

  constructor(model: Model, configurator: Configurator) {
    this.#model = model;
    this.#configurator = configurator;
    this.past = new PastCounts(model);
  }

  /**
   * Applies what changed to a running guest. Call it from the VNF's lane. When a step fails those before it are taken back.
   */
  async apply(vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    const state = this.#model.state(vnf);
    if (state !== 'running' && state !== 'paused') return;
    const driver = this.#model.driverOf(vnf);
    const { network } = this.#model.parts;
    const ref = this.#model.ref(vnf);
    const runtime = this.#model.runtime(vnf.serial);
    const wanted = wantedPorts(this.#model, vnf);
    const wasOpen = !driver.hasClosedPorts(ref);
    const done: { before: (typeof wanted)[number] | undefined; after: (typeof wanted)[number] | undefined }[] = [];
    try {
      for (const change of portChanges(runtime.applied, wanted)) {
        if (change.after?.segment !== undefined) await network.ensureSegment(change.after.segment, signal);
        if (change.before !== undefined && change.after === undefined) await this.#remove(vnf, change.before, { signal, wasOpen });
        else await driver.setPort(ref, change, signal);
        done.push(change);
      }
      if (state === 'running' && done.some(isFelt)) await this.#configurator.restore(vnf, signal);
    } catch (error) {
      await this.#takeBack(vnf, done, error);
      // What runs there is as it was.
      if (wasOpen) await this.#configurator.open(vnf, new AbortController().signal);
      throw error;
    }
    runtime.applied = wanted;
  }

  /** Removes a port; what it counted goes on to count. */
  async #remove(
    vnf: VnfRecord,
    port: PortSpec,
    { signal, wasOpen }: { readonly signal: AbortSignal; readonly wasOpen: boolean },
  ): Promise<void> {
    await this.past.keep(vnf, [port]);
    try {
      await this.#model.driverOf(vnf).setPort(this.#model.ref(vnf), { before: port, after: undefined }, signal);
    } catch (error) {
      await this.past.stayed(vnf.serial, wasOpen ? [port] : []);
      throw error;
    }
    await this.past.removed(vnf.serial);
  }

  /** Puts back the ports of a guest after a change of them was refused, and what its configuration had made of them. */
  async restore(vnf: VnfRecord): Promise<void> {
    const { signal } = new AbortController();
    await this.apply(vnf, signal);
    if (this.#model.state(vnf) === 'running') await this.#configurator.restore(vnf, signal);
  }

  async #takeBack(vnf: VnfRecord, done: readonly { before: unknown; after: unknown }[], reason: unknown): Promise<void> {
    const driver = this.#model.driverOf(vnf);
    const { signal } = new AbortController();
    for (const { before, after } of (done as Parameters<typeof driver.setPort>[1][]).toReversed()) {
      await driver.setPort(this.#model.ref(vnf), { before: after, after: before }, signal).catch((cause: unknown) => {
        throw new NfioError('NetworkError', {
          message: `${(reason as Error).message}; port ${(after ?? before)?.name} could not be set back. Run: echo restart > ${pathOf(vnf)}/action`,
          cause,
        });
      });
    }
  }

  /** Others on these networks may get another default route: applies that to those that run, each in its own lane. */
  async applyToNetworks(
    networks: Iterable<string>,
    options: { readonly except: number | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const serials = new Set<number>();
    for (const network of networks) for (const { vnf } of this.#model.inventory.portsOn(network)) serials.add(vnf.serial);
    if (options.except !== undefined) serials.delete(options.except);
    await Promise.all([...serials].map((serial) => this.#applyTo(serial, options.signal)));
  }

  async #applyTo(serial: number, signal: AbortSignal): Promise<void> {
    await this.#model.runtime(serial).lane.run(async () => {
      const vnf = this.#model.inventory.vnf(serial);
      if (vnf === undefined) return;
      await this.apply(vnf, signal).catch((error: Error) => {
        this.#model.note({ path: `nf-types/${vnf.type}/${vnf.name}`, what: 'ports failed', why: error.message });
        this.#model.parts.logger.warn(`${vnf.type}/${vnf.name}: ports: ${error.message}`);
      });
    });
  }
}

/** True for a change that a configuration may have to be restored after: of a port that packets can pass. */
function isFelt({ after }: { readonly after: PortSpec | undefined }): boolean {
  return after?.up === true && (after.segment !== undefined || after.steered === true);
}
