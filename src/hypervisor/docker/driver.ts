import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HypervisorBase } from '../../domain/hypervisor-base.ts';
import { limitedProgram } from '../../domain/limited-program.ts';
import type {
  CounterSource,
  Counters,
  DriverContext,
  ExecuteOptions,
  ExecuteResult,
  GuestCommand,
  GuestLimits,
  GuestListener,
  GuestRef,
  GuestRoot,
  GuestSpec,
  GuestStatus,
  HostListener,
  HostReport,
  HostSpec,
  HostStatus,
} from '../../domain/ports/hypervisor.ts';
import type { NetworkSetup, PortSpec } from '../../domain/ports/network.ts';
import { NfioError } from '../../errors/index.ts';
import {
  changeNetwork,
  changePort,
  closedAfter,
  type Fabric,
  findAddress,
  isEnding,
  type PortChange,
  portsAfter,
  runProgram,
} from '../../network/index.ts';
import { openClosedPorts } from '../open-closed-ports.ts';
import { notDeployed, notRunning, paused, runsAlready, stillRuns } from '../refusals.ts';
import { searchPath } from '../search-path.ts';
import { checkSpec, noPorts } from './check-spec.ts';
import { copyConfig } from './container.ts';
import { type EngineStatistics, remoteCounters } from './counters.ts';
import type { EngineLink } from './engine-link.ts';
import { Engines, type EnginesOptions } from './engines.ts';
import { executeInGuest } from './execute.ts';
import { doing } from './failure.ts';
import { Guest } from './guest.ts';
import { logFile, makeGuestDirectory } from './guest-files.ts';
import { setContainerLimits } from './live-limits.ts';
import { machineReport } from './machine-report.ts';
import { Verbs } from './verbs.ts';
import { Watcher } from './watcher.ts';

/** How long a mount waits at its beginning for engines that do not answer. */
const recoverTimeoutMs = 3000;
/** How long what an engine said of a guest's counters is told again: it takes a second to say it, and who reads one of them most often reads all. Milliseconds. */
const countedMs = 500;

/** What a Docker driver is built from. */
export interface DockerDriverOptions extends DriverContext, Pick<EnginesOptions, 'dockerSocket' | 'insecureEngines'> {
  /** True: this machine's engine is followed even while nothing is on it. Default false. */
  readonly isDefault?: boolean;
}

/**
 * Guests as containers, on this machine's Docker Engine and on any other that can be reached. They outlive this object and this process; a later
 * one finds them again with `recover`. What runs on another machine has no ports on this one's networks.
 */
export class DockerDriver extends HypervisorBase {
  readonly name = 'docker';
  readonly rootHasMore = true;
  readonly #options: DockerDriverOptions;
  readonly #fabric: Fabric;
  readonly #guests = new Map<string, Guest>();
  readonly #engines: Engines;
  readonly #watcher: Watcher;
  readonly #verbs: Verbs;
  readonly #hostListeners: HostListener[] = [];

  constructor(options: DockerDriverOptions, fabric: Fabric) {
    super();
    this.#options = options;
    this.#fabric = fabric;
    const { mountId, logger } = options;
    const watcher = new Watcher({ mountId, guests: this.#guests, fabric, logger });
    this.#watcher = watcher;
    this.#verbs = new Verbs({ mountId, watcher, fabric, logger });
    this.#engines = new Engines(options, {
      resynchronise: (link, signal) => watcher.resynchronise(link, signal),
      event: (link, event) => watcher.event(link, event),
      changed: (link) => this.#linkChanged(link),
    });
  }

