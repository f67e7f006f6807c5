import type { GuestListener } from '../../domain/ports/hypervisor.ts';
import type { Logger } from '../../domain/ports/logger.ts';
import { type Fabric, removeTaps } from '../../network/index.ts';
import { boundLog } from '../bound-log.ts';
import { leftGuest } from '../left-guest.ts';
import { isActive } from './domain-state.ts';
import { inactive, undefineAll } from './flags.ts';
import type { Guest } from './guest.ts';
import { forgetSetUp, setUp } from './guest-access.ts';
import { logFile } from './guest-files.ts';
import type { HostLink, LinkListener } from './host-link.ts';
import { guestIdOf } from './labels.ts';
import { counterPaths, findQemu } from './qemu-process.ts';
import type { Connection } from './rpc/connection.ts';
import { isLibvirtError } from './rpc/libvirt-error.ts';
import { type DomainEvent, type DomainName, type DomainState, procedures } from './rpc/procedures.ts';
import { closePorts } from './start.ts';

const intervalMs = 1000;
/** Logs are looked at once in so many rounds. */
const logRounds = 5;
/** virConnectDomainEventAgentLifecycleState */
const agentConnected = 1;
/** VIR_DOMAIN_SHUTDOWN: it switches itself off; that it is off follows in a moment. */
const inShutdown = 4;

/** Notices what happens to guests by themselves or from outside, when daemons tell and when they come back. */
export class Watcher implements LinkListener, Disposable {
  readonly #mountId: string;
  readonly #guests: ReadonlyMap<string, Guest>;
  readonly #fabric: Fabric;
  readonly #logger: Logger;
  readonly #listeners: GuestListener[] = [];
  readonly #onLink: (link: HostLink) => void;
  #timer: NodeJS.Timeout | undefined;
  #round = 0;
  /** Set once it is known which guests there should be: whether another one is wanted no more. */
  mayEnd: ((id: string) => boolean) | undefined;

  constructor(parts: {
    readonly mountId: string;
    readonly guests: ReadonlyMap<string, Guest>;
    readonly fabric: Fabric;
    readonly logger: Logger;
    readonly onLink: (link: HostLink) => void;
  }) {
    this.#mountId = parts.mountId;
    this.#guests = parts.guests;
    this.#fabric = parts.fabric;
    this.#logger = parts.logger;
    this.#onLink = parts.onLink;
  }

  /** Adds one that is told. */
  onChange(listener: GuestListener): void {
    this.#listeners.push(listener);
  }

