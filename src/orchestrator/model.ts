import type { PlacedPort } from '../domain/addressing.ts';
import type { VnfState } from '../domain/lifecycle.ts';
import type { HookInstance, Middlebox, RunProfile } from '../domain/middlebox.ts';
import type { ChainObservation, HostObservation, ModelListener, VnfObservation } from '../domain/observation.ts';
import { addressOf, hostAddress, hypervisorOf, type PlacementSurroundings, placementFor } from '../domain/placement.ts';
import type { CounterSource, GuestRef, GuestStatus, HypervisorDriver, HypervisorName, Placement } from '../domain/ports/hypervisor.ts';
import type { Logger } from '../domain/ports/logger.ts';
import type { MiddleboxSource } from '../domain/ports/middlebox-source.ts';
import type { NetworkDriver } from '../domain/ports/network.ts';
import type { StateStore } from '../domain/ports/state.ts';
import {
  type ChainRecord,
  type HostRecord,
  idOf,
  type NetworkRecord,
  type PortRecord,
  recordKey,
  type TypeRecord,
  type VnfRecord,
} from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { EventLog } from './event-log.ts';
import { Inventory } from './inventory.ts';
import { type Runtime, Runtimes } from './runtime.ts';

/** What the use cases work with. */
export interface ModelParts {
  readonly store: StateStore;
  /** The mount's own hypervisor. */
  readonly hypervisor: HypervisorName;
  /** Absolute path: the text of a link may begin with it. */
  readonly mountpoint: string;
  readonly drivers: Readonly<Record<HypervisorName, HypervisorDriver>>;
  readonly network: NetworkDriver;
  readonly middleboxes: MiddleboxSource;
  readonly events: EventLog;
  readonly logger: Logger;
  readonly listener: ModelListener;
}

/** The records, what is known of the world, and the one way to change either so that the tree shows it. */
export class Model {
  readonly inventory = new Inventory();
  readonly parts: ModelParts;
  /** What is to be told of a service chain, without failures of the past. */
  observeChain: ((chain: ChainRecord) => ChainObservation) | undefined;
  readonly #runtimes = new Runtimes();
  readonly #middleboxes = new Map<string, Middlebox>();

  constructor(parts: ModelParts) {
    this.parts = parts;
  }

  runtime(serial: number): Runtime {
    return this.#runtimes.of(serial);
  }

  /** The VNF of a serial. @throws NotFoundError when it has been removed. */
  vnf(serial: number): VnfRecord {
    const vnf = this.inventory.vnf(serial);
    if (vnf === undefined) throw new NfioError('NotFoundError', { message: 'the VNF has been removed' });
    return vnf;
  }

  /** The loaded module of a type. @throws UnknownTypeError when it is not loaded. */
  middlebox(type: string): Middlebox {
    const middlebox = this.#middleboxes.get(type);
    if (middlebox === undefined) {
      throw new NfioError('UnknownTypeError', {
        message: `the module of type ${type} is not loaded: see events for the reason`,
        errno: 'EIO',
      });
    }
    return middlebox;
  }

  /** Loads the module of a type. @throws what the module source throws. */
  async loadMiddlebox(type: string): Promise<void> {
    this.#middleboxes.set(type, await this.parts.middleboxes.load(type));
  }

  /** How a VNF runs under its hypervisor; undefined: as any guest does. */
  profile(vnf: VnfRecord): RunProfile | undefined {
    return this.middlebox(vnf.type).run?.[this.placement(vnf).hypervisor];
  }

  /** Where the guest of a VNF is, or would go now. */
  placement(vnf: VnfRecord): Placement {
    return vnf.placement ?? placementFor(vnf.settings['machine/ip'] ?? '', this.#places);
  }

  /** The driver of a VNF's guest. */
  driverOf(vnf: VnfRecord): HypervisorDriver {
    return this.driver(this.placement(vnf).hypervisor);
  }

  /** The driver of a hypervisor. */
  driver(name: HypervisorName): HypervisorDriver {
    return this.parts.drivers[name];
  }

  get #places(): PlacementSurroundings {
    return { hypervisor: this.parts.hypervisor, host: (name) => this.inventory.host(name) };
  }

