import { checkPort, portsOn } from '../domain/addressing.ts';
import type { Actor } from '../domain/authority.ts';
import { checkMac } from '../domain/hardware-addresses.ts';
import { checkName } from '../domain/names.ts';
import { namedMac } from '../domain/port-plan.ts';
import { idOf, type Ownership, type PortRecord, type VnfRecord } from '../domain/records.ts';
import { parseSetting, portSettings } from '../domain/settings.ts';
import { NfioError } from '../errors/index.ts';
import type { AskedPorts } from './asked-ports.ts';
import type { ChainFollower } from './chains/chain-follower.ts';
import type { DefaultRoutes } from './default-routes.ts';
import type { LivePorts } from './live-ports.ts';
import type { Model } from './model.ts';
import { requireMay } from './require.ts';
import { requireRoom } from './room.ts';
import type { VnfActions } from './vnf-actions.ts';

/** Each is two interfaces of the kernel's, which no limit on memory counts. */
const mostPorts = 256;

/** Makes, changes and removes ports of VNFs, on running guests at once. */
export class PortService {
  readonly #model: Model;
  readonly #live: LivePorts;
  readonly #asked: AskedPorts;
  readonly #actions: VnfActions;
  readonly #chains: ChainFollower;
  readonly #routes: DefaultRoutes;

  constructor(
    model: Model,
    parts: {
      readonly live: LivePorts;
      readonly asked: AskedPorts;
      readonly actions: VnfActions;
      readonly chains: ChainFollower;
      readonly routes: DefaultRoutes;
    },
  ) {
    this.#model = model;
    this.#live = parts.live;
    this.#asked = parts.asked;
    this.#actions = parts.actions;
    this.#chains = parts.chains;
    this.#routes = parts.routes;
  }

  /** mkdir ports/NAME */
  async create(vnfSerial: number, name: string, owner: Ownership): Promise<PortRecord> {
    checkName('port', name);
    const port: PortRecord = { ...this.#model.newObject(owner), name };
    await this.#change(vnfSerial, `ports/${name}`, {
      signal: new AbortController().signal,
      next: (vnf) => {
        if (vnf.ports.some((each) => each.name === name)) {
          throw new NfioError('BusyError', { message: `port ${name} exists already`, errno: 'EEXIST' });
        }
        if (vnf.ports.length >= mostPorts) {
          const message = `a VNF has ${mostPorts} ports at most: remove one, or make another VNF. Run: rmdir ports/NAME`;
          throw new NfioError('InvalidActionError', { message, errno: 'EMLINK' });
        }
        requireRoom(this.#model, owner.uid, vnf, { ports: 1 });
        return { ...vnf, ports: [...vnf.ports, port].sort((a, b) => (a.name < b.name ? -1 : 1)) };
      },
    });
    return port;
  }

