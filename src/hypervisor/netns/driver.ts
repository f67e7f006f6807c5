import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { HypervisorBase } from '../../domain/hypervisor-base.ts';
import { isShaped } from '../../domain/port-plan.ts';
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
import { errnoName, errnoOf, NfioError } from '../../errors/index.ts';
import {
  canOpen,
  changeNetwork,
  changePort,
  closedAfter,
  type Fabric,
  findAddress,
  isAlive,
  isEnding,
  isOpenAtOnce,
  mayBeAlive,
  type PortChange,
  type ProcessId,
  portsAfter,
  shapePort,
  signalProcess,
  waitUntilGone,
} from '../../network/index.ts';
import { openClosedPorts } from '../open-closed-ports.ts';
import { notDeployed, notRunning, paused, runsAlready, stillRuns } from '../refusals.ts';
import { removeTree } from '../remove-tree.ts';
import { Cgroups } from './cgroups.ts';
import { makeDeviceDirectory } from './device-directory.ts';
import { executeInGuest, executeInNetwork, lastPrinted } from './execute.ts';
import { Gate } from './gate.ts';
import { Guest } from './guest.ts';
import { hasExitCode, logFile, makeGuestDirectory, readExitCode, upperDirectory } from './guest-files.ts';
import { GuestRecords } from './guest-records.ts';
import { privateFiles } from './guest-setup.ts';
import { launch } from './launch.ts';
import { Launcher } from './launcher.ts';
import { endLeftPrograms, programOf } from './left-programs.ts';
import { MachineLayer } from './machine-layer.ts';
import { machineReport } from './machine-report.ts';
import { ownMounts } from './mount-table.ts';
import { recoverGuests } from './recover.ts';
import { checkInstalled, checkPrograms } from './required-programs.ts';
import { RestViews } from './rest-views.ts';
import { Watcher } from './watcher.ts';

const stopTimeoutMs = 2000;
const killTimeoutMs = 10_000;
/** Status of what SIGKILL ended, and how long after the first of its processes a guest is gone, milliseconds. */
const killedStatus = 137;
const teardownMs = 200;
/** Setting up more guests at a time than that makes each of them later and none earlier. */
const launchesAtOnce = 4 * availableParallelism();

/**
 * The embedded hypervisor: guests are namespaces and cgroups of this machine. They outlive this object and this process; a later
 * one finds them again with `recover`.
 */
export class NetnsDriver extends HypervisorBase {
  readonly name = 'netns';
  readonly #context: DriverContext;
  readonly #fabric: Fabric;
  readonly #cgroups: Cgroups;
  readonly #watcher: Watcher;
  readonly #launcher: Launcher;
  readonly #layer: MachineLayer;
  readonly #views: RestViews;
  readonly #gate = new Gate(launchesAtOnce);
  readonly #guests = new Map<string, Guest>();
  readonly #records: GuestRecords;
  #prepared: Promise<void> | undefined;

  constructor(context: DriverContext, fabric: Fabric) {
    super();
    this.#context = context;
    this.#fabric = fabric;
    this.#cgroups = new Cgroups(context.mountId);
    this.#records = new GuestRecords(join(context.runDir, 'guests.jsonl'));
    this.#launcher = new Launcher(context.mountId);
    this.#layer = new MachineLayer(join(context.runDir, 'machine'), context.mountId);
    const { mountId } = context;
    this.#views = new RestViews({ mountId, launcher: this.#launcher, privateDirectory: this.#privateDirectory, layer: this.#layer });
    this.#watcher = new Watcher(this.#guests, (guest) => this.#clearAfterEnd(guest), context.logger);
  }

  async recover(refs: readonly GuestRef[], signal: AbortSignal, mayEnd: (id: string) => boolean = () => true): Promise<void> {
    const { mountId, logger } = this.#context;
    await endLeftPrograms(mountId);
    const world = { mountId, records: this.#records, cgroups: this.#cgroups, fabric: this.#fabric, logger, mayEnd };
    for (const guest of await recoverGuests(refs, world, signal)) this.#guests.set(guest.ref.id, guest);
    for (const { process, record, network } of this.#guests.values()) {
      if (process !== undefined && record.guarded === true) network.take(process);
    }
    this.#watcher.start();
    this.#layer.prepare();
  }

  async getId(ref: GuestRef, _signal: AbortSignal): Promise<string> {
    return String(this.#live(ref).process.pid);
  }

  async getIp(ref: GuestRef, _signal: AbortSignal): Promise<string> {
    const guest = this.#guests.get(ref.id);
    return guest?.process === undefined ? '' : findAddress(guest.process, guest.record.ports);
  }

  async deploy(spec: GuestSpec, _signal: AbortSignal): Promise<void> {
    if (spec.host !== '') throw notThisMachine(spec.host);
    await this.#prepare();
    checkInstalled(spec.requires);
    checkNetwork(spec);
    await makeGuestDirectory(spec);
    this.#guests.set(spec.id, new Guest(spec, this.#records));
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const guest = this.#known(spec);
    if (guest.process !== undefined) throw runsAlready(spec);
    guest.starting = this.#start(guest, spec, signal).finally(() => {
      guest.starting = undefined;
    });
    await guest.starting;
  }

