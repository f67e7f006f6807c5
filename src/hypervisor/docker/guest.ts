import type { CounterSource, Counters, GuestRef, GuestStatus } from '../../domain/ports/hypervisor.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { canOpen, NetworkHold, type ProcessId } from '../../network/index.ts';
import type { Container } from './container-state.ts';
import type { EngineLink } from './engine-link.ts';
import { type GuestRecord, readRecord, writeRecord } from './guest-files.ts';
import type { GuestRoot } from './guest-root.ts';
import type { LogFollower } from './log-follower.ts';

const absent: GuestStatus = { state: 'absent', word: 'undeployed' };
const unknown: GuestStatus = { state: 'unknown', word: 'unknown' };

/** One guest as the driver knows it. */
export class Guest {
  readonly ref: GuestRef;
  readonly link: EngineLink;
  /** The verb that is changing it now: what happens meanwhile is not news. */
  verb: 'deploy' | 'start' | 'stop' | 'pause' | 'unpause' | 'destroy' | undefined;
  /** Its init as a process of this machine; undefined when it does not run, or not here. */
  process: ProcessId | undefined;
  root: GuestRoot | undefined;
  /** Of a guarded one with ports: outlives it until they are gone. */
  readonly network = new NetworkHold();
  log: LogFollower | undefined;
  counters: Extract<CounterSource, { kind: 'procfs' }> | undefined;
  /** What its engine, on another machine, last said that it counted. */
  counted: { readonly counters: Counters; readonly atMs: number } | undefined;
  /** What was last copied to it, where it does not see this machine's files. */
  configVersion = '';
  /** Something happened to it since it was last looked at. */
  stale = false;
  /** It is being looked at because of that. */
  looking = false;
  /** Addresses that Docker itself gave it. */
  addresses: readonly string[] = [];
  #status: GuestStatus = unknown;
  /** When its main process began, in Docker's words. */
  #startedAt = '';
  #told: { readonly text: string; readonly pid: number | undefined } | undefined;
  #record: GuestRecord;

  constructor(ref: GuestRef, link: EngineLink) {
    this.ref = { id: ref.id, type: ref.type, name: ref.name, host: ref.host, guestDir: ref.guestDir };
    this.link = link;
    this.#record = readRecord(ref.guestDir) ?? { containerId: '', ports: [], configDir: '', limits: '' };
  }

  get containerId(): string {
    return this.#record.containerId;
  }

  get ports(): readonly PortSpec[] {
    return this.#record.ports;
  }

  /** True when its ports are closed unless `openPorts` opened them. */
  get guarded(): boolean {
    return this.#record.guarded === true;
  }

  /** Ids of ports that are closed. */
  get closed(): readonly string[] {
    return this.#record.closed ?? [];
  }

  /** Notes that none of its ports is open, when it is guarded. */
  closedAll(): void {
    if (this.guarded) this.remember({ closed: this.ports.filter(canOpen).map(({ id }) => id) });
  }

  /** Its ports were made: closed, when it is guarded. */
  portsMade(): void {
    this.remember({ portsSince: this.#startedAt });
    this.closedAll();
  }

  /** True when someone started it again since its ports were made: they went with the life before. */
  get hasLostPorts(): boolean {
    const { ports, portsSince } = this.#record;
    return this.process !== undefined && ports.length > 0 && portsSince !== undefined && portsSince !== this.#startedAt;
  }

  /** Limits that its container has, as they were last sent. */
  get limits(): string {
    return this.#record.limits;
  }

  /** Its config directory on this machine. */
  get configDir(): string {
    return this.#record.configDir;
  }

  /** Its state, in Docker's own words; nobody knows it while its engine cannot be reached. */
  get status(): GuestStatus {
    return this.link.up || this.#status.progress !== undefined ? this.#status : unknown;
  }

  get runs(): boolean {
    return this.#status.state === 'running' || this.#status.state === 'paused';
  }

  get isPaused(): boolean {
    return this.#status.state === 'paused';
  }

  /** There is no container, and none under way. */
  gone(): void {
    this.#status = absent;
    this.ended();
  }

  /** It does not run (any more). */
  ended(): void {
    this.process = undefined;
    this.counters = undefined;
    this.root?.[Symbol.dispose]();
    this.root = undefined;
  }

  /** An image is being fetched for it. */
  pulling(percent: number): void {
    this.#status = { state: 'absent', word: `pulling ${percent} %`, progress: percent };
  }

  /** Takes over what its engine says. */
  take({ State: state }: Container): void {
    const { Status: word, ExitCode: exitCode } = state;
    this.#startedAt = state.StartedAt;
    if (word === 'exited' || word === 'dead') this.#status = { state: 'exited', word, exitCode };
    else if (word === 'running' || word === 'paused' || word === 'created') this.#status = { state: word, word };
    else this.#status = { state: 'unknown', word };
  }

  /** Its status, when that is not the one this was last asked for; what is known first is no news. */
  news(): GuestStatus | undefined {
    const before = this.#told;
    const { status, process } = this;
    const now = { text: `${status.word} ${status.exitCode} ${this.containerId}`, pid: process?.pid };
    this.#told = now;
    if (before === undefined || (before.text === now.text && before.pid === now.pid)) return undefined;
    return before.pid !== undefined && now.pid !== undefined && before.pid !== now.pid ? { ...status, news: 'anew' } : status;
  }

  /** Changes part of what is kept of it. */
  remember(part: Partial<GuestRecord>): void {
    this.#record = { ...this.#record, ...part };
    writeRecord(this.ref.guestDir, this.#record);
  }
}
