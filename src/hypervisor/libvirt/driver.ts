import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HypervisorBase } from '../../domain/hypervisor-base.ts';
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
import type { NetworkSetup, PortSpec, PortState } from '../../domain/ports/network.ts';
import { type ErrorCode, NfioError } from '../../errors/index.ts';
import { closedAfter, type Fabric, type PortChange, portsAfter } from '../../network/index.ts';
import { openClosedPorts } from '../open-closed-ports.ts';
import { notDeployed, notRunning, paused, runsAlready, stillRuns } from '../refusals.ts';
import { remoteCounters } from './counters.ts';
import { defineVm, undefineVm } from './define.ts';
import { asNfioError } from './failure.ts';
import { Guest } from './guest.ts';
import { executeIn } from './guest-access.ts';
import { logFile, makeGuestDirectory, readRecord } from './guest-files.ts';
import type { HostLink } from './host-link.ts';
import { hostReport } from './host-report.ts';
import { findSlowness } from './kvm-access.ts';
import { domainName, domainUuid, formatUuid } from './labels.ts';
import { Links } from './links.ts';
import { setVmLimits } from './live-limits.ts';
import { changeVmNetwork, changeVmPort } from './live-ports.ts';
import { portStates } from './port-states.ts';
import { procedures } from './rpc/procedures.ts';
import { closePorts, startVm } from './start.ts';
import { findGuestAddress } from './vm-address.ts';
import { Watcher } from './watcher.ts';

/** A guest has so long to switch itself off when its power button is pressed. */
const stopTimeoutMs = 10_000;
/** How long a mount waits at its beginning for daemons that do not answer. */
const recoverTimeoutMs = 3000;
/** VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN */
const powerButton = 1;

/** What a libvirt driver is built from. */
export interface LibvirtDriverOptions extends DriverContext {
  /** URI of this machine's libvirt. Default `qemu:///system`. */
  readonly libvirtUri?: string;
  /** True: this machine's libvirt is followed even while nothing is on it. Default false. */
  readonly isDefault?: boolean;
  /** How long a guest that was started may take until its agent answers, milliseconds. Default 90,000. */
  readonly agentTimeoutMs?: number;
}

/**
 * Guests as virtual machines, on this machine's libvirt and on any other that can be reached. They outlive this object and this process; a
 * later one finds them again with `recover`. Nothing is connected to before it is needed. What runs on another machine has no ports on
 * this one's networks.
 */
export class LibvirtDriver extends HypervisorBase {
  readonly name = 'libvirt';
  readonly startsFromFiles = true;
  readonly #options: LibvirtDriverOptions;
  readonly #fabric: Fabric;
  readonly #guests = new Map<string, Guest>();
  readonly #links: Links;
  readonly #watcher: Watcher;
  readonly #hostListeners: HostListener[] = [];

  constructor(options: LibvirtDriverOptions, fabric: Fabric) {
    super();
    this.#options = options;
    this.#fabric = fabric;
    const { mountId, logger } = options;
    this.#watcher = new Watcher({ mountId, guests: this.#guests, fabric, logger, onLink: (link) => this.#linkChanged(link) });
    this.#links = new Links(options.libvirtUri, this.#watcher);
  }

