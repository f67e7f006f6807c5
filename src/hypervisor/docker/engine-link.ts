import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostStatus } from '../../domain/ports/hypervisor.ts';
import type { Logger } from '../../domain/ports/logger.ts';
import { NfioError } from '../../errors/index.ts';
import type { EngineEvent } from './container-state.ts';
import { type Engine, jsonLines } from './engine/index.ts';
import { mountFilter } from './labels.ts';

const firstPauseMs = 250;
/** To ask a socket of this machine costs nothing. */
const longestPauseMs = { here: 500, elsewhere: 5000 };
/** An engine that does not answer that for so long is lost, although its connections stand. */
const pingIntervalMs = 5000;
const pingTimeoutMs = 10_000;
const events = ['create', 'start', 'die', 'pause', 'unpause', 'destroy', 'rename', 'oom'];

/** Who is told what happens at an engine. */
export interface LinkListener {
  /** It can be reached (again): everything may be different. The link is up once this resolves. */
  readonly resynchronise: (link: EngineLink, signal: AbortSignal) => Promise<void>;
  readonly event: (link: EngineLink, event: EngineEvent) => void;
  /** Whether it can be reached has changed. */
  readonly changed: (link: EngineLink) => void;
}

/**
 * What is known of one engine: its stream of events is followed while this is kept, and taken up again, with growing pauses, when it
 * is lost. Of a stream that begins nothing is missed: it is opened before everything is looked at.
 */
export class EngineLink implements Disposable {
  readonly engine: Engine;
  /** True for an engine whose processes and files are this machine's. */
  readonly local: boolean;
  readonly #mountId: string;
  readonly #listener: LinkListener;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #status: HostStatus = { state: 'unknown', why: '' };
  #attempt = newAttempt();
  #wake: (() => void) | undefined;
  #kept = false;
  /** True while an attempt is under way. */
  #trying = false;

  constructor(
    engine: Engine,
    options: { readonly mountId: string; readonly local: boolean; readonly listener: LinkListener; readonly logger: Logger },
  ) {
    this.engine = engine;
    this.local = options.local;
    this.#mountId = options.mountId;
    this.#listener = options.listener;
    this.#logger = options.logger;
  }

  get up(): boolean {
    return this.#status.state === 'up';
  }

  get status(): HostStatus {
    return this.#status;
  }

  /** Begins to follow the engine. Idempotent. */
  keep(): void {
    if (this.#kept) return;
    this.#kept = true;
    void this.#run();
  }

  /**
   * Resolves when the engine can be used; an attempt is made at once when it could not. One that was under way already tells how it
   * was with the engine, not how it is: when it fails another is made.
   *
   * @throws what the attempt fails with, InterruptedError.
   */
  async ready(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new NfioError('InterruptedError', { cause: signal.reason });
    if (this.up) return;
    this.keep();
    const underWay = this.#trying;
    try {
      await this.#nextAttempt(signal);
    } catch (error) {
      if (!underWay || signal.aborted || this.#closing.signal.aborted) throw error;
      await this.#nextAttempt(signal);
    }
  }

  async #nextAttempt(signal: AbortSignal): Promise<void> {
    this.#wake?.();
    const { promise } = this.#attempt;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(new NfioError('InterruptedError', { cause: signal.reason }));
      signal.addEventListener('abort', abort, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
    this.#status = { state: 'unknown', why: '' };
    this.#attempt.reject(new NfioError('InterruptedError'));
    this.engine[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.#closing.signal.aborted) {
      try {
        const stream = await this.#try();
        pauseMs = firstPauseMs;
        await this.#follow(stream);
      } catch (error) {
        this.#lost(error as Error);
      }
      await this.#pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, this.local ? longestPauseMs.here : longestPauseMs.elsewhere);
    }
  }

  async #try(): Promise<IncomingMessage> {
    this.#trying = true;
    try {
      return await this.#open();
    } finally {
      this.#trying = false;
    }
  }

  async #open(): Promise<IncomingMessage> {
    const { signal } = this.#closing;
    this.engine.renegotiate();
    const query = { filters: mountFilter(this.#mountId, { type: ['container'], event: events }) };
    const stream = await this.engine.stream({ method: 'GET', path: '/events', query, timeoutMs: 5000 }, signal);
    try {
      await this.#listener.resynchronise(this, signal);
    } catch (error) {
      stream.destroy();
      throw error;
    }
    this.#set({ state: 'up', why: '' });
    this.#attempt.resolve();
    return stream;
  }

  async #follow(stream: IncomingMessage): Promise<void> {
    const ping = setInterval(() => {
      this.engine
        .json({ method: 'HEAD', path: '/_ping', timeoutMs: pingTimeoutMs }, this.#closing.signal)
        .catch((error: Error) => stream.destroy(error));
    }, pingIntervalMs).unref();
    try {
      for await (const event of jsonLines<EngineEvent>(stream)) this.#listener.event(this, event);
      throw new NfioError('HypervisorConnectionError', {
        message: `the Docker Engine at ${this.engine.name} ended its stream of events`,
        retryable: true,
      });
    } finally {
      clearInterval(ping);
    }
  }

  #lost(error: Error): void {
    if (this.#closing.signal.aborted) return;
    const attempt = this.#attempt;
    this.#attempt = newAttempt();
    attempt.reject(error);
    const why = error instanceof NfioError ? error.message : `the Docker Engine at ${this.engine.name} was lost: ${error.message}`;
    if (this.up) this.#logger.warn(why);
    this.#set({ state: 'unreachable', why });
  }

  #set(status: HostStatus): void {
    const changed = status.state !== this.#status.state;
    this.#status = status;
    if (changed) this.#listener.changed(this);
  }

  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await sleep(ms, undefined, { ref: false, signal: AbortSignal.any([woken.signal, this.#closing.signal]) }).catch(() => undefined);
    this.#wake = undefined;
  }
}

function newAttempt(): PromiseWithResolvers<void> {
  const attempt = Promise.withResolvers<void>();
  attempt.promise.catch(() => undefined); // who waits is told; often nobody does
  return attempt;
}