  async #start(guest: Guest, spec: GuestSpec, signal: AbortSignal): Promise<void> {
    await this.#prepare();
    await guest.clearing;
    if (guest.view !== undefined) await this.#views.close(guest);
    try {
      this.#cgroups.create(spec.id, spec.limits);
      await this.#gate.run(() => this.#launch(guest, spec, signal));
    } catch (error) {
      await this.#undoStart(guest, spec);
      throw asNfioError('VNFStartError', spec, error);
    }
  }

  async openPorts(ref: GuestRef, _signal: AbortSignal): Promise<void> {
    await openClosedPorts(this.#live(ref), this.#fabric);
  }

  hasClosedPorts(ref: GuestRef): boolean {
    const guest = this.#guests.get(ref.id);
    return guest?.process !== undefined && guest.closed.length > 0;
  }

  async stop(ref: GuestRef, _signal: AbortSignal): Promise<void> {
    const guest = this.#live(ref);
    guest.verb = 'stop';
    try {
      await this.#closePorts(guest);
      if (guest.paused) await this.#cgroups.freeze(ref.id, false);
      signalProcess(guest.process, 'SIGTERM');
      if (!(await waitUntilGone(guest.process, stopTimeoutMs))) await this.#kill(guest);
      guest.ended(readExitCode(ref.guestDir));
      await this.#clearAfterEnd(guest);
    } finally {
      guest.verb = undefined;
    }
  }

  async restart(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    if (this.#known(spec).process !== undefined) await this.stop(spec, signal);
    await this.start(spec, signal);
  }

  async pause(ref: GuestRef, _signal: AbortSignal): Promise<void> {
    const guest = this.#live(ref);
    await this.#cgroups.freeze(ref.id, true);
    guest.paused = true;
  }

  async unpause(ref: GuestRef, _signal: AbortSignal): Promise<void> {
    const guest = this.#live(ref);
    await this.#cgroups.freeze(ref.id, false);
    guest.paused = false;
  }

  async destroy(ref: GuestRef, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<void> {
    const guest = this.#guests.get(ref.id);
    if (guest?.process !== undefined) {
      if (!options.force) throw stillRuns(ref);
      guest.verb = 'destroy';
      await this.#closePorts(guest);
      if (guest.paused) await this.#cgroups.freeze(ref.id, false);
      await this.#kill(guest);
    }
    if (guest !== undefined) await this.#clearAfterEnd(guest);
    if (guest?.view !== undefined) await this.#views.close(guest);
    await removeTree(ref.guestDir).catch((error: unknown) => {
      throw asNfioError('VNFDestroyError', ref, error);
    });
    this.#records.remove(ref.id);
    this.#guests.delete(ref.id);
  }

  async executeInGuest(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
    const guest = this.#awake(ref);
    const target = { process: guest.process, name: ref.name, record: guest.record, cgroupFiles: this.#cgroups.joinFiles(ref.id) };
    return this.#unlessEnded(guest, await executeInGuest(target, command, options));
  }

  readonly lastPrinted = lastPrinted;

  async executeInNetwork(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult> {
    const guest = this.#live(ref);
    const ours = { ...command, env: { ...command.env, ...programOf(this.#context.mountId) } };
    return this.#unlessEnded(guest, await executeInNetwork(guest.process, ours, options));
  }

  guestStatus(ref: GuestRef): GuestStatus {
    return this.#guests.get(ref.id)?.status ?? { state: 'absent', word: 'undeployed' };
  }

  counterSource(ref: GuestRef): CounterSource | undefined {
    const process = this.#guests.get(ref.id)?.process;
    if (process === undefined) return undefined;
    return { kind: 'procfs', netDevPath: `/proc/${process.pid}/net/dev`, ...this.#cgroups.counterPaths(ref.id) };
  }

  async counters(_ref: GuestRef, _signal: AbortSignal): Promise<Counters> {
    throw new NfioError('UnsupportedError', { message: 'counters of this hypervisor are files: see counterSource' });
  }

  async setLimits(ref: GuestRef, limits: GuestLimits, _signal: AbortSignal): Promise<void> {
    if (this.#guests.get(ref.id)?.process !== undefined) this.#cgroups.setLimits(ref.id, limits);
  }

  async setPort(ref: GuestRef, change: PortChange, signal: AbortSignal): Promise<void> {
    const guest = this.#guests.get(ref.id);
    if (guest?.process === undefined) return;
    const { process } = guest;
    const { ports, guarded = false, closed = [] } = guest.record;
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
    const guest = this.#live(ref);
    await changeNetwork(guest.process, this.#fabric, change, { guarded: false, signal });
    guest.remember({ ports: [...guest.record.ports, ...change.ports] });
  }

  logPath(ref: GuestRef): string {
    return logFile(ref.guestDir);
  }

  root(ref: GuestRef): GuestRoot | undefined {
    const guest = this.#guests.get(ref.id);
    if (guest === undefined) return undefined;
    const running = guest.process !== undefined && mayBeAlive(guest.process) ? guest.process : undefined;
    const process = running ?? guest.viewProcess;
    const path = process === undefined ? undefined : `/proc/${process.pid}/root`;
    return { path, process, mounts: ownMounts, written: upperDirectory(ref.guestDir) };
  }

  override async openRoot(ref: GuestRef, signal: AbortSignal): Promise<void> {
    const guest = this.#known(ref);
    await this.#prepare();
    await guest.starting?.catch(() => undefined);
    await guest.clearing?.catch(() => undefined);
    if (guest.process === undefined || !isAlive(guest.process)) await this.#views.open(guest, signal);
  }

  onChange(listener: GuestListener): void {
    this.#watcher.onChange(listener);
  }

  setHosts(_hosts: readonly HostSpec[]): void {
    // There is none but this machine.
  }

  hostStatus(address: string): HostStatus {
    return address === '' ? { state: 'up', why: '' } : { state: 'unreachable', why: notThisMachine(address).message };
  }

  async hostReport(address: string, _signal: AbortSignal): Promise<HostReport> {
    if (address !== '') throw notThisMachine(address);
    return machineReport();
  }

  onHostChange(_listener: HostListener): void {
    // This machine is up as long as this process runs.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher[Symbol.dispose]();
    await this.#launcher[Symbol.asyncDispose]();
    await this.#layer[Symbol.asyncDispose]();
    for (const { network } of this.#guests.values()) network[Symbol.dispose]();
    this.#records[Symbol.dispose]();
    await this.#fabric[Symbol.asyncDispose]();
  }

  get #devDirectory(): string {
    return `${this.#context.runDir}/dev`;
  }

  /** Empty: what a guest has mounted here, it alone sees. */
  get #privateDirectory(): string {
    return `${this.#context.runDir}/private`;
  }

  /** Makes, once, what all guests share. */
  #prepare(): Promise<void> {
    this.#prepared ??= (async () => {
      checkPrograms();
      await mkdir(this.#context.runDir, { recursive: true, mode: 0o700 });
      await mkdir(this.#privateDirectory, { recursive: true, mode: 0o700 });
      this.#records.make();
      await makeDeviceDirectory(this.#devDirectory);
      this.#watcher.start();
    })().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #launch(guest: Guest, spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const machineLayer = await this.#layer.path();
    const files = privateFiles(spec, machineLayer);
    const { process, run } = await launch(spec, {
      mountId: this.#context.mountId,
      launcher: this.#launcher,
      cgroupFiles: this.#cgroups.joinFiles(spec.id),
      devDirectory: this.#devDirectory,
      privateDirectory: this.#privateDirectory,
      machineLayer,
      files,
      fabricPath: spec.ports.length === 0 ? undefined : this.#fabric.netnsPath,
      bridges: await this.#ensureBridges(spec.ports),
      signal,
    });
    guest.process = process;
    if (spec.guarded === true) guest.network.take(process);
    for (const port of spec.ports.filter(isShaped)) await shapePort(process, this.#fabric, port, signal);
    await this.#fabric.prepare(spec.ports);
    if (spec.guarded !== true) {
      await this.#fabric.greet(spec.ports.filter(isOpenAtOnce));
      await this.#fabric.open(spec.ports.filter((port) => !isOpenAtOnce(port)));
    }
    guest.started(spec, files.files);
    await run();
  }

  async #ensureBridges(ports: readonly PortSpec[]): Promise<ReadonlyMap<string, number>> {
    if (ports.length > 0) await this.#fabric.ensure();
    const bridges = new Map<string, number>();
    for (const { segment } of ports) if (segment !== undefined) bridges.set(segment.id, await this.#fabric.ensureSegment(segment));
    return bridges;
  }

  async #undoStart(guest: Guest, spec: GuestSpec): Promise<void> {
    if (guest.process !== undefined) await this.#kill(guest);
    guest.process = undefined;
    this.#cgroups.kill(spec.id);
    await this.#fabric.removePorts(spec.ports.map(({ id }) => id)).catch(() => undefined);
    guest.network[Symbol.dispose]();
    await this.#cgroups.remove(spec.id).catch(() => undefined);
  }

  async #kill(guest: Guest): Promise<void> {
    if (guest.process === undefined) return;
    signalProcess(guest.process, 'SIGKILL');
    if (await waitUntilGone(guest.process, killTimeoutMs)) return;
    throw new NfioError('VNFStopError', {
      errno: 'ETIMEDOUT',
      message: `processes of ${guest.ref.name} do not end. See why: ps -eo pid,stat,wchan:32,args`,
    });
  }

  /** The end of a guest ends what runs in it, and keeps others from coming in: that is no result of the program's. */
  async #unlessEnded({ ref, process }: Guest & { readonly process: ProcessId }, result: ExecuteResult): Promise<ExecuteResult> {
    if (result.exitCode === 0) return result;
    const ended = hasExitCode(ref.guestDir) || !isAlive(process);
    // One that was killed itself takes a moment.
    if (!ended && !(result.exitCode === killedStatus && (await waitUntilGone(process, teardownMs)))) return result;
    throw notRunning(ref, `exited (${readExitCode(ref.guestDir)})`);
  }

  /** What the kernel does not clear by itself when a guest ends. */
  #clearAfterEnd(guest: Guest): Promise<void> {
    guest.clearing ??= this.#clear(guest).finally(() => {
      guest.clearing = undefined;
    });
    return guest.clearing;
  }

  /** What is left of a guarded guest while it ends passes on nothing. */
  async #closePorts(guest: Guest): Promise<void> {
    const { guarded, ports } = guest.record;
    if (guarded !== true) return;
    await this.#fabric.close(ports);
    guest.remember({ closed: ports.filter(canOpen).map(({ id }) => id) });
  }

  async #clear(guest: Guest): Promise<void> {
    await this.#fabric.removePorts(guest.record.ports.map(({ id }) => id));
    guest.network[Symbol.dispose]();
    await this.#cgroups.remove(guest.ref.id);
  }

  #known(ref: GuestRef): Guest {
    const guest = this.#guests.get(ref.id);
    if (guest === undefined) throw notDeployed(ref);
    return guest;
  }

  #live(ref: GuestRef): Guest & { readonly process: NonNullable<Guest['process']> } {
    const guest = this.#known(ref);
    if (guest.process === undefined) throw notRunning(ref, guest.status.word);
    return guest as Guest & { readonly process: NonNullable<Guest['process']> };
  }

  #awake(ref: GuestRef): Guest & { readonly process: NonNullable<Guest['process']> } {
    const guest = this.#live(ref);
    if (guest.paused) throw paused(ref);
    return guest;
  }
}

function notThisMachine(address: string): NfioError {
  return new NfioError('HypervisorConnectionError', {
    message: `the netns hypervisor has guests on this machine only, not on ${address}. Run, in the VNF: echo > machine/ip; or name a host that has another hypervisor`,
  });
}

/** Gives a failed system call its place in the table of errors, with the errno that says why. */
function asNfioError(code: 'VNFStartError' | 'VNFDestroyError', ref: GuestRef, cause: unknown): NfioError {
  if (cause instanceof NfioError) return cause;
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  const done = code === 'VNFStartError' ? 'started' : 'destroyed';
  return new NfioError(code, { errno, message: `${ref.type}/${ref.name} could not be ${done}: ${(cause as Error).message}`, cause });
}

/** Networks of a container engine are not to be had here. */
function checkNetwork({ boot }: GuestSpec): void {
  if (boot.network === undefined) return;
  throw new NfioError('UnsupportedError', {
    message: `boot.conf: network=${boot.network} is for containers; under netns a network leads outside by its uplink`,
  });
}
