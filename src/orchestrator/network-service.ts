import { checkNetwork, checkPort, portPath } from '../domain/addressing.ts';
import type { Actor } from '../domain/authority.ts';
import { checkName } from '../domain/names.ts';
import { planSegment } from '../domain/port-plan.ts';
import { idOf, type NetworkRecord, type Ownership } from '../domain/records.ts';
import { networkSettings, parseSetting } from '../domain/settings.ts';
import { NfioError } from '../errors/index.ts';
import type { ChainFollower } from './chains/chain-follower.ts';
import type { ChainObserver } from './chains/chain-observer.ts';
import type { DefaultRoutes } from './default-routes.ts';
import type { HiddenFiles } from './hidden-files.ts';
import { Lane } from './lane.ts';
import type { LivePorts } from './live-ports.ts';
import type { Model } from './model.ts';
import { requireMay } from './require.ts';

/** Makes, changes and removes networks. */
export class NetworkService {
  readonly #model: Model;
  readonly #ports: LivePorts;
  readonly #follower: ChainFollower;
  readonly #chains: ChainObserver;
  readonly #hidden: HiddenFiles;
  readonly #routes: DefaultRoutes;
  /** Networks are checked against each other, so they change one at a time. */
  readonly #lane = new Lane();

  constructor(
    model: Model,
    parts: {
      readonly live: LivePorts;
      readonly hidden: HiddenFiles;
      readonly chains: { readonly follower: ChainFollower; readonly observer: ChainObserver };
      readonly routes: DefaultRoutes;
    },
  ) {
    this.#model = model;
    this.#ports = parts.live;
    this.#follower = parts.chains.follower;
    this.#chains = parts.chains.observer;
    this.#hidden = parts.hidden;
    this.#routes = parts.routes;
  }

  /** mkdir networks/NAME */
  create(name: string, owner: Ownership): Promise<NetworkRecord> {
    checkName('network', name);
    return this.#lane.run(async () => {
      if (this.#model.inventory.network(name) !== undefined) {
        throw new NfioError('BusyError', { message: `network ${name} exists already`, errno: 'EEXIST' });
      }
      const record: NetworkRecord = { kind: 'network', ...this.#model.newObject(owner), name };
      await this.#model.add(record);
      // A copy of an instance, or of a service chain, may have come before the network that it names.
      for (const { vnf } of this.#model.inventory.portsOn(name)) this.#model.publishVnf(vnf.serial);
      this.#chains.networkNamed(name);
      return record;
    });
  }