  /** Names of the actions that a type adds to the verbs. */
  moduleActions(type: string): readonly string[] {
    return Object.keys(this.#middleboxes.get(type)?.actions ?? {});
  }

  /** True for a type whose guests forward packets between their ports. */
  forwards(type: string): boolean {
    return this.#middleboxes.get(type)?.sysctl?.['net.ipv4.ip_forward'] === '1';
  }

  /** True for a type whose guests end connections that pass through them. */
  intercepts(type: string): boolean {
    return this.#middleboxes.get(type)?.intercepts === true;
  }

  /** Ports on a network whose VNFs are deployed: two that are not may have one address, as a VNF and its copy do. */
  deployedPorts(network: string): PlacedPort[] {
    return this.inventory.portsOn(network).filter(({ vnf }) => vnf.deployed);
  }

  /** The network that a port is on, undefined for one that is on none. @throws NotFoundError when there is none of that name. */
  networkOf(port: PortRecord): NetworkRecord | undefined {
    const name = port.settings['network'] ?? '';
    if (name === '') return undefined;
    const network = this.inventory.network(name);
    if (network !== undefined) return network;
    throw new NfioError('NotFoundError', { message: `there is no network ${name}: mkdir networks/${name} first` });
  }

  /** What drivers know a VNF's guest by. */
  ref(vnf: VnfRecord): GuestRef {
    return {
      id: idOf(vnf.serial),
      type: vnf.type,
      name: vnf.name,
      host: this.address(vnf) ?? '',
      guestDir: this.parts.store.guestDir(vnf.serial),
    };
  }

  /** The address of the machine that the guest of a VNF is on, or would go to; undefined when its entry in hosts/ has none. */
  address(vnf: VnfRecord): string | undefined {
    return addressOf(this.placement(vnf), this.#places);
  }

  state(vnf: VnfRecord): VnfState {
    if (vnf.inconsistent) return 'inconsistent';
    if (!vnf.deployed) return 'undeployed';
    const { state } = this.#status(vnf);
    // A guest on record that the hypervisor does not know: someone removed it behind our back, or the machine was restarted.
    return state === 'absent' ? 'exited' : state;
  }

  /** The directory behind rfs/; for a VNF that is not deployed it may not be there yet. */
  #rootPath(vnf: VnfRecord): string {
    const ref = this.ref(vnf);
    return this.driverOf(vnf).rootDir(ref) ?? `${ref.guestDir}/root`;
  }

  /** Makes a record durable, then true here, then visible. */
  async commitVnf(vnf: VnfRecord): Promise<void> {
    await this.parts.store.update(vnf);
    this.inventory.put(vnf);
    this.publishVnf(vnf.serial);
  }

  /** Shows an object as it is now; nothing of one that is gone. */
  publish(serial: number): void {
    const [network, host] = [this.inventory.networkBySerial(serial), this.inventory.hostBySerial(serial)];
    if (network !== undefined) this.publishNetwork(network);
    else if (host !== undefined) this.publishHost(host);
    else if (this.inventory.chain(serial) !== undefined) this.publishChain(serial);
    else this.publishVnf(serial);
  }

  publishVnf(serial: number): void {
    const record = this.inventory.vnf(serial);
    if (record !== undefined) this.parts.listener({ kind: 'vnf', record, observation: this.#observe(record) });
  }

  publishNetwork(record: NetworkRecord): void {
    const { error, hidden } = this.runtime(record.serial);
    this.parts.listener({ kind: 'network', record, observation: { error, hidden: [...hidden] } });
  }

  publishHost(record: HostRecord): void {
    this.parts.listener({ kind: 'host', record, observation: this.#observeHost(record) });
  }

  /** Shows a service chain as it is; its runtime says how that is found out. */
  publishChain(serial: number): void {
    const record = this.inventory.chain(serial);
    if (record === undefined || this.observeChain === undefined) return;
    const observation = this.observeChain(record);
    this.parts.listener({
      kind: 'chain',
      record,
      observation: { ...observation, error: this.runtime(serial).error || observation.error },
    });
  }

  publishType(record: TypeRecord): void {
    this.parts.listener({ kind: 'type', record });
  }

  /** The object is gone. */
  withdraw(serial: number): void {
    this.#runtimes.forget(serial);
    this.parts.listener({ kind: 'removed', serial });
  }

  /** Keeps the outcome of an operation on a VNF in its `error` file, and a failure in `events`. Rethrows. */
  async recordVnf<T>(serial: number, what: string, operation: () => Promise<T>): Promise<T> {
    const runtime = this.runtime(serial);
    try {
      const result = await operation();
      if (runtime.error !== '') {
        runtime.error = '';
        this.publishVnf(serial);
      }
      return result;
    } catch (error) {
      const { message } = error as Error;
      runtime.error = `${what}: ${oneLine(message)}`;
      const vnf = this.inventory.vnf(serial);
      if (vnf !== undefined) this.parts.events.add({ path: pathOf(vnf), what: `${what} failed`, why: oneLine(message) });
      this.publishVnf(serial);
      throw error;
    }
  }

  /** The like for a network, a host or a service chain. */
  async recordObject<T>(record: NetworkRecord | HostRecord | ChainRecord, what: string, operation: () => Promise<T>): Promise<T> {
    let sentence = '';
    try {
      return await operation();
    } catch (error) {
      sentence = `${what}: ${oneLine((error as Error).message)}`;
      this.parts.events.add({ path: recordKey(record), what: `${what} failed`, why: oneLine((error as Error).message) });
      throw error;
    } finally {
      this.runtime(record.serial).error = sentence;
      this.publish(record.serial);
    }
  }

  /**
   * Carries out a write of a copy, which is one of many: its success says nothing of what failed before, so that `error` keeps it, save where it was the same file that
   * failed.
   */
  async keepingError(serial: number, path: string, write: () => Promise<void>): Promise<void> {
    const runtime = this.runtime(serial);
    const before = runtime.error;
    await write();
    if (before === '' || before.startsWith(`${path}: `) || runtime.error !== '') return;
    runtime.error = before;
    this.publish(serial);
  }

  #observe(vnf: VnfRecord): VnfObservation {
    const runtime = this.runtime(vnf.serial);
    const middlebox = this.#middleboxes.get(vnf.type);
    const ref = this.ref(vnf);
    const driver = this.driverOf(vnf);
    const state = this.state(vnf);
    return {
      state,
      word: this.#word(vnf, state),
      error: runtime.error,
      ip: runtime.ip,
      id: runtime.id,
      domainXml: driver.description?.(ref),
      counters: this.#counters(vnf, state),
      countsDrops: middlebox?.configuration?.language.drops !== undefined,
      paths: {
        config: this.parts.store.configDir(vnf),
        root: this.#rootPath(vnf),
        log: driver.logPath(ref),
        output: outputPath(ref),
      },
      moduleFiles: middlebox === undefined ? [] : this.#moduleFiles(vnf, middlebox),
      hidden: [...runtime.hidden],
    };
  }

  /** Of a guest that nobody knows the state of the driver says why not, to who reads. */
  #counters(vnf: VnfRecord, state: VnfState): CounterSource | undefined {
    if (state === 'unknown' && this.address(vnf) !== undefined) return { kind: 'remote' };
    return state === 'running' || state === 'paused' ? this.driverOf(vnf).counterSource(this.ref(vnf)) : undefined;
  }

  #observeHost(record: HostRecord): HostObservation {
    const hypervisor = hypervisorOf(record, this.parts.hypervisor);
    const address = hostAddress(record);
    const { error, hidden } = this.runtime(record.serial);
    const { state, why } = address === undefined ? { state: 'unknown', why: '' } : this.driver(hypervisor).hostStatus(address);
    return { hypervisor, status: state, error: error || why, hidden: [...hidden] };
  }

  /** The files a module adds, with what its getattr hook says of them. */
  #moduleFiles(vnf: VnfRecord, middlebox: Middlebox): VnfObservation['moduleFiles'] {
    return (middlebox.files ?? []).map((file) => {
      let attributes: { readonly mode?: number; readonly size?: number } | undefined;
      try {
        attributes = middlebox.hooks?.getattr?.(this.instance(vnf, new AbortController().signal), file.path);
      } catch (error) {
        this.parts.logger.error(`${pathOf(vnf)}/${file.path}: ${(error as Error).message}`);
      }
      return { path: file.path, mode: attributes?.mode ?? file.mode, size: attributes?.size };
    });
  }

  /** What the hooks and actions of a middlebox module get to see of a VNF. */
  instance(vnf: VnfRecord, signal: AbortSignal): HookInstance {
    return {
      type: vnf.type,
      name: vnf.name,
      value: (path) => this.vnf(vnf.serial).settings[path] ?? '',
      execute: (command) => this.driverOf(vnf).executeInGuest(this.ref(vnf), command, { signal }),
    };
  }

  /** What the driver knows of a deployed VNF's guest; of one on a machine without an address nobody knows. */
  #status(vnf: VnfRecord): GuestStatus {
    if (this.address(vnf) === undefined) return { state: 'unknown', word: 'unknown' };
    return this.driverOf(vnf).guestStatus(this.ref(vnf));
  }

  #word(vnf: VnfRecord, state: VnfState): string {
    if (state === 'undeployed' || state === 'inconsistent') return state;
    const status = this.#status(vnf);
    // While it is being made there is nothing yet; else someone removed it behind our back, or the machine was restarted.
    if (status.state === 'absent' && status.progress === undefined)
      return this.runtime(vnf.serial).busy === undefined ? 'exited' : 'undeployed';
    return status.exitCode === undefined ? status.word : `${status.word} (${status.exitCode})`;
  }
}

/** Path of a VNF below the mountpoint. */
export function pathOf(vnf: VnfRecord): string {
  return `nf-types/${vnf.type}/${vnf.name}`;
}

/** File on this machine with the output of a VNF's last command. */
export function outputPath(ref: GuestRef): string {
  return `${ref.guestDir}/command.out`;
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, '; ').trim();
}
