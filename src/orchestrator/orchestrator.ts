import { localHost } from '../domain/placement.ts';
import type { GuestRef, GuestStatus, HypervisorDriver } from '../domain/ports/hypervisor.ts';
import { defaultQuota } from '../domain/quotas.ts';
import { recordKey, type StoredRecord, type VnfRecord } from '../domain/records.ts';
import { AskedPorts } from './asked-ports.ts';
import { Chains } from './chains/chains.ts';
import { Replicas } from './chains/replicas.ts';
import { CommandRunner } from './command-runner.ts';
import { ConfigSaver } from './config-saver.ts';
import { Configurator } from './configurator.ts';
import { DefaultRoutes } from './default-routes.ts';
import { GuestRoots } from './guest-roots.ts';
import { wantedPorts } from './guest-spec.ts';
import { HiddenFiles } from './hidden-files.ts';
import { HostService } from './host-service.ts';
import { endOf } from './last-words.ts';
import { LeftVerbs } from './left-verbs.ts';
import { LivePorts } from './live-ports.ts';
import { Model, pathOf } from './model.ts';
import type { ModelParts } from './model-parts.ts';
import { NetworkService } from './network-service.ts';
import { OwnershipService } from './ownership-service.ts';
import type { PastCounts } from './past-counts.ts';
import { PortObserver } from './port-observer.ts';
import { PortService } from './port-service.ts';
import { QuotaService } from './quota-service.ts';
import { SpoofObserver } from './spoof-observer.ts';
import { TypeService } from './type-service.ts';
import { VerbPace } from './verb-pace.ts';
import { VnfActions } from './vnf-actions.ts';
import { VnfService } from './vnf-service.ts';

/** How long removing networks may take at the end of a mount, milliseconds. */
const releaseTimeoutMs = 10_000;
/** Of what takes long an event is written at each so many per cent. */
const progressStep = 10;
/** Exit status of what SIGTERM ended: someone stopped it. */
const terminated = 143;

/** The use cases of a mount, each in a service of its own, and what keeps them in step with the world. */
export class Orchestrator implements AsyncDisposable {
  readonly model: Model;
  readonly types: TypeService;
  readonly vnfs: VnfService;
  readonly actions: VnfActions;
  readonly ports: PortService;
  readonly askedPorts: AskedPorts;
  readonly networks: NetworkService;
  readonly hosts: HostService;
  readonly quotas: QuotaService;
  readonly pace: VerbPace;
  readonly commands: CommandRunner;
  readonly configs: ConfigSaver;
  readonly ownership: OwnershipService;
  readonly roots: GuestRoots;
  readonly hidden: HiddenFiles;
  readonly chains: Chains;
  readonly replicas: Replicas;
  /** What the user must know: a sentence for each record that could not be read, and for what else was wrong with the state. */
  readonly unreadable: string[] = [];
  readonly #routes: DefaultRoutes;
  readonly #configurator: Configurator;
  readonly #past: PastCounts;
  readonly #spoofs: SpoofObserver;
  readonly #closing = new AbortController();

