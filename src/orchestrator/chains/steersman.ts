import { setTimeout as delay } from 'node:timers/promises';
import { gatewaysOf } from '../../domain/addressing.ts';
import { chainPorts, instanceIn } from '../../domain/chains/chain-ports.ts';
import { endsOf, SteeringPlanner, type SteeringWorld } from '../../domain/chains/steering-plan.ts';
import { without } from '../../domain/network-change.ts';
import { planSegment, portChanges } from '../../domain/port-plan.ts';
import type { NetworkSetup } from '../../domain/ports/network.ts';
import type { ChainRecord, NetworkRecord, VnfRecord } from '../../domain/records.ts';
import type { DefaultRoutes } from '../default-routes.ts';
import { wantedPorts } from '../guest-spec.ts';
import type { LivePorts } from '../live-ports.ts';
import type { Model } from '../model.ts';
import type { ChainHealth } from './chain-health.ts';
import { mayRunHere, runsHere, steeringWorld } from './chain-resolver.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';
import { HopGuests } from './hop-guests.ts';

/** How long a hop that was taken out may still pass on what it has, milliseconds. */
const drainMs = 100;

/** What traffic is to be steered by, before a change and after it. */
interface ChainChange {
  readonly before: ChainRecord;
  readonly after: ChainRecord;
}

/** Brings guests and the fabric to what the records of active service chains say. */
export class Steersman {
  readonly #model: Model;
  readonly #live: LivePorts;
  readonly #runtimes: ChainRuntimes;
  readonly #health: ChainHealth;
  readonly #routes: DefaultRoutes;
  readonly #guests: HopGuests;
  readonly #planner = new SteeringPlanner();

  constructor(
    model: Model,
    parts: { readonly live: LivePorts; readonly routes: DefaultRoutes; readonly runtimes: ChainRuntimes; readonly health: ChainHealth },
  ) {
    this.#model = model;
    this.#live = parts.live;
    this.#runtimes = parts.runtimes;
    this.#health = parts.health;
    this.#routes = parts.routes;
    this.#guests = new HopGuests(model);
    model.parts.network.onSteeringMended((failure) => this.#tellMended(failure));
  }

  /** Someone changed the rules of the fabric. */
  #tellMended(failure: Error | undefined): void {
    for (const chain of this.#model.inventory.chains()) {
      if (chain.applied === undefined) continue;
      const why =
        'its rules in the network of nf.io had been changed or removed by someone else: they were loaded again; its counters may have begun anew';
      if (failure === undefined) this.#model.note({ path: `chns/${chain.name}`, what: 'mended', why });
      else this.#tell(chain, failure);
    }
  }

