import type { PlacedPort } from '../domain/addressing.ts';
import { ownerOf } from '../domain/authority.ts';
import { waysFrom } from '../domain/chains/host-ways.ts';
import type { TranslationWorld } from '../domain/chains/translation.ts';
import type { Event } from '../domain/event.ts';
import type { VnfState } from '../domain/lifecycle.ts';
import type { Middlebox, RunProfile } from '../domain/middlebox.ts';
import { addressOf, type PlacementSurroundings, placementFor } from '../domain/placement.ts';
import type { PortSurroundings } from '../domain/port-plan.ts';
import type { GuestRef, GuestStatus, HypervisorDriver, HypervisorName, Placement } from '../domain/ports/hypervisor.ts';
import type { PortState } from '../domain/ports/network.ts';
import { idOf, type NetworkRecord, type PortRecord, type VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import { Inventory } from './inventory.ts';
import type { ModelParts } from './model-parts.ts';
import { type Runtime, Runtimes } from './runtime.ts';

/** What is known: the records, the modules of types, and where guests are and how they do. */
export class World {
  readonly inventory = new Inventory();
  readonly parts: ModelParts;
  protected readonly runtimes = new Runtimes();
  /** What the ports of a VNF depend on besides its own record. */
  readonly surroundings: PortSurroundings;
  /** How ports are, by serial, that guests made otherwise than their owners want them; of virtual machines it is not known. */
  readonly portStates = new Map<number, PortState>();
  readonly #middleboxes = new Map<string, Middlebox>();

  constructor(parts: ModelParts) {
    this.parts = parts;
    this.surroundings = {
      mountId: parts.store.mountId,
      forwards: (type) => this.forwards(type),
      // Guests go on while their hypervisor cannot be asked.
      runs: (vnf) => ['running', 'paused', 'unknown'].includes(this.state(vnf)),
      network: (name) => this.inventory.network(name),
      portsOn: (network) => this.inventory.portsOn(network),
      chainWays: (network, family) =>
        waysFrom(network, family, {
          chains: () => this.inventory.chains(),
          networks: () => this.inventory.networks(),
          portsOn: (name) => this.inventory.portsOn(name),
        }),
    };
  }

  /** What is known of an object besides its record. */
  runtime(serial: number): Runtime {
    return this.runtimes.of(serial);
  }

  /**
   * Has `events` tell of something.
   *
   * @param owner of what it happened to, who reads it there; where it is gone by now its owner has to be said.
   */
  note(event: Event, owner = this.ownerAt(event.path)): void {
    this.parts.events.add(event, owner);
  }

  /** The owner of the object that a path below the mountpoint leads to, or is in. */
  ownerAt(path: string): number {
    const record = this.inventory.at(path);
    return record === undefined ? 0 : ownerOf(record).uid;
  }

  /** The VNF of a serial. @throws NotFoundError when it has been removed. */
  vnf(serial: number): VnfRecord {
    const vnf = this.inventory.vnf(serial);
    if (vnf === undefined) throw new NfioError('NotFoundError', { message: 'the VNF has been removed' });
    return vnf;
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
    throw new NfioError('NotFoundError', { message: `there is no network ${name}. Run: mkdir networks/${name}` });
  }

  /** The loaded module of a type. @throws UnknownTypeError when it is not loaded. */
  middlebox(type: string): Middlebox {
    const middlebox = this.loadedMiddlebox(type);
    if (middlebox === undefined) {
      throw new NfioError('UnknownTypeError', {
        message: `the module of type ${type} is not loaded. See why: grep nf-types/${type} events`,
        errno: 'EIO',
      });
    }
    return middlebox;
  }

  /** The module of a type, undefined when it is not loaded. */
  loadedMiddlebox(type: string): Middlebox | undefined {
    return this.#middleboxes.get(type);
  }

  /** Loads the module of a type. @throws what the module source throws. */
  async loadMiddlebox(type: string): Promise<void> {
    this.#middleboxes.set(type, await this.parts.middleboxes.load(type));
  }

  /** Names of the actions that a type adds to the verbs. */
  moduleActions(type: string): readonly string[] {
    return Object.keys(this.loadedMiddlebox(type)?.actions ?? {});
  }

  /** True for a type whose guests forward packets between their ports. */
  forwards(type: string): boolean {
    return this.loadedMiddlebox(type)?.sysctl?.['net.ipv4.ip_forward'] === '1';
  }

  /** True for a type whose guests end connections that pass through them. */
  intercepts(type: string): boolean {
    return this.loadedMiddlebox(type)?.intercepts === true;
  }

  /** True for a type whose guests translate the addresses of what they pass on. */
  translates(type: string): boolean {
    return this.loadedMiddlebox(type)?.translates === true;
  }

  /** What tells which addresses service chains have packets come back to. */
  readonly translation: TranslationWorld = {
    portsOn: (network) => this.inventory.portsOn(network),
    translates: (type) => this.translates(type),
  };

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

  /** The state of a VNF now, as its guest is. */
  state(vnf: VnfRecord): VnfState {
    if (vnf.unreadable !== undefined) return 'unreadable';
    if (vnf.inconsistent) return 'inconsistent';
    if (!vnf.deployed) return 'undeployed';
    const { state } = this.status(vnf);
    // A guest on record that the hypervisor does not know: someone removed it behind our back, or the machine was restarted.
    return state === 'absent' ? 'exited' : state;
  }

  /** What the driver knows of a deployed VNF's guest; of one on a machine without an address nobody knows. */
  status(vnf: VnfRecord): GuestStatus {
    if (this.address(vnf) === undefined) return { state: 'unknown', word: 'unknown' };
    return this.driverOf(vnf).guestStatus(this.ref(vnf));
  }

  /** True for a VNF that runs and whose ports only its guest knows: it has to be asked how they are. */
  asksPorts(vnf: VnfRecord): boolean {
    return this.state(vnf) === 'running' && this.status(vnf).booting !== true && this.driverOf(vnf).portStates !== undefined;
  }

  get #places(): PlacementSurroundings {
    return { hypervisor: this.parts.hypervisor, host: (name) => this.inventory.host(name) };
  }
}
