import { checkName } from '../domain/names.ts';
import { hostAddress, hypervisorOf, isLocalHost } from '../domain/placement.ts';
import { type HostReport, type HostSpec, type HypervisorName, hypervisorNames } from '../domain/ports/hypervisor.ts';
import type { HostRecord, Ownership, VnfRecord } from '../domain/records.ts';
import { hostSettings, parseSetting } from '../domain/settings.ts';
import { NfioError } from '../errors/index.ts';
import type { HiddenFiles } from './hidden-files.ts';
import { Lane } from './lane.ts';
import { type Model, pathOf } from './model.ts';

/** Makes, changes and removes entries of hosts/, and tells the drivers of them. */
export class HostService {
  readonly #model: Model;
  readonly #hidden: HiddenFiles;
  /** Drivers are told of all machines at once, so entries change one at a time. */
  readonly #lane = new Lane();

  constructor(model: Model, hidden: HiddenFiles) {
    this.#model = model;
    this.#hidden = hidden;
  }

  /** Tells the drivers which machines there are, and shows what they find out. */
  start(): void {
    for (const driver of Object.values(this.#model.parts.drivers)) {
      driver.onHostChange((address, { state, why }) => this.#changed(driver.name, { address, what: state, why }));
    }
    this.#tellDrivers();
  }

  /** mkdir hosts/NAME */
  create(name: string, owner: Ownership): Promise<HostRecord> {
    checkName('host', name);
    return this.#lane.run(async () => {
      if (this.#model.inventory.host(name) !== undefined) {
        throw new NfioError('BusyError', { message: `host ${name} exists already`, errno: 'EEXIST' });
      }
      const record: HostRecord = { kind: 'host', ...this.#model.newObject(owner), name };
      await this.#model.add(record);
      return record;
    });
  }

  /** rmdir hosts/NAME. @throws BusyError while a VNF is deployed there, NotPermittedError for this machine. */
  remove(name: string): Promise<void> {
    return this.#lane.run(async () => {
      const record = this.#named(name);
      this.#hidden.showAll(record.serial);
      checkChangeable(record);
      await this.#model.recordObject(record, 'rmdir', async () => {
        this.#checkFree(record, 'removed');
        await this.#model.parts.store.remove(record);
        this.#model.inventory.remove(record);
      });
      this.#model.withdraw(record.serial);
      this.#tellDrivers();
    });
  }

  /** unlink of a special file of a machine that nothing is deployed on: on the way to removing the whole, or to making it again. @throws BusyError */
  hide(name: string, path: string): void {
    const record = this.#named(name);
    if (!isLocalHost(record)) this.#checkFree(record, 'removed');
    this.#hidden.hide(record.serial, path);
  }

  /** Sets a value of a host. @throws BusyError for another hypervisor while a VNF is deployed there. */
  set(name: string, path: string, text: string): Promise<void> {
    return this.#lane.run(async () => {
      const before = this.#named(name);
      checkChangeable(before);
      await this.#model.recordObject(before, path, async () => {
        const value = parseSetting(hostSettings, path, text);
        const after = { ...before, settings: { ...before.settings, [path]: value } };
        const hypervisor = this.#hypervisorOf(after);
        if (hypervisor !== this.#hypervisorOf(before)) this.#checkFree(before, 'given another hypervisor');
        await this.#model.parts.store.update(after);
        this.#model.inventory.put(after);
      });
      this.#tellDrivers();
      for (const vnf of this.#vnfsOn(before)) this.#model.publishVnf(vnf.serial);
      this.#model.publishHost(this.#named(name));
    });
  }

  /**
   * What a machine has, and how much of that is in use; undefined for one without an address.
   *
   * @throws HypervisorConnectionError (EHOSTUNREACH) when it cannot be reached.
   */
  async report(name: string, signal: AbortSignal): Promise<HostReport | undefined> {
    const host = this.#named(name);
    const address = hostAddress(host);
    return address === undefined ? undefined : await this.#model.driver(this.#hypervisorOf(host)).hostReport(address, signal);
  }

  #tellDrivers(): void {
    for (const hypervisor of hypervisorNames) this.#model.driver(hypervisor).setHosts(this.#specsFor(hypervisor));
  }

  #specsFor(hypervisor: HypervisorName): HostSpec[] {
    return [...this.#model.inventory.hosts()]
      .filter((host) => !isLocalHost(host) && this.#hypervisorOf(host) === hypervisor)
      .flatMap((host) => {
        const address = hostAddress(host);
        return address === undefined ? [] : [{ address, certificates: host.settings['certificates'] ?? '' }];
      });
  }

  #changed(hypervisor: HypervisorName, news: { readonly address: string; readonly what: string; readonly why: string }): void {
    for (const host of this.#model.inventory.hosts()) {
      if (this.#hypervisorOf(host) !== hypervisor || hostAddress(host) !== news.address) continue;
      this.#model.note({ path: `hosts/${host.name}`, what: news.what, ...(news.why === '' ? {} : { why: news.why }) });
      this.#model.publishHost(host);
    }
  }

  #hypervisorOf(host: HostRecord): HypervisorName {
    return hypervisorOf(host, this.#model.parts.hypervisor);
  }

  #checkFree(host: HostRecord, change: string): void {
    const [user] = this.#vnfsOn(host);
    if (user === undefined) return;
    throw new NfioError('BusyError', {
      message: `${pathOf(user)} is deployed on ${host.name}, which cannot be ${change}. Run: echo destroy > ${pathOf(user)}/action`,
    });
  }

  #vnfsOn(host: HostRecord): VnfRecord[] {
    return [...this.#model.inventory.vnfs()].filter((vnf) => vnf.placement?.host === host.name);
  }

  #named(name: string): HostRecord {
    const record = this.#model.inventory.host(name);
    if (record === undefined) throw new NfioError('NotFoundError', { message: `there is no host ${name}. Run: mkdir hosts/${name}` });
    return record;
  }
}

function checkChangeable(host: HostRecord): void {
  if (isLocalHost(host)) throw new NfioError('NotPermittedError', { message: `hosts/${host.name} is this machine: it is always there` });
}