  /**
   * Makes a service chain steer by another record, from one moment to the next: what comes into it is prepared first, what goes out of it
   * cleared away last. Call it from the chain's lane.
   *
   * @throws NetworkError and what drivers throw; then all is as before, the record too.
   */
  async change({ before, after }: ChainChange, signal: AbortSignal): Promise<void> {
    try {
      // On record before traffic is steered; what a crash leaves of the preparations without a record is removed by the next start.
      const recording = this.#commit({ ...after, settled: false });
      const preparing = this.#ensureSegments(after, signal).then(() => this.#enterAll(after, signal));
      await Promise.allSettled([recording, preparing]);
      await recording;
      await preparing;
      await this.steer([after], signal);
    } catch (error) {
      await this.#takeBack({ before, after });
      throw error;
    }
    await this.#leaveAll({ before, after });
    await this.#announceNew({ before, after });
    this.#settle(after);
    const ends = [...this.#endsOf(before), ...this.#endsOf(after)];
    await this.#routes.chainsChanged(new Set(ends.map(({ name }) => name)), new AbortController().signal);
    this.#health.look(after.serial);
  }

  /** A VNF that takes over a place in a service chain may be known under another's hardware address to its neighbours. */
  async #announceNew({ before, after }: ChainChange): Promise<void> {
    const entered = this.#vnfsOf(after).filter(({ serial }) => instanceIn(before.applied, serial) === undefined);
    const ports = entered.flatMap(({ serial }) => this.#model.runtime(serial).applied);
    await this.#model.parts.network.announce(ports).catch((error: Error) => this.#tell(after, error));
  }

  /**
   * Steers the fabric by the records and the guests as they are now.
   *
   * @param changed The service chains that something has changed of; undefined: any.
   */
  async steer(changed: readonly ChainRecord[] | undefined, signal: AbortSignal): Promise<void> {
    const watched: NonNullable<SteeringWorld['watched']> = (serial) => {
      const { traced, probe } = this.#runtimes.of(serial);
      return { traced, probe };
    };
    const isReady: NonNullable<SteeringWorld['isReady']> = (chain, vnf) => !this.#runtimes.of(chain).unready.has(vnf);
    const world = { ...steeringWorld(this.#model), watched, isReady };
    const serials = changed && new Set(changed.map(({ serial }) => serial));
    await this.#model.parts.network.steer(this.#planner.plan(this.#model.inventory.chains(), world, serials), signal);
  }

  /** A guest is about to be ended: from now on nothing is sent through it. To be called from the VNF's lane, and `vnfChanged` afterwards. */
  async vnfLeaves(serial: number, signal: AbortSignal): Promise<void> {
    const chains = this.#chainsOf(serial);
    if (chains.length === 0) return;
    for (const chain of chains) this.#forgetGuest(chain.serial, serial);
    await this.#steerOrTell(chains, signal);
    for (const chain of chains) this.#model.publishChain(chain.serial);
  }

  /**
   * A guest started, ended, or was removed: the service chains that it is in follow. Not to be called from the VNF's lane.
   *
   * @param how.anew it may have been started anew by others: it is told again what makes it a hop.
   */
  async vnfChanged(serial: number, how: { readonly anew: boolean; readonly signal: AbortSignal }): Promise<void> {
    const chains = this.#chainsOf(serial);
    if (chains.length === 0) return;
    await Promise.all(chains.map((chain) => this.#follow(chain.serial, serial, how)));
    await this.#steerOrTell(chains, how.signal);
    for (const chain of chains) this.#health.look(chain.serial);
  }

  /**
   * Networks, or ports on them, changed: what packets come from and go to may be other ones now. For a service chain that leads into the wide, which is all
   * that is on no other network, the networks may be any.
   */
  async networksChanged(names: Iterable<string>, signal: AbortSignal): Promise<void> {
    const changed = new Set(names);
    const active = [...this.#model.inventory.chains()].filter((chain) => this.#endsOf(chain).length > 0);
    const concerned = active.filter((chain) => this.#endsOf(chain).some(({ name }) => changed.has(name)));
    const touched = active.filter((chain) => concerned.includes(chain) || this.#endsOf(chain).some((end) => gatewaysOf(end).length > 0));
    if (touched.length === 0) return;
    for (const { serial } of concerned) {
      await this.#runtimes.of(serial).lane.run(async () => {
        const chain = this.#model.inventory.chain(serial);
        if (chain !== undefined) await this.#enterAll(chain, signal).catch((error: Error) => this.#tell(chain, error));
      });
    }
    await this.#steerOrTell(touched, signal);
    await this.#routes.chainsChanged(new Set(touched.flatMap((chain) => this.#endsOf(chain)).map(({ name }) => name)), signal);
    for (const { serial } of concerned) await this.#forgetSetups(serial);
    for (const { serial } of concerned) this.#health.look(serial);
  }

  /** Takes from the guests of a service chain what they were told and need no more. */
  async #forgetSetups(serial: number): Promise<void> {
    await this.#runtimes.of(serial).lane.run(async () => {
      const chain = this.#model.inventory.chain(serial);
      if (chain !== undefined) await this.#inLanes(chain, this.#vnfsOf(chain), (vnf) => this.#forgetSetup(chain, vnf.serial));
    });
  }

  /** The networks of an active service chain; none when one is gone. */
  #endsOf({ applied }: ChainRecord): NetworkRecord[] {
    const ends = applied === undefined ? undefined : endsOf(applied, this.#model.inventory.networks());
    return ends === undefined ? [] : [ends.ingress, ends.egress];
  }

  /**
   * Takes up what an earlier process did: guests that have their ports know what to do with them. Where it ended in the middle of a change, ports
   * that are missing are made, and those that nobody knows are removed.
   */
  async recover(signal: AbortSignal): Promise<void> {
    const chains = [...this.#model.inventory.chains()];
    if (chains.length === 0) return;
    const there = new Set(await this.#model.parts.network.portsThere(signal));
    for (const id of await this.#removeUncertain(chains, there)) there.delete(id);
    for (const chain of chains) for (const vnf of this.#vnfsOf(chain)) await this.#recoverGuest(chain, vnf, { there, signal });
    await this.#steerOrTell(chains, signal);
    for (const { serial } of chains) this.#health.look(serial);
  }

  async #recoverGuest(
    chain: ChainRecord,
    vnf: VnfRecord,
    { there, signal }: { readonly there: ReadonlySet<string>; readonly signal: AbortSignal },
  ): Promise<void> {
    if (!mayRunHere(this.#model, vnf)) return this.#forgetGuest(chain.serial, vnf.serial);
    const setup = this.#guests.setup(chain, vnf.serial);
    const missing = chainPorts(chain, vnf.serial, this.#model.parts.store).filter(({ id }) => !there.has(id));
    if (missing.length === 0 && setup !== undefined) {
      this.#runtimes.of(chain.serial).setups.set(vnf.serial, setup);
      return;
    }
    const runtime = this.#model.runtime(vnf.serial);
    runtime.applied = runtime.applied.filter(({ id }) => !missing.some((port) => port.id === id));
    await runtime.lane.run(() => this.#enter(chain, vnf.serial, signal)).catch((error: Error) => this.#tell(chain, error));
  }

  /** Ports that no record knows, and those of service chains that were being changed. @returns the ids of all that were removed. */
  async #removeUncertain(chains: readonly ChainRecord[], there: ReadonlySet<string>): Promise<readonly string[]> {
    const known = new Set([...this.#model.inventory.vnfs()].flatMap((vnf) => wantedPorts(this.#model, vnf).map(({ id }) => id)));
    const unsettled = new Set(chains.filter(({ settled }) => !settled).flatMap((chain) => this.#portsOf(chain)));
    const removed = [...there].filter((id) => !known.has(id) || unsettled.has(id));
    await this.#model.parts.network.removePorts(removed);
    for (const chain of chains) if (!chain.settled) await this.#commit({ ...chain, settled: true });
    return removed;
  }

  #portsOf(chain: ChainRecord): string[] {
    const { store } = this.#model.parts;
    return this.#vnfsOf(chain).flatMap(({ serial }) => chainPorts(chain, serial, store).map(({ id }) => id));
  }

  #chainsOf(vnf: number): ChainRecord[] {
    return [...this.#model.inventory.chains()].filter(({ applied }) => instanceIn(applied, vnf) !== undefined);
  }

  /** A guest knows nothing any more of what makes it a hop, or will not for long. */
  #forgetGuest(chain: number, vnf: number): void {
    const { setups, unready } = this.#runtimes.of(chain);
    setups.delete(vnf);
    unready.add(vnf);
  }

  async #commit(chain: ChainRecord): Promise<void> {
    this.#model.inventory.put(chain);
    await this.#model.parts.store.update(chain);
  }

  /** Nobody waits for that: without it the next start looks after the service chain again. */
  #settle(chain: ChainRecord): void {
    this.#commit({ ...chain, settled: true }).catch((error: Error) => this.#tell(chain, error));
  }

  async #ensureSegments(chain: ChainRecord, signal: AbortSignal): Promise<void> {
    for (const network of this.#endsOf(chain)) await this.#model.parts.network.ensureSegment(planSegment(network), signal);
  }

  async #enterAll(chain: ChainRecord, signal: AbortSignal): Promise<void> {
    const entered = this.#vnfsOf(chain).map((vnf) =>
      this.#model.runtime(vnf.serial).lane.run(() => this.#enter(chain, vnf.serial, signal)),
    );
    const [failed] = (await Promise.allSettled(entered)).filter(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  /** Gives a guest its ports, and tells it what to do with them. */
  async #enter(chain: ChainRecord, serial: number, signal: AbortSignal): Promise<void> {
    const vnf = this.#model.inventory.vnf(serial);
    const { setups, unready } = this.#runtimes.of(chain.serial);
    if (vnf === undefined || !mayRunHere(this.#model, vnf)) return this.#forgetGuest(chain.serial, serial);
    if (!runsHere(this.#model, vnf)) return;
    const from = setups.get(serial);
    const to = this.#guests.setup(chain, serial);
    if (to === undefined || from !== undefined || !(await this.#enterAtOnce(vnf, to, signal))) {
      await this.#live.apply(vnf, signal);
      if (to === undefined) return;
      await this.#guests.add(vnf, { from, to }, signal);
    }
    if (from === undefined) await this.#guests.introduce(chain, vnf, signal);
    // What only the old one asks for stays until nothing is steered by it.
    setups.set(serial, from === undefined ? to : joined(from, to));
    unready.delete(serial);
  }

  /** A guest that needs nothing but new ports of service chains gets them, and what to do with them, in one round. @returns whether it did. */
  async #enterAtOnce(vnf: VnfRecord, setup: NetworkSetup, signal: AbortSignal): Promise<boolean> {
    const runtime = this.#model.runtime(vnf.serial);
    const wanted = wantedPorts(this.#model, vnf);
    const changes = portChanges(runtime.applied, wanted);
    const ports = changes.flatMap(({ before, after }) => (before === undefined && after?.steered === true ? [after] : []));
    if (ports.length === 0 || ports.length < changes.length) return false;
    if (!(await this.#guests.addWithPorts(vnf, { ports, to: setup }, signal))) return false;
    runtime.applied = wanted;
    return true;
  }

  async #leaveAll({ before, after }: ChainChange): Promise<void> {
    const leaving = this.#vnfsOf(before).filter(({ serial }) => instanceIn(after.applied, serial) === undefined);
    if (leaving.length > 0 && after.applied !== undefined) await delay(drainMs);
    const all = [...new Set([...leaving, ...this.#vnfsOf(after)])];
    const kept = new Set(this.#portsOf(after));
    await this.#inLanes(after, all, async (vnf) => {
      await this.#forgetSetup(after, vnf.serial);
      const going = chainPorts(before, vnf.serial, this.#model.parts.store).filter(({ id }) => !kept.has(id));
      await this.#live.past.keep(vnf, going);
    });
    // All at once: the kernel waits as long for one as for many.
    await this.#model.parts.network.removePorts(this.#portsOf(before).filter((id) => !kept.has(id)));
    const { signal } = new AbortController();
    await this.#inLanes(after, all, async (vnf) => {
      await this.#live.past.removed(vnf.serial);
      await this.#live.apply(vnf, signal);
    });
  }

  /** Does something with VNFs, each in its lane. Not interruptible: the traffic goes elsewhere already. What fails is told. */
  async #inLanes(chain: ChainRecord, vnfs: readonly VnfRecord[], task: (vnf: VnfRecord) => Promise<void>): Promise<void> {
    const done = vnfs.map(({ serial }) =>
      this.#model.runtime(serial).lane.run(async () => {
        const vnf = this.#model.inventory.vnf(serial);
        if (vnf !== undefined && runsHere(this.#model, vnf)) await task(vnf);
      }),
    );
    for (const result of await Promise.allSettled(done)) if (result.status === 'rejected') this.#tell(chain, result.reason as Error);
  }

  /** Takes from a guest what it was told and needs no more. */
  async #forgetSetup(chain: ChainRecord, serial: number): Promise<void> {
    const { setups } = this.#runtimes.of(chain.serial);
    const from = setups.get(serial);
    const to = this.#guests.setup(chain, serial);
    if (to === undefined) setups.delete(serial);
    else setups.set(serial, to);
    const { signal } = new AbortController();
    if (from !== undefined) await this.#guests.drop(this.#model.vnf(serial), { from, to }, signal);
  }

  async #takeBack({ before, after }: ChainChange): Promise<void> {
    await this.#commit({ ...before, settled: false }).catch((error: Error) => this.#tell(before, error));
    const { signal } = new AbortController();
    await this.steer([before], signal).catch((error: Error) => this.#tell(before, error));
    await this.#leaveAll({ before: after, after: before });
    this.#settle(before);
    await this.#routes.chainsChanged(new Set(this.#endsOf(after).map(({ name }) => name)), signal);
  }

  async #follow(chain: number, vnf: number, { anew, signal }: { readonly anew: boolean; readonly signal: AbortSignal }): Promise<void> {
    await this.#runtimes.of(chain).lane.run(async () => {
      const record = this.#model.inventory.chain(chain);
      if (record === undefined || instanceIn(record.applied, vnf) === undefined) return;
      const { setups, unready } = this.#runtimes.of(chain);
      if (anew) setups.delete(vnf);
      const entering = this.#model.runtime(vnf).lane.run(() => this.#enter(record, vnf, signal));
      await entering.catch((error: Error) => {
        unready.add(vnf);
        this.#tell(record, error);
      });
    });
  }

  async #steerOrTell(chains: readonly ChainRecord[], signal: AbortSignal): Promise<void> {
    await this.steer(chains, signal).catch((error: Error) => {
      for (const chain of chains) this.#tell(chain, error);
    });
  }

  #tell(chain: ChainRecord, error: Error): void {
    this.#model.note({ path: `chns/${chain.name}`, what: 'steering failed', why: error.message });
    this.#model.parts.logger.error(`chns/${chain.name}: ${error.message}`);
  }

  #vnfsOf({ applied }: ChainRecord): VnfRecord[] {
    const serials = (applied?.hops ?? []).flatMap(({ instances }) => instances.map(({ vnf }) => vnf));
    return serials.flatMap((serial) => this.#model.inventory.vnf(serial) ?? []);
  }
}

function joined(from: NetworkSetup, to: NetworkSetup): NetworkSetup {
  return { ...to, changes: [...to.changes, ...without(from.changes, to.changes)], tables: { ...from.tables, ...to.tables } };
}
