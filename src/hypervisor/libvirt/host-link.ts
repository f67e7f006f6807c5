import { setTimeout as sleep } from 'node:timers/promises';
import type { HostStatus } from '../../domain/ports/hypervisor.ts';
import type { Connection } from './rpc/connection.ts';
import { openConnection } from './rpc/open.ts';
import type { DomainEvent, Procedure } from './rpc/procedures.ts';
import type { LibvirtUri } from './rpc/uri.ts';

const firstPauseMs = 250;
const longestPauseMs = 10_000;

/** Told of what happens at a daemon. */
export interface LinkListener {
  /** The connection stands (again): what was learned before may be out of date. Awaited before calls go through. */
  readonly onUp: (link: HostLink, connection: Connection) => Promise<void>;
  readonly onEvent: (link: HostLink, event: DomainEvent) => void;
  readonly onStatus: (link: HostLink) => void;
}

/**
 * The way to one libvirt daemon. It connects when first asked for something; once `keep` was called a lost connection is made again, at
 * growing intervals, for as long as this object lives.
 */
export class HostLink implements Disposable {
  /** As users wrote it; empty: this machine. */
  readonly address: string;
  readonly uri: LibvirtUri;
  readonly #certificates: string;
  readonly #listener: LinkListener;
  readonly #ended = new AbortController();
  #connecting: Promise<Connection> | undefined;
  #status: HostStatus = { state: 'unknown', why: '' };
  #kept = false;
  #retrying = false;

  constructor(address: string, how: { readonly uri: LibvirtUri; readonly certificates: string; readonly listener: LinkListener }) {
    this.address = address;
    this.uri = how.uri;
    this.#certificates = how.certificates;
    this.#listener = how.listener;
  }

  get status(): HostStatus {
    return this.#status;
  }

  /** True for a daemon of this machine, whose files and processes are at hand. */
  get isLocal(): boolean {
    return this.uri.transport === 'unix';
  }

  /** Connects now if need be, and again whenever the connection is lost. */
  keep(): void {
    this.#kept = true;
    if (this.#connecting === undefined) void this.#retry(0);
  }

  /**
   * Calls a procedure of the daemon.
   *
   * @throws HypervisorConnectionError when it cannot be reached, LibvirtError as it reports, InterruptedError.
   */
  async call<Arguments extends readonly unknown[], Result>(
    procedure: Procedure<Arguments, Result>,
    args: Arguments,
    signal: AbortSignal,
  ): Promise<Result> {
    const connection = await this.#connect();
    return await connection.call(procedure, args, signal);
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
    void this.#connecting?.then((connection) => connection[Symbol.dispose]()).catch(() => undefined);
  }

  #connect(): Promise<Connection> {
    this.#connecting ??= this.#open().catch((error: Error) => {
      this.#connecting = undefined;
      this.#setStatus({ state: 'unreachable', why: error.message });
      if (this.#kept) void this.#retry(firstPauseMs);
      throw error;
    });
    return this.#connecting;
  }

  async #open(): Promise<Connection> {
    const connection = await openConnection(this.uri, this.#certificates, {
      onEvent: (event) => this.#listener.onEvent(this, event),
      onClose: (why) => this.#lost(why),
    });
    if (this.#ended.signal.aborted) connection[Symbol.dispose]();
    await this.#listener.onUp(this, connection);
    this.#setStatus({ state: 'up', why: '' });
    return connection;
  }

  #lost(why: string): void {
    this.#connecting = undefined;
    if (this.#ended.signal.aborted) return;
    this.#setStatus({ state: 'unreachable', why: `the connection to libvirt was lost: ${why}` });
    if (this.#kept) void this.#retry(firstPauseMs);
  }

  /** Tries until it works, with pauses that double. */
  async #retry(firstMs: number): Promise<void> {
    if (this.#retrying) return;
    this.#retrying = true;
    try {
      for (let pauseMs = firstMs; !this.#ended.signal.aborted; pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, pauseMs * 2))) {
        if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: this.#ended.signal, ref: false });
        if (
          await this.#connect().then(
            () => true,
            () => false,
          )
        )
          return;
      }
    } catch {
      // closed while it paused
    } finally {
      this.#retrying = false;
    }
  }

  #setStatus(status: HostStatus): void {
    const changed = status.state !== this.#status.state;
    this.#status = status;
    if (changed && !this.#ended.signal.aborted) this.#listener.onStatus(this);
  }
}