  /** rmdir networks/NAME. @throws BusyError while a port is on it. */
  remove(name: string): Promise<void> {
    return this.#lane.run(async () => {
      const record = this.#named(name);
      this.#hidden.showAll(record.serial);
      await this.#model.recordObject(record, 'rmdir', async () => {
        const [user] = this.#model.inventory.portsOn(name);
        if (user !== undefined) {
          throw new NfioError('BusyError', {
            message: `network ${name} is in use by ${user.vnf.type}/${portPath(user)}. Run: echo > nf-types/${user.vnf.type}/${portPath(user)}/network`,
          });
        }
        this.#checkUnsteered(record);
        await this.#model.parts.network.removeSegment(planSegment(record), new AbortController().signal);
        await this.#model.parts.store.remove(record);
        this.#model.inventory.remove(record);
      });
      this.#model.withdraw(record.serial);
      this.#chains.networkNamed(name);
    });
  }

  /** unlink or rmdir of a special file of a network that nobody uses: on the way to removing the whole, or to making it again. @throws BusyError */
  hide(name: string, path: string): void {
    const record = this.#named(name);
    this.#checkUnsteered(record);
    const [user] = this.#model.deployedPorts(name);
    if (user !== undefined) {
      throw new NfioError('BusyError', {
        message: `network ${name} is in use by ${user.vnf.type}/${portPath(user)}, which is deployed. Run: echo destroy > nf-types/${user.vnf.type}/${user.vnf.name}/action`,
      });
    }
    this.#hidden.hide(record.serial, path);
  }

  /** Sets a value of a network; guests on it follow. Without an actor it is nf.io itself that does so. @throws NotPermittedError */
  set(name: string, path: string, options: { readonly text: string; readonly signal: AbortSignal; readonly actor?: Actor }): Promise<void> {
    return this.#lane.run(async () => {
      const before = this.#named(name);
      await this.#model.recordObject(before, path, async () => {
        const value = parseSetting(networkSettings, path, options.text);
        const after = { ...before, settings: { ...before.settings, [path]: value } };
        if (path === 'uplink' && value !== '' && options.actor !== undefined) requireMay(options.actor, 'uplink', before);
        this.#check(after);
        if (path === 'uplink') await this.#connect(after, options.signal);
        if (path === 'forward') await this.#model.parts.network.setGroupMask(planSegment(after));
        await this.#model.parts.store.update(after);
        this.#model.inventory.put(after);
      });
      this.#model.publishNetwork(this.#named(name));
      this.#chains.networkNamed(name);
      await this.#ports.applyToNetworks([name], { except: undefined, signal: options.signal });
      this.#routes.portsChanged([name]);
      await this.#follower.networksChanged([name], options.signal);
    });
  }

  /** One of the counters of a network, undefined where there is no segment: no VNF on it has run yet. */
  async counter(name: string, counter: string, signal: AbortSignal): Promise<number | undefined> {
    const ids = this.#model.inventory.portsOn(name).map(({ port }) => idOf(port.serial));
    return (await this.#model.parts.network.counters(planSegment(this.#named(name)), ids, signal))?.[counter];
  }

  /** Connects again, after a restart of the machine or of nf.io, what is connected to interfaces of the machine. */
  async connectUplinks(signal: AbortSignal): Promise<void> {
    for (const network of this.#model.inventory.networks()) {
      if ((network.settings['uplink'] ?? '') === '') continue;
      await this.#model
        .recordObject(network, 'uplink', () => this.#connect(network, signal))
        .catch((error: Error) => {
          this.#model.noteFailures(error);
          this.#model.parts.logger.error(`networks/${network.name}/uplink: ${error.message}`);
        });
    }
  }

  /** At the end of a mount: where no guest is left that uses them, segments leave nothing on the machine. Their records stay. */
  async release(signal: AbortSignal): Promise<void> {
    for (const vnf of this.#model.inventory.vnfs()) if (vnf.deployed) return;
    const { network } = this.#model.parts;
    network.retire();
    for (const record of this.#model.inventory.networks()) await network.removeSegment(planSegment(record), signal);
    await network.removeIfUnused(signal);
  }

  /** Refuses to take a network from an active service chain. */
  #checkUnsteered({ serial, name }: NetworkRecord): void {
    for (const { name: chain, applied } of this.#model.inventory.chains()) {
      if (applied?.ingress !== serial && applied?.egress !== serial) continue;
      const end = applied.ingress === serial ? 'ingress' : 'egress';
      throw new NfioError('BusyError', {
        message: `network ${name} is the ${end} of chns/${chain}, which is active. Run: echo stop > chns/${chain}/action`,
      });
    }
  }

  #check(after: NetworkRecord): void {
    const others = [...this.#model.inventory.networks()].filter((each) => each.serial !== after.serial);
    checkNetwork(after, others);
    const ports = this.#model.inventory.portsOn(after.name);
    for (const port of ports) checkPort(port, after, []);
  }

  async #connect(after: NetworkRecord, signal: AbortSignal): Promise<void> {
    const segment = planSegment(after);
    await this.#model.parts.network.ensureSegment(segment, signal);
    const why = await this.#model.parts.network.setUplink(segment, signal);
    this.#model.note({
      path: `networks/${after.name}/uplink`,
      what: segment.uplink === '' ? 'disconnected' : 'connected',
      why,
    });
  }

  #named(name: string): NetworkRecord {
    const record = this.#model.inventory.network(name);
    if (record === undefined) throw new NfioError('NotFoundError', { message: `there is no network ${name}. Run: mkdir networks/${name}` });
    return record;
  }
}
