import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { guestInterfaceName } from '../../domain/guest-interface.ts';
import type { CounterSource, GuestRef, GuestSpec, GuestStatus } from '../../domain/ports/hypervisor.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { canOpen, fabricPortName, type ProcessId } from '../../network/index.ts';
import { ConfigCopy } from './config-copy.ts';
import { guestStatusOf, isActive } from './domain-state.ts';
import { type GuestRecord, logFile, writeRecord } from './guest-files.ts';
import { endOfMain } from './guest-setup.ts';
import type { HostLink } from './host-link.ts';
import type { DomainName, DomainState } from './rpc/procedures.ts';

/** As much of the end of a console as says how the main process ended. Bytes. */
const endOfLogBytes = 4096;

const neverRan: GuestRecord = { begun: false, spec: undefined, vcpus: 1, memoryBytes: 0 };

/** One guest as the driver knows it. */
export class Guest {
  readonly ref: GuestRef;
  readonly domain: DomainName;
  readonly link: HostLink;
  readonly config = new ConfigCopy();
  /** What libvirt last said; undefined: it does not know the domain, or could not be asked. */
  state: DomainState | undefined;
  /** False while the daemon cannot be asked. */
  known = true;
  /** The verb that is changing it now: what happens meanwhile is not news. */
  verb: string | undefined;
  /** A start waits for its agent. */
  booting = false;
  /** Its QEMU, where that is a process of this machine. */
  process: ProcessId | undefined;
  counters: Extract<CounterSource, { kind: 'procfs' }> | undefined;
  /** How long after its start its agent may take to answer; emulated guests on a busy machine need a while. */
  agentTimeoutMs = 90_000;
  /** When it was started here. */
  startedMs = 0;
  /** libvirt's own description of it. */
  description: string | undefined;
  /** Its agent went away, and who told it what it had to do has not heard yet that it is back. */
  wentAway = false;
  /** Settles when its agent has set it up. */
  ready: Promise<void> | undefined;
  #record: GuestRecord;
  #exitCode: number | undefined;
  #told: { readonly status: string; readonly pid: number | undefined; readonly counters: string | undefined } | undefined;

  constructor(ref: GuestRef, where: { readonly link: HostLink; readonly domain: DomainName }, record: GuestRecord = neverRan) {
    const { id, type, name, host, guestDir } = ref;
    this.ref = { id, type, name, host, guestDir };
    this.link = where.link;
    this.domain = where.domain;
    this.#record = record;
  }

  /** What is kept of it in its directory. */
  get record(): GuestRecord {
    return this.#record;
  }

  get ports(): readonly PortSpec[] {
    return this.#record.spec?.ports ?? [];
  }

  /** True when its ports are closed unless `openPorts` opened them. */
  get guarded(): boolean {
    return this.#record.spec?.guarded === true;
  }

  /** Ids of ports that are closed, though they are wanted up. */
  get closed(): readonly string[] {
    return this.#record.closed ?? [];
  }

  /** Notes that none of its ports is open, when it is guarded. */
  closedAll(): void {
    if (this.guarded) this.remember({ closed: this.ports.filter(canOpen).map(({ id }) => id) });
  }

  get isActive(): boolean {
    return this.state !== undefined && isActive(this.state);
  }

  /** Its state, in libvirt's words. */
  get status(): GuestStatus {
    if (!this.known) return { state: 'unknown', word: 'unknown' };
    if (this.state === undefined) return { state: 'absent', word: 'undeployed' };
    const status = guestStatusOf(this.state, this.#record.begun, this.#exitCode);
    return this.booting && status.state === 'running' ? { ...status, booting: true } : status;
  }

  /** Takes in what libvirt says. One that ended tells in its console how its main process did. */
  take(state: DomainState | undefined): void {
    const ended = this.isActive && state !== undefined && !isActive(state);
    this.known = true;
    this.state = state;
    if (this.isActive) this.#exitCode = undefined;
    else if (ended || state === undefined) this.#ended();
  }

  /** Notes that it runs as specified. */
  started(spec: GuestSpec, size: { readonly vcpus: number; readonly memoryBytes: number }): void {
    this.startedMs = performance.now();
    this.wentAway = false;
    this.ready = undefined;
    this.remember({ begun: true, spec, vcpus: size.vcpus, memoryBytes: size.memoryBytes, closed: [] });
    this.closedAll();
  }

  /** Changes part of what is kept of it. */
  remember(part: Partial<GuestRecord>): void {
    this.#record = { ...this.#record, ...part };
    writeRecord(this.ref.guestDir, this.#record);
  }

  /** Reads what a guest that had ended before we came says in its console. */
  readExit(): void {
    this.#exitCode = readEndOfMain(logFile(this.ref.guestDir));
  }

  /** Its status, when something is not as it was when this was last asked. */
  news(): GuestStatus | undefined {
    const before = this.#told;
    const { status, process } = this;
    const now = { status: `${status.word} ${status.exitCode}`, pid: process?.pid, counters: this.counters?.netDevPath };
    this.#told = now;
    if (before?.pid !== undefined && now.pid !== undefined && before.pid !== now.pid) return { ...status, news: 'anew' };
    if (before?.status !== now.status || before.pid !== now.pid) return status;
    return before.counters === now.counters ? undefined : { ...status, news: 'counters' };
  }

  /** The tap of each interface. */
  get farEnds(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.ports.map((port) => [guestInterfaceName(port), fabricPortName(port.id)]));
  }

  #ended(): void {
    this.process = undefined;
    this.counters = undefined;
    this.ready = undefined;
    this.readExit();
  }
}

function readEndOfMain(path: string): number | undefined {
  try {
    const file = openSync(path, 'r');
    try {
      const end = Buffer.alloc(endOfLogBytes);
      const length = readSync(file, end, 0, endOfLogBytes, Math.max(0, fstatSync(file).size - endOfLogBytes));
      const said = endOfMain.exec(end.toString('latin1', 0, length))?.[1];
      return said === undefined ? undefined : Number(said) & 0xff;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined; // it said nothing, or what it said cannot be told now: its status is shown without
  }
}