  async recover(refs: readonly GuestRef[], signal: AbortSignal, mayEnd: (id: string) => boolean = () => true): Promise<void> {
    // Where a host's address was made something that is none, the state of its guests is unknown.
    const placed = refs.filter(({ host }) => this.#engines.isAddress(host));
    for (const ref of placed) this.#guests.set(ref.id, new Guest(ref, this.#engines.link(ref.host)));
    this.#watcher.mayEnd = mayEnd;
    const links = new Set([...this.#guests.values()].map(({ link }) => link));
    const inTime = sleep(recoverTimeoutMs, undefined, { ref: false });
    await Promise.all([...links].map((link) => Promise.race([this.#recoverAt(link, signal), inTime]).catch(() => undefined)));
    void this.#lookHere(signal);
  }

  async getId(ref: GuestRef, _signal: AbortSignal): Promise<string> {
    return this.#known(ref).containerId;
  }

  async getIp(ref: GuestRef, _signal: AbortSignal): Promise<string> {
    const guest = this.#guests.get(ref.id);
    if (guest === undefined || !guest.runs) return '';
    if (guest.process !== undefined && (guest.ports.length > 0 || guest.addresses.length === 0)) {
      return findAddress(guest.process, guest.ports);
    }
    return guest.addresses[0] ?? '';
  }

  async deploy(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const link = this.#engines.link(spec.host);
    checkSpec(spec, link);
    await link.ready(signal);
    makeGuestDirectory(spec);
    const guest = new Guest(spec, link);
    this.#guests.set(spec.id, guest);
    guest.gone();
    await this.#verbs.deploy(guest, spec, signal).catch((error: unknown) => {
      this.#guests.delete(spec.id);
      throw error;
    });
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const guest = await this.#ready(spec, signal);
    if (guest.runs) throw runsAlready(spec);
    checkSpec(spec, guest.link);
    await this.#verbs.start(guest, spec, signal);
  }

  async openPorts(ref: GuestRef, signal: AbortSignal): Promise<void> {
    await openClosedPorts(await this.#live(ref, signal), this.#fabric);
  }

  hasClosedPorts(ref: GuestRef): boolean {
    const guest = this.#guests.get(ref.id);
    return guest?.process !== undefined && guest.closed.length > 0;
  }

  async stop(ref: GuestRef, signal: AbortSignal): Promise<void> {
    await this.#verbs.stop(await this.#live(ref, signal), signal);
  }

  async restart(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    if ((await this.#ready(spec, signal)).runs) await this.stop(spec, signal);
    await this.start(spec, signal);
  }

  async pause(ref: GuestRef, signal: AbortSignal): Promise<void> {
    await this.#verbs.pause(await this.#live(ref, signal), signal);
  }

  async unpause(ref: GuestRef, signal: AbortSignal): Promise<void> {
    await this.#verbs.unpause(await this.#live(ref, signal), signal);
  }

  async destroy(ref: GuestRef, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<void> {
    const guest = this.#guests.get(ref.id);
    if (guest !== undefined) {
      await reachable(guest.link, options.signal);
      if (guest.runs && !options.force) throw stillRuns(ref);
      await this.#verbs.remove(guest, options.signal);
    }
    await doing({ code: 'VNFDestroyError', done: 'destroyed' }, { ref, link: this.#engines.link(ref.host) }, () =>
      rm(ref.guestDir, { recursive: true, force: true }),
    );
    this.#guests.delete(ref.id);
    this.#engines.releaseUnused(this.#isUsed);
  }

  async executeInGuest(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
    const guest = await this.#live(ref, options.signal);
    if (guest.isPaused) throw paused(ref);
    return doing({ code: 'VNFCommandExecutionError', done: 'given a command' }, guest, async () => {
      await copyConfig(guest, options.signal);
      const { containerId, link } = guest;
      const target = { engine: link.engine, containerId, name: ref.name, local: guest.process !== undefined };
      return executeInGuest(target, command, options);
    });
  }

  async executeInNetwork(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
    const { process: init } = await this.#live(ref, options.signal);
    if (init === undefined) return this.executeInGuest(ref, command, options);
    const { signal, onOutput } = options;
    return runProgram(['nsenter', '--target', String(init.pid), '--net', '--', ...limitedProgram(command.argv)], {
      signal,
      env: { PATH: searchPath, ...command.env },
      ...(command.stdin === undefined ? {} : { input: command.stdin }),
      ...(onOutput === undefined ? {} : { onOutput }),
    });
  }

  guestStatus(ref: GuestRef): GuestStatus {
    const none: GuestStatus = this.#engines.isAddress(ref.host)
      ? { state: 'absent', word: 'undeployed' }
      : { state: 'unknown', word: 'unknown' };
    return this.#guests.get(ref.id)?.status ?? none;
  }

  counterSource(ref: GuestRef): CounterSource | undefined {
    const guest = this.#guests.get(ref.id);
    if (guest === undefined || !guest.runs) return undefined;
    return guest.counters ?? { kind: 'remote' };
  }

  async counters(ref: GuestRef, signal: AbortSignal): Promise<Counters> {
    const { link } = this.#known(ref);
    // Who reads all there is must not wait for a dead machine at every file.
    if (!link.up) throw new NfioError('HypervisorConnectionError', { message: link.status.why });
    const guest = await this.#live(ref, signal);
    const recent = guest.counted;
    if (recent !== undefined && performance.now() - recent.atMs < countedMs) return recent.counters;
    const query = { stream: false, 'one-shot': true };
    const counters = await doing({ code: 'VNFCommandExecutionError', done: 'counted' }, guest, async () =>
      remoteCounters(
        await guest.link.engine.json<EngineStatistics>({ method: 'GET', path: `/containers/${guest.containerId}/stats`, query }, signal),
      ),
    );
    guest.counted = { counters, atMs: performance.now() };
    return counters;
  }

  async setLimits(ref: GuestRef, limits: GuestLimits, signal: AbortSignal): Promise<void> {
    if (this.guestStatus(ref).state === 'absent') return;
    const guest = await this.#ready(ref, signal);
    if (guest.runs) {
      await doing({ code: 'VNFStartError', done: 'limited' }, guest, () => setContainerLimits(guest, limits, signal));
    }
  }

  async setPort(ref: GuestRef, change: PortChange, signal: AbortSignal): Promise<void> {
    const guest = this.#guests.get(ref.id);
    if (guest === undefined || !guest.runs) return;
    if (guest.process === undefined) {
      if (change.after !== undefined) throw noPorts(guest.ref, guest.link);
      return;
    }
    const { process, guarded, closed, ports } = guest;
    try {
      await changePort(process, this.#fabric, change, { guarded, closed, signal });
    } catch (error) {
      if (!(await isEnding(process))) throw error;
      return; // what is recorded is there when it starts again
    }
    guest.remember({ ports: portsAfter(ports, change), ...(guarded && { closed: closedAfter(closed, change) }) });
  }

  async changeNetwork(
    ref: GuestRef,
    change: { readonly ports: readonly PortSpec[]; readonly setup: NetworkSetup },
    signal: AbortSignal,
  ): Promise<void> {
    const guest = await this.#live(ref, signal);
    if (guest.process === undefined) throw noPorts(guest.ref, guest.link);
    await changeNetwork(guest.process, this.#fabric, change, { guarded: false, signal });
    guest.remember({ ports: [...guest.ports, ...change.ports] });
  }

  logPath(ref: GuestRef): string {
    return logFile(ref.guestDir);
  }

  root(ref: GuestRef): GuestRoot | undefined {
    const root = this.#guests.get(ref.id)?.root;
    return root === undefined ? undefined : { path: root.path, process: undefined, mounts: [], written: root.written };
  }

  onChange(listener: GuestListener): void {
    this.#watcher.onChange(listener);
  }

  setHosts(hosts: readonly HostSpec[]): void {
    this.#engines.setHosts(hosts, this.#isUsed);
  }

  hostStatus(address: string): HostStatus {
    return this.#engines.status(address);
  }

  async hostReport(address: string, signal: AbortSignal): Promise<HostReport> {
    const link = this.#engines.link(address);
    await reachable(link, signal);
    return machineReport(link.engine, signal);
  }

  onHostChange(listener: HostListener): void {
    this.#hostListeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#engines[Symbol.dispose]();
    for (const guest of this.#guests.values()) {
      guest.log?.[Symbol.dispose]();
      guest.ended();
      guest.network[Symbol.dispose]();
    }
    await this.#fabric[Symbol.asyncDispose]();
  }

  readonly #isUsed = (link: EngineLink): boolean =>
    (this.#options.isDefault === true && link === this.#engines.link('')) ||
    [...this.#guests.values()].some((guest) => guest.link === link);

  async #recoverAt(link: EngineLink, signal: AbortSignal): Promise<void> {
    const known = link.up;
    await link.ready(signal);
    if (known) await this.#watcher.resynchronise(link, signal);
    for (const guest of this.#guests.values()) if (guest.link === link) guest.news();
  }

  /** Containers of this mount may be left on this machine though no record is. Nobody has to wait for that. */
  async #lookHere(signal: AbortSignal): Promise<void> {
    await this.#engines
      .link('')
      .ready(signal)
      .catch(() => undefined);
    if (!this.#options.isDefault) this.#engines.releaseUnused(this.#isUsed);
  }

  #linkChanged(link: EngineLink): void {
    for (const address of this.#engines.addressesOf(link)) {
      for (const listener of this.#hostListeners) listener(address, link.status);
    }
    for (const guest of this.#guests.values()) if (guest.link === link && guest.verb === undefined) this.#watcher.tell(guest);
  }

  #known(ref: GuestRef): Guest {
    const guest = this.#guests.get(ref.id);
    if (guest === undefined || guest.status.state === 'absent') throw notDeployed(ref);
    return guest;
  }

  async #ready(ref: GuestRef, signal: AbortSignal): Promise<Guest> {
    await reachable(this.#known(ref).link, signal);
    return this.#known(ref);
  }

  async #live(ref: GuestRef, signal: AbortSignal): Promise<Guest> {
    const guest = await this.#ready(ref, signal);
    if (guest.runs) return guest;
    throw notRunning(ref, guest.status.word);
  }
}

/** Waits for an engine. @throws HypervisorConnectionError (EHOSTUNREACH) when it cannot be reached. */
async function reachable(link: EngineLink, signal: AbortSignal): Promise<void> {
  try {
    await link.ready(signal);
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new NfioError('HypervisorConnectionError', { errno: 'EHOSTUNREACH', message: (cause as Error).message, cause, retryable: true });
  }
}