  async recover(refs: readonly GuestRef[], signal: AbortSignal, mayEnd: (id: string) => boolean = () => true): Promise<void> {
    for (const ref of refs) {
      const record = readRecord(ref.guestDir);
      if (record === undefined) continue;
      const guest = this.#makeGuest(ref, record);
      guest.readExit();
      guest.known = false;
      this.#guests.set(ref.id, guest);
    }
    this.#watcher.mayEnd = mayEnd;
    if (this.#options.isDefault === true) this.#links.link('').keep();
    if (this.#guests.size === 0) return;
    this.#watcher.start();
    const links = new Set([...this.#guests.values()].map(({ link }) => link));
    const inTime = sleep(recoverTimeoutMs, undefined, { ref: false, signal });
    await Promise.all([...links].map((link) => Promise.race([reach(link, signal), inTime]).catch(() => undefined)));
    for (const link of links) link.keep();
  }

  async getId(ref: GuestRef, _signal: AbortSignal): Promise<string> {
    return formatUuid(this.#known(ref).domain.uuid);
  }

  async getIp(ref: GuestRef, signal: AbortSignal): Promise<string> {
    const guest = this.#guests.get(ref.id);
    return guest?.isActive === true ? await findGuestAddress(guest, signal) : '';
  }

  async deploy(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const guest = this.#makeGuest(spec);
    await this.#checkHost(guest, spec, signal);
    this.#guests.set(spec.id, guest);
    this.#watcher.start();
    await this.#verb(guest, 'VNFDeployError', async () => {
      try {
        makeGuestDirectory(spec.guestDir);
        guest.remember({ spec });
        await defineVm(guest, spec, { mountId: this.#options.mountId, signal });
      } catch (error) {
        await undefineVm(guest).catch(() => undefined);
        await rm(spec.guestDir, { recursive: true, force: true });
        this.#guests.delete(spec.id);
        throw error;
      }
    });
    guest.link.keep();
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const guest = this.#known(spec);
    await this.#ask(guest, signal);
    if (guest.isActive) throw runsAlready(spec);
    const how = { mountId: this.#options.mountId, fabric: this.#fabric, signal, onBoot: () => this.#watcher.tellStep(guest) };
    await this.#verb(guest, 'VNFStartError', () => startVm(guest, spec, how));
  }

  async openPorts(ref: GuestRef, signal: AbortSignal): Promise<void> {
    await openClosedPorts(await this.#live(ref, signal), this.#fabric);
  }

  hasClosedPorts(ref: GuestRef): boolean {
    const guest = this.#guests.get(ref.id);
    return guest?.isActive === true && guest.closed.length > 0;
  }

  async stop(ref: GuestRef, signal: AbortSignal): Promise<void> {
    const guest = await this.#live(ref, signal);
    await this.#verb(guest, 'VNFStopError', async () => {
      await closePorts(guest, this.#fabric);
      if (guest.status.state !== 'paused') await this.#pressPowerButton(guest, signal);
      await this.#watcher.refresh(guest, signal);
      if (guest.isActive) await guest.link.call(procedures.domainDestroyFlags, [guest.domain, 0], signal);
    });
  }

  async restart(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const guest = this.#known(spec);
    await this.#ask(guest, signal);
    if (guest.isActive) await this.stop(spec, signal);
    await this.start(spec, signal);
  }

  async pause(ref: GuestRef, signal: AbortSignal): Promise<void> {
    const guest = await this.#live(ref, signal);
    await this.#verb(guest, 'VNFPauseError', () => guest.link.call(procedures.domainSuspend, [guest.domain], signal));
  }

  async unpause(ref: GuestRef, signal: AbortSignal): Promise<void> {
    const guest = await this.#live(ref, signal);
    await this.#verb(guest, 'VNFUnpauseError', () => guest.link.call(procedures.domainResume, [guest.domain], signal));
  }

  async destroy(ref: GuestRef, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<void> {
    const guest = this.#guests.get(ref.id);
    if (guest !== undefined) {
      await this.#ask(guest, options.signal);
      if (guest.isActive && !options.force) throw stillRuns(ref);
      await this.#verb(guest, 'VNFDestroyError', async () => {
        await closePorts(guest, this.#fabric);
        if (guest.isActive) await guest.link.call(procedures.domainDestroyFlags, [guest.domain, 0], options.signal);
        await undefineVm(guest);
      });
    }
    await rm(ref.guestDir, { recursive: true, force: true });
    this.#guests.delete(ref.id);
  }

  async executeInGuest(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
    const guest = await this.#awake(ref, options.signal);
    return await executeIn(guest, command, options);
  }

  executeInNetwork(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
    return this.executeInGuest(ref, command, options);
  }

  guestStatus(ref: GuestRef): GuestStatus {
    return this.#guests.get(ref.id)?.status ?? { state: 'absent', word: 'undeployed' };
  }

  counterSource(ref: GuestRef): CounterSource | undefined {
    const guest = this.#guests.get(ref.id);
    if (guest?.isActive !== true) return undefined;
    return guest.link.isLocal ? guest.counters : { kind: 'remote' };
  }

  async counters(ref: GuestRef, signal: AbortSignal): Promise<Counters> {
    return await remoteCounters(await this.#live(ref, signal), signal);
  }

  async setLimits(ref: GuestRef, limits: GuestLimits, signal: AbortSignal): Promise<void> {
    const guest = this.#guests.get(ref.id);
    if (guest?.isActive === true) await setVmLimits(guest, limits, signal);
  }

  async setPort(ref: GuestRef, change: PortChange, signal: AbortSignal): Promise<void> {
    const guest = this.#guests.get(ref.id);
    if (guest?.isActive !== true) return;
    try {
      await changeVmPort(guest, this.#fabric, change, signal);
    } catch (error) {
      throw asNfioError('NetworkError', `port ${(change.after ?? change.before)?.name}`, error);
    }
    if (guest.guarded) guest.remember({ closed: closedAfter(guest.closed, change) });
    await this.#hasPorts(guest, portsAfter(guest.ports, change), signal);
  }

  async changeNetwork(
    ref: GuestRef,
    change: { readonly ports: readonly PortSpec[]; readonly setup: NetworkSetup },
    signal: AbortSignal,
  ): Promise<void> {
    const guest = await this.#awake(ref, signal);
    try {
      await changeVmNetwork(guest, this.#fabric, change, signal);
    } catch (error) {
      throw asNfioError('NetworkError', `the network of ${ref.name}`, error);
    }
    if (change.ports.length > 0) await this.#hasPorts(guest, [...guest.ports, ...change.ports], signal);
  }

  async portStates(ref: GuestRef, signal: AbortSignal): Promise<ReadonlyMap<string, PortState>> {
    return await portStates(await this.#awake(ref, signal), signal);
  }

  override whySlow(ref: GuestRef): string | undefined {
    const slowness = ref.host === '' ? findSlowness() : undefined;
    return slowness && `${slowness.why}. Run: ${slowness.remedy}`;
  }

  logPath(ref: GuestRef): string {
    return logFile(ref.guestDir);
  }

  /** A virtual machine's files are on its own disk, which this machine cannot look into while it runs. */
  root(_ref: GuestRef): GuestRoot | undefined {
    return undefined;
  }

  override description(ref: GuestRef): string | undefined {
    return this.#guests.get(ref.id)?.description;
  }

  onChange(listener: GuestListener): void {
    this.#watcher.onChange(listener);
  }

  setHosts(hosts: readonly HostSpec[]): void {
    this.#links.setHosts(hosts, (link) => [...this.#guests.values()].some((guest) => guest.link === link));
  }

  hostStatus(address: string): HostStatus {
    return this.#links.status(address);
  }

  async hostReport(address: string, signal: AbortSignal): Promise<HostReport> {
    return await hostReport(this.#links.link(address), signal);
  }

  onHostChange(listener: HostListener): void {
    this.#hostListeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher[Symbol.dispose]();
    this.#links[Symbol.dispose]();
    await this.#fabric[Symbol.asyncDispose]();
  }

  #makeGuest(ref: GuestRef, record?: Guest['record']): Guest {
    const { mountId } = this.#options;
    const domain = { name: domainName(mountId, ref.id), uuid: domainUuid(mountId, ref.id), id: -1 };
    const guest = new Guest(ref, { link: this.#links.link(ref.host), domain }, record);
    guest.agentTimeoutMs = this.#options.agentTimeoutMs ?? guest.agentTimeoutMs;
    return guest;
  }

  /** Runs a verb: what happens to the guest meanwhile is not news, and afterwards it is known how it is. */
  async #verb(guest: Guest, code: ErrorCode, act: () => Promise<unknown>): Promise<void> {
    guest.verb = code;
    try {
      await act();
    } catch (error) {
      throw asNfioError(code, `${guest.ref.type}/${guest.ref.name}`, error);
    } finally {
      await this.#watcher.refresh(guest, AbortSignal.timeout(10_000)).catch(() => undefined); // then it is unknown
      guest.verb = undefined;
    }
  }

  /** Notes the ports that a running guest has now. */
  async #hasPorts(guest: Guest, ports: readonly PortSpec[], signal: AbortSignal): Promise<void> {
    const { spec } = guest.record;
    if (spec === undefined) return;
    guest.remember({ spec: { ...spec, ports } });
    await this.#watcher.refresh(guest, signal);
  }

  /** Presses the power button, and gives the guest time. */
  async #pressPowerButton(guest: Guest, signal: AbortSignal): Promise<void> {
    await guest.link.call(procedures.domainShutdownFlags, [guest.domain, powerButton], signal);
    for (const end = performance.now() + stopTimeoutMs; performance.now() < end; await sleep(50, undefined, { signal })) {
      const { state } = await guest.link.call(procedures.domainGetState, [guest.domain, 0], signal);
      if (state > 4) return;
    }
  }

  /** Only what runs here can be on the networks that are here. */
  async #checkHost({ link }: Guest, spec: GuestSpec, signal: AbortSignal): Promise<void> {
    await reach(link, signal);
    if (link.isLocal || spec.ports.length === 0) return;
    throw new NfioError('UnsupportedError', {
      message: `${spec.name} has ports, which a virtual machine on another machine (${spec.host}) cannot have yet: empty machine/ip, or remove them`,
    });
  }

  /** Learns how a guest is, where that is not known. @throws HypervisorConnectionError when its daemon cannot be asked. */
  async #ask(guest: Guest, signal: AbortSignal): Promise<void> {
    if (!guest.known) await this.#watcher.refresh(guest, signal);
  }

  #known(ref: GuestRef): Guest {
    const guest = this.#guests.get(ref.id);
    if (guest === undefined) throw notDeployed(ref);
    return guest;
  }

  async #live(ref: GuestRef, signal: AbortSignal): Promise<Guest> {
    const guest = this.#known(ref);
    await this.#ask(guest, signal);
    if (!guest.isActive) throw notRunning(ref, guest.status.word);
    return guest;
  }

  /** One that can do something for us. */
  async #awake(ref: GuestRef, signal: AbortSignal): Promise<Guest> {
    const guest = await this.#live(ref, signal);
    if (guest.status.state !== 'paused') return guest;
    throw paused(ref);
  }

  #linkChanged(link: HostLink): void {
    for (const listener of this.#hostListeners) listener(link.address, link.status);
  }
}

/** Connects to a daemon if need be. */
async function reach(link: HostLink, signal: AbortSignal): Promise<void> {
  await link.call(procedures.nodeGetInfo, [], signal);
}
