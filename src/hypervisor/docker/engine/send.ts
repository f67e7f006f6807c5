import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { ConnectionPool } from './connection-pool.ts';
import { EngineAnswerError } from './engine-error.ts';
import { readText } from './read-text.ts';

/** A request to the Engine API. */
export interface EngineRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Below the version: `/containers/json`. Names in it are encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, a tar archive. */
  readonly upload?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** Until the answer begins, and for what is no stream until its end. Default 30 s; 0: as long as it takes. */
  readonly timeoutMs?: number;
}

/** A two-way stream that a request was turned into. */
export interface Hijacked {
  readonly connection: Duplex;
  /** What came with the answer already. */
  readonly head: Uint8Array;
}

const defaultTimeoutMs = 30_000;

/** What one request is sent with. */
export interface SendOptions {
  readonly prefix: string;
  readonly pool: ConnectionPool;
  readonly signal: AbortSignal;
  /** The time limit holds until `finish` is called. */
  readonly whole?: boolean;
}

/** An answer that has begun. */
export interface Sent {
  readonly message: IncomingMessage;
  readonly hijacked: Hijacked | undefined;
  readonly finish: () => void;
}

/**
 * Sends one request; resolves when its answer begins.
 *
 * @throws EngineAnswerError for a status of 400 or more; else what the socket fails with, `stale` where a kept connection
 *   may have ended before the request was read.
 */
export function send(request: EngineRequest, { prefix, pool, signal, whole = false }: SendOptions): Promise<Sent> {
  const { method, body, upload, timeoutMs = defaultTimeoutMs } = request;
  const content = body === undefined ? undefined : JSON.stringify(body);
  const type = upload === undefined ? 'application/json' : 'application/x-tar';
  const headers = {
    Host: 'docker',
    ...(content === undefined ? {} : { 'Content-Length': Buffer.byteLength(content) }),
    ...(content === undefined && upload === undefined ? {} : { 'Content-Type': type }),
    ...request.headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ agent: pool, method, path: `${prefix}${request.path}${queryText(request.query)}`, headers });
    const late = (): void =>
      void outgoing.destroy(Object.assign(new Error(`no answer within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' }));
    const timer = timeoutMs === 0 ? undefined : setTimeout(late, timeoutMs);
    const abort = (): void => void outgoing.destroy(new Error('aborted'));
    const finish = (): void => clearTimeout(timer);
    signal.addEventListener('abort', abort, { once: true });
    outgoing.once('close', () => {
      finish();
      signal.removeEventListener('abort', abort);
    });
    outgoing.once('error', (error) => {
      finish();
      const stale = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
      reject(Object.assign(error, { stale }));
    });
    outgoing.once('response', (message) => {
      if (!whole) finish();
      if ((message.statusCode ?? 0) < 400) resolve({ message, hijacked: undefined, finish });
      else void answerError(message).then(reject, reject);
    });
    outgoing.once('upgrade', (message, connection, head) => {
      finish();
      signal.removeEventListener('abort', abort);
      resolve({ message, hijacked: { connection, head }, finish });
    });
    if (upload === undefined) outgoing.end(content);
    else upload.on('error', (error) => outgoing.destroy(error)).pipe(outgoing);
  });
}

async function answerError(message: IncomingMessage): Promise<EngineAnswerError> {
  const text = await readText(message);
  let said = text;
  try {
    said = (JSON.parse(text) as { readonly message?: string }).message ?? text;
  } catch {
    // a proxy's answer, not the engine's
  }
  return new EngineAnswerError(message.statusCode ?? 0, said.trim().slice(0, 2000) || `HTTP status ${message.statusCode}`);
}

function queryText(query: EngineRequest['query'] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)]))).toString();
  return text === '' ? '' : `?${text}`;
}