  /** rmdir ports/NAME; the guest loses the interface. */
  async remove(vnfSerial: number, portSerial: number): Promise<void> {
    await this.#change(vnfSerial, 'ports', {
      signal: new AbortController().signal,
      next: (vnf) => ({ ...vnf, ports: vnf.ports.filter((each) => each.serial !== portSerial) }),
    });
  }

  /**
   * Sets a value of a port.
   *
   * @param options.actor who does so; without one it is nf.io itself, which may.
   * @param options.restored a copy of an instance says so, which may come before the network that it names.
   */
  async set(
    portSerial: number,
    path: string,
    options: { readonly text: string; readonly signal: AbortSignal; readonly restored?: boolean; readonly actor?: Actor },
  ): Promise<void> {
    const placed = this.#model.inventory.port(portSerial);
    if (placed === undefined) throw new NfioError('NotFoundError', { message: 'the port has been removed' });
    if (path === 'state' || path === 'mtu') await this.#asked.ask(placed.vnf, portSerial);
    await this.#change(placed.vnf.serial, `ports/${placed.port.name}/${path}`, {
      signal: options.signal,
      next: (vnf) => {
        const value = parseSetting(portSettings, path, options.text);
        const network = path === 'network' ? this.#model.inventory.network(value) : undefined;
        if (network !== undefined && options.actor !== undefined) requireMay(options.actor, 'attach', network);
        if (path === 'spoof' && value === 'on' && options.actor !== undefined) requireMay(options.actor, 'spoof', placed);
        if (path === 'state' || path === 'mtu') this.#noteAsItIs(vnf, portSerial, path);
        return this.#withSetting(vnf, portSerial, { path, value, restored: options.restored === true });
      },
    });
  }

  /** What the guest changed itself is changed back, if that is asked for. */
  #noteAsItIs(vnf: VnfRecord, portSerial: number, path: 'state' | 'mtu'): void {
    const state = this.#model.portStates.get(portSerial);
    if (state === undefined) return;
    const runtime = this.#model.runtime(vnf.serial);
    const is = path === 'state' ? { up: state.up } : { mtu: state.mtu };
    runtime.applied = runtime.applied.map((port) => (port.id === idOf(portSerial) ? { ...port, ...is } : port));
  }

  #withSetting(
    vnf: VnfRecord,
    portSerial: number,
    change: { readonly path: string; readonly value: string; readonly restored: boolean },
  ): VnfRecord {
    const value = change.path === 'mac' && this.#isNoWish(change, vnf, portSerial) ? '' : change.value;
    const ports = vnf.ports.map((port) =>
      port.serial === portSerial ? { ...port, settings: { ...port.settings, [change.path]: value } } : port,
    );
    const after = { ...vnf, ports };
    const port = ports.find((each) => each.serial === portSerial);
    if (port === undefined) throw new NfioError('NotFoundError', { message: 'the port has been removed' });
    const mayMiss = change.path !== 'network' || (change.restored && !vnf.deployed);
    const network = mayMiss ? this.#model.inventory.network(port.settings['network'] ?? '') : this.#model.networkOf(port);
    if (network === undefined || !['network', 'address', 'mac'].includes(change.path)) return after;
    const others = vnf.deployed ? this.#model.deployedPorts(network.name) : [];
    checkPort({ vnf: after, port }, network, others);
    const near = vnf.deployed ? [...others, ...portsOn(network.name, after)] : [];
    checkMac({ vnf: after, port }, { network, others: near, mountId: this.#model.parts.store.mountId });
    return after;
  }

  /**
   * The default address of a port is what it has without one. A copy of a VNF writes the address that it read: one that another port has by default is no wish for this
   * one. Of a deployed VNF only its own are meant.
   */
  #isNoWish(change: { readonly value: string; readonly restored: boolean }, subject: VnfRecord, portSerial: number): boolean {
    const { mountId } = this.#model.parts.store;
    const copied = subject.deployed ? [subject] : this.#model.inventory.vnfs();
    for (const vnf of change.restored ? copied : [subject]) {
      const ports = change.restored ? vnf.ports : vnf.ports.filter(({ serial }) => serial === portSerial);
      if (ports.some((port) => namedMac(mountId, { vnf, port }) === change.value)) return true;
    }
    return false;
  }

  /** How many forged frames of a port were dropped, undefined where none are looked for. */
  async spoofed(portSerial: number): Promise<number | undefined> {
    const id = idOf(portSerial);
    return (await this.#model.parts.network.spoofed([id])).get(id);
  }

  /** Changes a VNF's record and its guest, or neither. */
  async #change(
    serial: number,
    what: string,
    options: { readonly next: (vnf: VnfRecord) => VnfRecord; readonly signal: AbortSignal },
  ): Promise<void> {
    const networks = new Set<string>();
    await this.#model.recordVnf(serial, what, () =>
      this.#model.runtime(serial).lane.run(async () => {
        const before = this.#model.vnf(serial);
        const after = options.next(before);
        this.#model.inventory.put(after);
        try {
          await this.#live.apply(after, options.signal);
          this.#asked.forget(serial);
          for (const { serial: changed } of changedPorts(before, after)) this.#model.portStates.delete(changed);
          await this.#model.commitVnf(after);
        } catch (error) {
          this.#model.inventory.put(before);
          await this.#live.restore(before).catch(() => undefined);
          throw error;
        }
        withdrawRemovedPorts(this.#model, before, after);
        for (const vnf of [before, after]) for (const port of vnf.ports) networks.add(port.settings['network'] ?? '');
        if (this.#model.state(after) === 'running') await this.#actions.refresh(serial, options.signal);
      }),
    );
    if (this.#model.forwards(this.#model.vnf(serial).type)) {
      await this.#live.applyToNetworks(networks, { except: serial, signal: options.signal });
    }
    this.#routes.portsChanged(networks);
    await this.#chains.networksChanged(networks, options.signal);
  }
}

function withdrawRemovedPorts(model: Model, before: VnfRecord, after: VnfRecord): void {
  const kept = new Set(after.ports.map((port) => port.serial));
  for (const port of before.ports) if (!kept.has(port.serial)) model.withdraw(port.serial);
}

function changedPorts(before: VnfRecord, after: VnfRecord): readonly PortRecord[] {
  return after.ports.filter((port) => !before.ports.includes(port));
}
