import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestListener } from '../../domain/ports/hypervisor.ts';
import type { Logger } from '../../domain/ports/logger.ts';
import { addPorts, type Fabric, findProcess } from '../../network/index.ts';
import { leftGuest } from '../left-guest.ts';
import type { Container, EngineEvent, ListedContainer } from './container-state.ts';
import { isInContainer, procfsCounters } from './counters.ts';
import { EngineAnswerError } from './engine/index.ts';
import type { EngineLink } from './engine-link.ts';
import type { Guest } from './guest.ts';
import { makeGuestDirectory } from './guest-files.ts';
import { openGuestRoot } from './guest-root.ts';
import { label, mountFilter } from './labels.ts';
import { LogFollower } from './log-follower.ts';

const attachTimeoutMs = 10_000;
/** An engine that ends the log of a guest which runs on is not asked more often than that. */
const logPauseMs = 1000;

/** What watching guests needs. */
export interface WatcherParts {
  readonly mountId: string;
  readonly guests: ReadonlyMap<string, Guest>;
  readonly fabric: Fabric;
  readonly logger: Logger;
}

/** Keeps what is known of guests equal to what their engines say, and tells of what changed by itself or from outside. */
export class Watcher {
  readonly #parts: WatcherParts;
  readonly #listeners: GuestListener[] = [];
  /** Set once every guest of this mount is known: whether a container of its that is none of them is wanted no more. */
  mayEnd: ((id: string) => boolean) | undefined;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
  }

  /** Adds one that is told. */
  onChange(listener: GuestListener): void {
    this.#listeners.push(listener);
  }

  /** Tells of a guest if its status is not the one last told. */
  tell(guest: Guest): void {
    const status = guest.news();
    if (status !== undefined) for (const listener of this.#listeners) listener(guest.ref, status);
  }

  /** Looks at every container that this mount has at an engine. */
  async resynchronise(link: EngineLink, signal: AbortSignal): Promise<void> {
    const query = { all: true, filters: mountFilter(this.#parts.mountId) };
    const containers = await link.engine.json<ListedContainer[]>({ method: 'GET', path: '/containers/json', query }, signal);
    const byGuest = new Map(containers.map((container) => [container.Labels[label.id] ?? '', container]));
    const guests = [...this.#parts.guests.values()].filter((guest) => guest.link === link && guest.verb === undefined);
    const found = (guest: Guest): Promise<void> => this.#found(guest, byGuest.get(guest.ref.id)?.Id ?? '', signal);
    await Promise.all(guests.map((guest) => found(guest).catch((error: Error) => this.#warn(guest, error))));
    if (this.mayEnd === undefined) return;
    for (const [id, container] of byGuest) {
      if (this.#parts.guests.has(id)) continue;
      if (this.mayEnd(id)) await this.#removeOrphan(link, container, signal);
      else
        this.#parts.logger.warn(
          leftGuest(`container ${container.Id.slice(0, 12)}`, container.Labels[label.type], container.Labels[label.name]),
        );
    }
  }

  /** Something happened to a container of this mount. */
  event(link: EngineLink, { Actor: { ID: containerId, Attributes: attributes } }: EngineEvent): void {
    const guest = this.#parts.guests.get(attributes[label.id] ?? '');
    if (guest?.link !== link || (guest.containerId !== containerId && guest.verb === undefined)) return;
    guest.stale = true;
    if (guest.verb === undefined) this.lookAgain(guest);
  }

  /** Looks at a guest if something happened to it since it was last looked at, and tells what is new. */
  lookAgain(guest: Guest): void {
    if (!guest.stale || guest.verb !== undefined || guest.looking) return;
    const before = guest.process;
    // One look at a time: of two answers the older might come last.
    guest.looking = true;
    this.look(guest, AbortSignal.timeout(attachTimeoutMs))
      .then(() => this.#settle(guest, before))
      .catch((error: Error) => this.#warn(guest, error))
      .finally(() => {
        guest.looking = false;
        if (guest.verb === undefined) this.tell(guest);
        this.lookAgain(guest);
      });
  }

  /** Takes over what its engine says of a guest now. @throws what asking fails with. */
  async look(guest: Guest, signal: AbortSignal): Promise<void> {
    guest.stale = false;
    const container = guest.containerId === '' ? undefined : await this.#inspect(guest, signal);
    if (container === undefined || container.State.Status === 'removing') return guest.gone();
    guest.take(container);
    const { Pid: pid } = container.State;
    const init = guest.link.local && pid > 0 && isInContainer(pid, container.Id) ? findProcess(pid) : undefined;
    if (init === undefined || init.startTime !== guest.process?.startTime) guest.ended();
    guest.addresses = addressesIn(container);
    if (init !== undefined && guest.process === undefined) {
      guest.process = init;
      guest.counters = procfsCounters(init.pid);
      guest.root = openGuestRoot(container.GraphDriver?.Data ?? {}, init);
    }
    if (container.State.Status !== 'created') this.#followLog(guest);
  }

  async #inspect(guest: Guest, signal: AbortSignal): Promise<Container | undefined> {
    try {
      return await guest.link.engine.json<Container>({ method: 'GET', path: `/containers/${guest.containerId}/json` }, signal);
    } catch (error) {
      if (error instanceof EngineAnswerError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** A guest as it was found after its engine could not be reached: its record may be lost, or older than its container. */
  async #found(guest: Guest, containerId: string, signal: AbortSignal): Promise<void> {
    if (guest.containerId !== containerId) {
      makeGuestDirectory(guest.ref);
      guest.remember({ containerId });
    }
    const before = guest.process;
    await this.look(guest, signal);
    if (before !== undefined || guest.hasLostPorts) await this.#settle(guest, before).catch((error: Error) => this.#warn(guest, error));
    else if (guest.process !== undefined && guest.guarded) guest.network.take(guest.process);
  }

  /** After a change from outside: the ports of a guest end with it, and have to be made anew when someone starts it again. */
  async #settle(guest: Guest, before: Guest['process']): Promise<void> {
    const { process: init, ports, guarded, network } = guest;
    if (init === before || guest.verb !== undefined || !guest.link.local) return;
    await this.#parts.fabric.removePorts(ports.map(({ id }) => id));
    network[Symbol.dispose]();
    if (init === undefined || ports.length === 0) return;
    if (guarded) network.take(init);
    await addPorts(init, this.#parts.fabric, ports, { guarded, signal: AbortSignal.timeout(attachTimeoutMs) });
    guest.portsMade();
  }

  #followLog(guest: Guest): void {
    const { log, runs } = guest;
    if (log?.state === 'following' || (log?.state === 'complete' && !runs)) return;
    const follower = new LogFollower(guest.link.engine, guest.containerId, { guestDir: guest.ref.guestDir, logger: this.#parts.logger });
    guest.log = follower;
    void follower.done.then(async () => {
      await sleep(logPauseMs, undefined, { ref: false });
      // It was started again before its log was seen to end.
      if (guest.log === follower && guest.runs && guest.link.up) this.#followLog(guest);
    });
  }

  async #removeOrphan(link: EngineLink, { Id, Labels }: ListedContainer, signal: AbortSignal): Promise<void> {
    const what = `container ${Id.slice(0, 12)} (${Labels[label.type]}/${Labels[label.name]})`;
    this.#parts.logger.warn(`${what} is in no record of this root: it is removed`);
    await link.engine
      .json({ method: 'DELETE', path: `/containers/${Id}`, query: { force: true, v: true } }, signal)
      .catch((error: Error) => {
        this.#parts.logger.warn(`${what}: ${error.message}`);
      });
  }

  #warn({ ref }: Guest, error: Error): void {
    this.#parts.logger.warn(`${ref.type}/${ref.name}: ${error.message}`);
  }
}

function addressesIn({ NetworkSettings }: Container): string[] {
  const networks = Object.values(NetworkSettings.Networks ?? {});
  const all = [...networks.map((network) => network?.IPAddress), ...networks.map((network) => network?.GlobalIPv6Address)];
  return all.filter((address): address is string => address !== undefined && address !== '');
}
