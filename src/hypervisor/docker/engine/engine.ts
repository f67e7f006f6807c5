import type { IncomingMessage } from 'node:http';
import { NfioError } from '../../../errors/index.ts';
import { type EngineAddress, formatEngineAddress } from './address.ts';
import type { ConnectOptions } from './connect.ts';
import { ConnectionPool } from './connection-pool.ts';
import { connectionError, EngineAnswerError } from './engine-error.ts';
import { negotiate } from './negotiate.ts';
import { readText } from './read-text.ts';
import { type EngineRequest, type Hijacked, type SendOptions, type Sent, send } from './send.ts';

const versionTimeoutMs = 5000;

/**
 * One Docker Engine, at one address, with its connections. Every call takes an AbortSignal and a time limit, and rejects with
 * EngineAnswerError when the engine says no, HypervisorConnectionError when it cannot be reached, TimeoutError (ETIMEDOUT) as
 * HypervisorConnectionError when it does not answer, InterruptedError when aborted.
 */
export class Engine implements Disposable {
  readonly address: EngineAddress;
  /** As people write it. */
  readonly name: string;
  readonly #requests: ConnectionPool;
  readonly #streams: ConnectionPool;
  #version: Promise<string> | undefined;
  #closed = false;

  constructor(address: EngineAddress, options: ConnectOptions) {
    this.address = address;
    this.name = formatEngineAddress(address);
    this.#requests = new ConnectionPool(address, options, 'requests');
    this.#streams = new ConnectionPool(address, options, 'streams');
  }

  /**
   * The API version that is spoken with it, such as `1.41`.
   *
   * @throws UnsupportedError (EOPNOTSUPP) for an engine that is too old.
   */
  version(): Promise<string> {
    this.#version ??= negotiate((request) => this.#json(request, '', AbortSignal.timeout(versionTimeoutMs * 2)), this.name).catch(
      (error: unknown) => {
        this.#version = undefined;
        throw error;
      },
    );
    return this.#version;
  }

  /** Forgets what was negotiated: the engine may be another one after its connections were lost. */
  renegotiate(): void {
    this.#version = undefined;
  }

  /** A request whose answer is read whole: JSON, or undefined where the answer is empty. */
  async json<Answer>(request: EngineRequest, signal: AbortSignal): Promise<Answer> {
    return this.#json<Answer>(request, await this.#prefix(signal), signal);
  }

  /** A request whose answer is a stream. Destroying the answer, or an abort, ends it. */
  async stream(request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { message } = await this.#send(request, { prefix: await this.#prefix(signal), pool: this.#streams, signal });
    return message;
  }

  /** A request that turns its connection into a two-way stream. */
  async hijack(request: EngineRequest, signal: AbortSignal): Promise<Hijacked> {
    const options = { prefix: await this.#prefix(signal), pool: this.#streams, signal };
    const headers = { ...request.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
    const { hijacked } = await this.#send({ ...request, headers }, options);
    if (hijacked !== undefined) return hijacked;
    throw connectionError(this.address, Object.assign(new Error('it did not give the connection away'), { code: 'EPROTO' }));
  }

  /** Ends all connections; the next request makes another. */
  disconnect(): void {
    this.#requests.destroy();
    this.#streams.destroy();
  }

  /** Ends all connections for good: requests are refused from now on (InterruptedError). */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.disconnect();
  }

  async #prefix(signal: AbortSignal): Promise<string> {
    if (signal.aborted) throw interrupted(signal);
    return `/v${await this.version()}`;
  }

  async #json<Answer>(request: EngineRequest, prefix: string, signal: AbortSignal): Promise<Answer> {
    const { message, finish } = await this.#send(request, { prefix, pool: this.#requests, signal, whole: true });
    try {
      const text = await readText(message);
      return (text === '' ? undefined : JSON.parse(text)) as Answer;
    } catch (cause) {
      if (signal.aborted) throw interrupted(signal);
      throw connectionError(this.address, cause instanceof SyntaxError ? Object.assign(cause, { code: 'EPROTO' }) : cause);
    } finally {
      finish();
      if (this.#closed) this.disconnect(); // it was being made when the others ended
    }
  }

  async #send(request: EngineRequest, options: SendOptions): Promise<Sent> {
    if (this.#closed) throw new NfioError('InterruptedError');
    try {
      return await send(request, options);
    } catch (cause) {
      if (cause instanceof EngineAnswerError) throw cause;
      if (options.signal.aborted) throw interrupted(options.signal);
      // A connection that was kept may end at the very moment it is used again.
      if ((cause as { stale?: boolean }).stale === true && request.method === 'GET')
        return await this.#send(request, { ...options, pool: this.#streams });
      throw connectionError(this.address, cause);
    }
  }
}

function interrupted(signal: AbortSignal): NfioError {
  return new NfioError('InterruptedError', { cause: signal.reason });
}
