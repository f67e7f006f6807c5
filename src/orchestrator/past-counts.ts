import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestInterfaceName } from '../domain/guest-interface.ts';
import { addCounts, countsByInterface } from '../domain/net-dev.ts';
import type { GuestRef, PastCounters } from '../domain/ports/hypervisor.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import type { VnfRecord } from '../domain/records.ts';
import { isAbsence } from '../errors/index.ts';
import { type Model, pathOf } from './model.ts';

/**
 * Keeps what interfaces of guests counted before they are removed, so that the counters of a VNF, which are sums over its interfaces, do not go back while it
 * runs. Readers count of an interface what was kept of it, or what it shows itself where that is more. Call the methods from the VNF's lane.
 */
export class PastCounts {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Ports of a guest are about to be removed: they are closed, so that they count no more, and what they counted is kept. `removed` or `stayed` has to follow. */
  async keep(vnf: VnfRecord, ports: readonly PortSpec[]): Promise<void> {
    const source = this.#model.driverOf(vnf).counterSource(this.#model.ref(vnf));
    if (ports.length === 0 || source?.kind !== 'procfs') return;
    await this.#model.parts.network.closePorts(ports);
    const netDev = await readFile(source.netDevPath, 'utf8').catch((error: Error) => this.#ofEnded(vnf, error));
    const unless = countsByInterface(netDev, ports.map(guestInterfaceName), source.farEnds);
    const { always } = this.#of(vnf.serial);
    await this.#save(vnf, Object.values(unless).reduce(addCounts, always));
    await this.#set(vnf.serial, { always, unless: { ...this.#of(vnf.serial).unless, ...unless } });
  }

  /** What a guest counts that has ended: nothing any more. */
  #ofEnded(vnf: VnfRecord, error: Error): string {
    if (!isAbsence(error)) this.#model.parts.logger.warn(`${pathOf(vnf)}: what its removed ports counted is not known: ${error.message}`);
    return '';
  }

  /** They are gone; others of their names may come once this resolves. */
  async removed(serial: number): Promise<void> {
    const { always, unless } = this.#of(serial);
    if (Object.keys(unless).length > 0) await this.#set(serial, { always: Object.values(unless).reduce(addCounts, always), unless: {} });
  }

  /** They could not be removed. @param ports those that were open. */
  async stayed(serial: number, ports: readonly PortSpec[]): Promise<void> {
    await this.#set(serial, { always: this.#of(serial).always, unless: {} });
    await this.#model.parts.network.openPorts(ports);
  }

  /** The guest begins anew, and with it its counters. */
  async forget(vnf: VnfRecord): Promise<void> {
    this.#model.runtime(vnf.serial).past = undefined;
    await rm(fileOf(this.#model.ref(vnf)), { force: true });
  }

  /** A server before this one kept it. */
  async recover(vnf: VnfRecord): Promise<void> {
    try {
      const always = JSON.parse(await readFile(fileOf(this.#model.ref(vnf)), 'utf8')) as PastCounters['always'];
      this.#model.runtime(vnf.serial).past = { always, unless: {} };
    } catch (error) {
      if (!isAbsence(error))
        this.#model.parts.logger.warn(`${pathOf(vnf)}: what its removed ports counted cannot be read: ${(error as Error).message}`);
    }
  }

  #of(serial: number): PastCounters {
    return this.#model.runtime(serial).past ?? { always: {}, unless: {} };
  }

  /** Nobody reads by what was before once this resolves. */
  async #set(serial: number, past: PastCounters): Promise<void> {
    this.#model.runtime(serial).past = past;
    this.#model.publishVnf(serial);
    await this.#model.parts.shown();
  }

  /** Without it the next server counts from less: no reason to fail. */
  async #save(vnf: VnfRecord, counts: PastCounters['always']): Promise<void> {
    await writeFile(fileOf(this.#model.ref(vnf)), JSON.stringify(counts), { mode: 0o600 }).catch((error: Error) => {
      this.#model.parts.logger.warn(`${pathOf(vnf)}: what its removed ports counted is not kept: ${error.message}`);
    });
  }
}

function fileOf({ guestDir }: GuestRef): string {
  return join(guestDir, 'counted.json');
}
