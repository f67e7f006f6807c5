import { isIPv6 } from 'node:net';
import { NfioError } from '../../../errors/index.ts';

/** Where Docker's packages put the socket of this machine's engine. */
export const defaultSocket = '/var/run/docker.sock';

/** Ports of Docker's own convention. */
const tlsPort = 2376;
const plainPort = 2375;

/** How an engine is reached. */
export type EngineAddress =
  | { readonly kind: 'unix'; readonly path: string }
  /** TLS where there are certificates for it, else plain, if that is allowed. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'plain'; readonly host: string; readonly port: number }
  | { readonly kind: 'ssh'; readonly user: string; readonly host: string; readonly port: number | undefined };

/**
 * Reads an address: `unix:///path`, `tcp://host[:port]`, `ssh://[user@]host[:port]` or `host[:port]`; empty, `localhost` and 127.0.0.1 mean
 * this machine's engine. The environment (DOCKER_HOST) is not asked: a mount means the same to everybody.
 *
 * @param socket of this machine's engine.
 * @throws InvalidValueError (EINVAL) for anything else.
 */
export function parseEngineAddress(text: string, socket: string = defaultSocket): EngineAddress {
  if (['', 'localhost', '127.0.0.1', '::1'].includes(text)) return { kind: 'unix', path: socket };
  const [, scheme = '', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(text) ?? [];
  if (scheme === 'unix' && /^\/[^\0]+$/.test(rest)) return { kind: 'unix', path: rest };
  const place = /^(?:([A-Za-z0-9_][\w.-]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?\/?$/.exec(rest);
  const user = place?.[1] ?? '';
  const host = (place?.[2] ?? '').replace(/^\[(.*)\]$/, '$1');
  const port = place?.[3] === undefined ? undefined : Number(place[3]);
  const isPlace = host !== '' && port !== 0 && (port ?? 1) < 65_536 && (isIPv6(host) || !host.includes(':'));
  if (isPlace && scheme === 'ssh') return { kind: 'ssh', user, host, port };
  if (isPlace && user === '' && scheme === 'tcp') return { kind: 'tcp', host, port: port ?? tlsPort };
  if (isPlace && user === '' && scheme === '') return { kind: 'plain', host, port: port ?? plainPort };
  throw new NfioError('InvalidValueError', {
    message: `${JSON.stringify(text.slice(0, 80))} is not the address of a Docker Engine: it is unix:///PATH, tcp://HOST:PORT, ssh://USER@HOST or HOST:PORT`,
  });
}

/** An address as people write it. One address has one such text. */
export function formatEngineAddress(address: EngineAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  const port = address.port === undefined ? '' : `:${address.port}`;
  if (address.kind === 'ssh') return `ssh://${address.user === '' ? '' : `${address.user}@`}${host}${port}`;
  return `${address.kind === 'tcp' ? 'tcp://' : ''}${host}${port}`;
}