  /** Begins to look at consoles now and then. Idempotent. */
  start(): void {
    this.#timer ??= setInterval(() => this.#lookAround(), intervalMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async onUp(link: HostLink, connection: Connection): Promise<void> {
    const signal = AbortSignal.timeout(20_000);
    const domains = await connection.call(procedures.connectListAllDomains, [0], signal);
    const found = new Map<string, DomainName>();
    for (const domain of domains) {
      const id = guestIdOf(domain.name, this.#mountId);
      if (id !== undefined) found.set(id, domain);
    }
    const read = (domain: DomainName): Promise<DomainState> => connection.call(procedures.domainGetState, [domain, 0], signal);
    for (const guest of this.#guests.values()) {
      if (guest.link !== link) continue;
      const domain = found.get(guest.ref.id);
      found.delete(guest.ref.id);
      const state = domain?.uuid === guest.domain.uuid ? await read(domain) : undefined;
      if (state !== undefined) guest.description ??= await connection.call(procedures.domainGetXmlDesc, [guest.domain, inactive], signal);
      if (guest.verb === undefined) await this.settle(guest, state, signal);
    }
    if (this.mayEnd === undefined) return;
    for (const [id, orphan] of found) {
      if (this.mayEnd(id)) await this.#removeOrphan(orphan, connection, signal);
      else this.#logger.warn(leftGuest(`domain ${orphan.name}`));
    }
  }

  onEvent(link: HostLink, { kind, domain, event }: DomainEvent): void {
    const guest = this.#guests.get(guestIdOf(domain.name, this.#mountId) ?? '');
    if (guest === undefined || guest.link !== link || guest.domain.uuid !== domain.uuid) return;
    const warn = (error: Error): void => this.#logger.warn(`${guest.ref.type}/${guest.ref.name}: ${error.message}`);
    if (kind === 'lifecycle') void this.#look(guest).catch(warn);
    else if (event !== agentConnected) this.#agentWent(guest).catch(warn);
    else void this.#agentCame(guest).catch(warn);
  }

  onStatus(link: HostLink): void {
    for (const guest of this.#guests.values()) {
      if (guest.link !== link || link.status.state === 'up') continue;
      guest.known = false;
      this.#tell(guest);
    }
    this.#onLink(link);
  }

  /** Asks how a guest is. */
  async refresh(guest: Guest, signal: AbortSignal): Promise<void> {
    await this.settle(guest, await domainState(guest, signal), signal);
  }

  /** Tells how far a verb of ours has got with a guest. */
  tellStep(guest: Guest): void {
    for (const listener of this.#listeners) listener(guest.ref, { ...guest.status, news: 'verb' });
  }

  /** Takes in how a guest is: what belongs to one that runs is found, what one that ended left is cleared away. */
  async settle(guest: Guest, state: DomainState | undefined, signal: AbortSignal): Promise<void> {
    const wasActive = guest.isActive;
    const isNow = state !== undefined && isActive(state);
    if (!isNow && (wasActive || guest.ports.length > 0)) await removeTaps(guest.ports, this.#fabric, signal);
    guest.take(state);
    if (isNow) await this.#findCounters(guest);
    if (guest.verb === undefined) this.#tell(guest);
    else guest.news();
  }

  async #look(guest: Guest): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    const state = await domainState(guest, signal);
    if (guest.verb === undefined && state?.state !== inShutdown) await this.settle(guest, state, signal);
  }

  /** Its system ends, and begins again perhaps: what it was told is lost. While it is told again nothing passes it. */
  async #agentWent(guest: Guest): Promise<void> {
    forgetSetUp(guest);
    guest.wentAway = true;
    if (guest.verb === undefined) await closePorts(guest, this.#fabric);
  }

  /** One that has booted again by itself has lost all that it was told: who told it hears of that when it is set up. */
  async #agentCame(guest: Guest): Promise<void> {
    const again = guest.verb === undefined && guest.wentAway;
    await setUp(guest, AbortSignal.timeout(60_000));
    guest.wentAway = false;
    if (again) for (const listener of this.#listeners) listener(guest.ref, { ...guest.status, news: 'anew' });
  }

  #tell(guest: Guest): void {
    const status = guest.news();
    if (status !== undefined) for (const listener of this.#listeners) listener(guest.ref, status);
  }

  async #findCounters(guest: Guest): Promise<void> {
    if (!guest.link.isLocal) return;
    guest.process ??= findQemu(guest.domain.uuid);
    if (guest.process === undefined) return;
    if (guest.ports.length > 0 && this.#fabric.netDevPath === undefined) await this.#fabric.openCounters();
    const netDevPath = guest.ports.length === 0 ? '/proc/self/net/dev' : this.#fabric.netDevPath;
    if (netDevPath === undefined) return;
    const paths = guest.counters === undefined ? counterPaths(guest.process) : guest.counters;
    guest.counters = { kind: 'procfs', netDevPath, cpuPath: paths.cpuPath, memoryPath: paths.memoryPath, farEnds: guest.farEnds };
  }

  /** The process in the fabric that counters are read through may be another one by now. */
  #lookAround(): void {
    const logsToo = ++this.#round % logRounds === 0;
    for (const guest of this.#guests.values()) {
      if (!guest.isActive) continue;
      if (guest.verb === undefined)
        void this.#findCounters(guest).then(
          () => this.#tell(guest),
          () => undefined,
        );
      if (logsToo) void boundLog(logFile(guest.ref.guestDir)).catch(() => undefined);
    }
  }

  async #removeOrphan(domain: DomainName, connection: Connection, signal: AbortSignal): Promise<void> {
    this.#logger.warn(`domain ${domain.name} is in no record of this root: it is removed`);
    await connection.call(procedures.domainDestroyFlags, [domain, 0], signal).catch(() => undefined); // it does not run
    await connection
      .call(procedures.domainUndefineFlags, [domain, undefineAll], signal)
      .catch((error: Error) => this.#logger.warn(`domain ${domain.name}: ${error.message}`));
  }
}

/** What libvirt says of a guest's domain; undefined when there is none. */
async function domainState(guest: Guest, signal: AbortSignal): Promise<DomainState | undefined> {
  try {
    return await guest.link.call(procedures.domainGetState, [guest.domain, 0], signal);
  } catch (error) {
    if (isLibvirtError(error, 'NO_DOMAIN')) return undefined;
    throw error;
  }
}