  constructor(parts: ModelParts) {
    this.model = new Model(parts);
    this.hidden = new HiddenFiles(this.model);
    this.#configurator = new Configurator(this.model);
    const live = new LivePorts(this.model, this.#configurator);
    this.#past = live.past;
    this.#routes = new DefaultRoutes(this.model, live);
    this.chains = new Chains(this.model, { live, routes: this.#routes });
    this.types = new TypeService(this.model);
    this.vnfs = new VnfService(this.model, this.chains.follower, this.hidden);
    this.actions = new VnfActions(this.model, {
      chains: this.chains.follower,
      routes: this.#routes,
      configurator: this.#configurator,
      past: live.past,
    });
    this.askedPorts = new AskedPorts(this.model);
    this.ports = new PortService(this.model, {
      asked: this.askedPorts,
      live,
      actions: this.actions,
      chains: this.chains.follower,
      routes: this.#routes,
    });
    const { service } = this.chains;
    this.replicas = new Replicas(this.model, { service, vnfs: this.vnfs, ports: this.ports, actions: this.actions });
    this.networks = new NetworkService(this.model, { live, hidden: this.hidden, chains: this.chains, routes: this.#routes });
    this.hosts = new HostService(this.model, this.hidden);
    this.pace = new VerbPace(this.model);
    this.quotas = new QuotaService(this.model, this.hidden);
    this.commands = new CommandRunner(this.model);
    this.configs = new ConfigSaver(this.model, this.#configurator);
    this.ownership = new OwnershipService(this.model);
    this.roots = new GuestRoots(this.model);
    this.#spoofs = new SpoofObserver(this.model);
  }

  /**
   * Loads the records, finds the guests that are there, shows everything, and begins to finish the verbs that were cut short.
   *
   * @param takesOver another server of this mount was here before.
   */
  async start(takesOver: boolean): Promise<void> {
    const { store, hypervisor, mountedMs } = this.model.parts;
    const records = await store.load();
    this.model.inventory.put(localHost(hypervisor, mountedMs));
    this.model.inventory.put(defaultQuota(mountedMs));
    for (const record of records) this.model.inventory.put(record);
    for (const why of store.warnings) this.#warn('.', why);
    for (const record of records) if (record.unreadable !== undefined) this.#tellUnreadable(record, record.unreadable);
    for (const type of this.model.inventory.types()) await this.#loadType(type.name);
    const deployed = [...this.model.inventory.vnfs()].filter((vnf) => vnf.deployed);
    // Before guests are known, for whose change may ask: they have the ports that their records want. Which routes they have DefaultRoutes finds out.
    for (const vnf of deployed) this.model.runtime(vnf.serial).applied = wantedPorts(this.model, vnf, (other) => other.deployed);
    this.hosts.start();
    await Promise.all(this.#drivers().map((driver) => this.#recover(driver, deployed)));
    await this.networks.connectUplinks(this.#closing.signal);
    await this.#spoofs.recover();
    for (const type of this.model.inventory.types()) this.model.publishType(type);
    for (const network of this.model.inventory.networks()) this.model.publishNetwork(network);
    for (const host of this.model.inventory.hosts()) this.model.publishHost(host);
    for (const quota of this.model.inventory.quotas()) this.model.publishQuota(quota);
    for (const vnf of this.model.inventory.vnfs()) this.model.publishVnf(vnf.serial);
    for (const vnf of deployed) await this.#past.recover(vnf);
    for (const vnf of deployed) await this.actions.refresh(vnf.serial, this.#closing.signal);
    for (const vnf of deployed) await this.#finish(vnf);
    await this.#routes.recover(this.#closing.signal);
    await this.chains.follower.recover(this.#closing.signal);
    new PortObserver(this.model);
    new LeftVerbs(this.model, this.actions).finish(takesOver);
  }

  async #recover(driver: HypervisorDriver, deployed: readonly VnfRecord[]): Promise<void> {
    driver.onChange((ref, status) => void this.#guestChanged(ref, status));
    const own = deployed.filter((vnf) => this.model.driverOf(vnf) === driver && this.model.address(vnf) !== undefined);
    await driver.recover(
      own.map((vnf) => this.model.ref(vnf)),
      this.#closing.signal,
      (id) => this.#isUndeployed(id, driver),
    );
  }

  /** True when a record says that a guest is not at a hypervisor; one that no record tells of may be of a record that could not be read. */
  #isUndeployed(id: string, driver: HypervisorDriver): boolean {
    const vnf = this.model.inventory.vnfOfGuest(id);
    return vnf !== undefined && vnf.placement?.hypervisor !== driver.name;
  }

  #warn(path: string, why: string): void {
    this.unreadable.push(why);
    this.model.note({ path, what: 'state', why });
  }

  /** A record that could not be read keeps its place, and says so wherever one looks. */
  #tellUnreadable(record: StoredRecord, why: string): void {
    const path = recordKey(record);
    this.unreadable.push(`${path}: its record cannot be read (${why})`);
    this.model.note({ path, what: 'unreadable', why });
    if (record.kind === 'vnf') this.model.runtime(record.serial).error = `its record cannot be read: ${why}`;
  }

  #drivers(): HypervisorDriver[] {
    return Object.values(this.model.parts.drivers);
  }

  async #loadType(name: string): Promise<void> {
    try {
      await this.model.loadMiddlebox(name);
    } catch (error) {
      this.model.note({ path: `nf-types/${name}`, what: 'module failed', why: (error as Error).message });
      this.model.parts.logger.error(`module ${name}: ${(error as Error).message}`);
    }
  }

  /** A guest changed by itself, or someone changed it behind our back. */
  async #guestChanged(ref: GuestRef, status: GuestStatus): Promise<void> {
    const vnf = this.model.inventory.vnfOfGuest(ref.id);
    if (vnf === undefined || !vnf.deployed) return;
    this.model.publishVnf(vnf.serial);
    if (status.news === 'counters' || status.news === 'verb') return;
    if (status.progress !== undefined && status.progress % progressStep !== 0) return;
    this.model.note({ path: pathOf(vnf), what: status.word, ...this.#whyEnded(vnf, status) });
    if (status.progress !== undefined) return;
    // One that ended may run again by now.
    const anew = status.news === 'anew' || !['running', 'paused', 'unknown'].includes(status.state);
    if (anew) await this.#past.forget(vnf);
    await this.#finish(vnf);
    await this.actions.refresh(vnf.serial, this.#closing.signal);
    await this.chains.follower.vnfChanged(vnf.serial, { anew, signal: this.#closing.signal });
    await this.#routes.vnfChanged(vnf.serial, this.#closing.signal);
  }

  /** Of a guest whose main process failed by itself `error` tells as well. */
  #whyEnded(vnf: VnfRecord, { exitCode }: GuestStatus): { readonly why?: string } {
    if (exitCode === undefined) return {};
    if (exitCode === 0 || exitCode === terminated) return { why: `exit status ${exitCode}` };
    const why = endOf(this.model, vnf, exitCode);
    this.model.runtime(vnf.serial).error = `exited: ${why}`;
    this.model.publishVnf(vnf.serial);
    return { why };
  }

  /** What is closed though no verb has to do with it is configured and opened. */
  async #finish({ serial }: VnfRecord): Promise<void> {
    const runtime = this.model.runtime(serial);
    if (runtime.busy !== undefined) return;
    await runtime.lane.run(async () => {
      const vnf = this.model.inventory.vnf(serial);
      if (vnf?.deployed === true) await this.#configurator.finish(vnf, this.#closing.signal);
    });
  }

  /** Stops following the world. Guests go on; what no guest uses is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.networks.release(AbortSignal.timeout(releaseTimeoutMs)).catch((error: Error) => {
      this.model.parts.logger.error(`networks could not be removed: ${error.message}`);
    });
    await this.model.parts.events[Symbol.asyncDispose]();
    await Promise.all(this.#drivers().map((driver) => driver[Symbol.asyncDispose]()));
    await this.model.parts.network[Symbol.asyncDispose]();
    await this.model.parts.store[Symbol.asyncDispose]();
  }
}
