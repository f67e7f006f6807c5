import type { GuestRef, GuestSpec, GuestStatus } from '../../domain/ports/hypervisor.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { canOpen, NetworkHold, type ProcessId } from '../../network/index.ts';
import type { GuestRecord, GuestRecords } from './guest-records.ts';
import type { PrivateFile } from './guest-setup.ts';

const neverStarted: GuestRecord = { process: undefined, ports: [], privileged: false, capabilities: [] };

/** One guest as the driver knows it. */
export class Guest {
  readonly ref: GuestRef;
  /** Its init; undefined when it does not run. */
  process: ProcessId | undefined;
  paused = false;
  /** The verb that is changing it now: what happens meanwhile is not news. */
  verb: 'stop' | 'destroy' | undefined;
  /** Settles when what it left behind is cleared away, while that is going on. */
  clearing: Promise<void> | undefined;
  /** Settles when it has started, or not, while it is being started. */
  starting: Promise<void> | undefined;
  /** Shows its root while it does not run; settles when it does. */
  view: Promise<ProcessId> | undefined;
  /** The same, once it shows it. */
  viewProcess: ProcessId | undefined;
  /** Of a guarded one: outlives it until its ports are gone. */
  readonly network = new NetworkHold();
  readonly #records: GuestRecords;
  #exitCode: number | undefined;

  constructor(ref: GuestRef, records: GuestRecords) {
    const { id, type, name, host, guestDir } = ref;
    this.ref = { id, type, name, host, guestDir };
    this.#records = records;
  }

  /** What is kept of it for a later life of nf.io. */
  get record(): GuestRecord {
    return this.#records.get(this.ref.id) ?? neverStarted;
  }

  get ports(): readonly PortSpec[] {
    return this.record.ports;
  }

  /** Ids of ports that are closed. */
  get closed(): readonly string[] {
    return this.record.closed ?? [];
  }

  /** Its state, in the words users see. */
  get status(): GuestStatus {
    if (this.process !== undefined) return this.paused ? { state: 'paused', word: 'paused' } : { state: 'running', word: 'running' };
    if (this.#exitCode === undefined) return { state: 'created', word: 'created' };
    return { state: 'exited', word: 'exited', exitCode: this.#exitCode };
  }

  /** Notes that it runs as specified, with files of its own. */
  started(spec: GuestSpec, files: readonly PrivateFile[]): void {
    const { ports, boot, guarded = false } = spec;
    const closed = guarded ? ports.filter(canOpen).map(({ id }) => id) : [];
    this.#exitCode = undefined;
    this.paused = false;
    this.remember({
      process: this.process,
      ports,
      privileged: boot.privileged,
      capabilities: boot.capabilities,
      guarded,
      closed,
      files,
    });
  }

  /** Notes that its main process ended. */
  ended(exitCode: number): void {
    this.process = undefined;
    this.paused = false;
    this.#exitCode = exitCode;
  }

  /** Changes part of what is kept of it. */
  remember(part: Partial<GuestRecord>): void {
    this.#records.put(this.ref.id, { ...this.record, ...part });
  }
}
