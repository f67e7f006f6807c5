import { connect as connectSocket, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { NfioError } from '../../../errors/index.ts';
import { type EngineAddress, formatEngineAddress } from './address.ts';
import { readCertificates } from './certificates.ts';
import { SshConnection } from './ssh-connection.ts';

/** How connections to one engine are made. */
export interface ConnectOptions {
  /** Directory of ca.pem, cert.pem and key.pem, for `tcp://`; asked at each connection. */
  readonly certificates: () => string;
  /** Whether an engine may be spoken to that neither knows us nor is known by us. */
  readonly insecure: boolean;
  /** A connection that takes longer is given up. */
  readonly connectTimeoutMs: number;
}

/**
 * Opens a connection; resolves when bytes can be sent.
 *
 * @throws NotPermittedError (EPERM) for a plain one where that is not allowed, else the error of the socket, with its `code`.
 */
export async function openConnection(address: EngineAddress, options: ConnectOptions): Promise<Duplex> {
  switch (address.kind) {
    case 'unix':
      return established(connectSocket({ path: address.path }), 'connect', options);
    case 'ssh':
      return new SshConnection(address, options.connectTimeoutMs);
    case 'plain':
      return openPlain(address, options);
    case 'tcp':
      return openTcp(address, options);
  }
}

async function openTcp(address: Extract<EngineAddress, { kind: 'tcp' }>, options: ConnectOptions): Promise<Duplex> {
  const certificates = await readCertificates(options.certificates());
  if (certificates === undefined) return openPlain(address, options);
  const { host, port } = address;
  const name = isIP(host) === 0 ? { servername: host } : {};
  return established(connectTls({ host, port, ...name, ...certificates }), 'secureConnect', options);
}

function openPlain(address: Extract<EngineAddress, { kind: 'plain' | 'tcp' }>, options: ConnectOptions): Promise<Duplex> {
  if (options.insecure) return established(connectSocket({ host: address.host, port: address.port }), 'connect', options);
  const why = address.kind === 'tcp' ? `there are no certificates for it in ${options.certificates()}` : 'it has neither TLS nor ssh';
  return Promise.reject(
    new NfioError('NotPermittedError', {
      message: `nf.io does not connect to ${formatEngineAddress(address)}: ${why}, and whoever reaches such an engine is root there. Use ssh://, tcp:// with certificates, or mount with --insecure-engines`,
    }),
  );
}

function established<Connection extends Duplex>(
  connection: Connection,
  event: string,
  { connectTimeoutMs }: ConnectOptions,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      connection.destroy(Object.assign(new Error(`no connection within ${connectTimeoutMs} ms`), { code: 'ETIMEDOUT' }));
    }, connectTimeoutMs);
    connection.once('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    connection.once(event, () => {
      clearTimeout(late);
      connection.removeAllListeners('error');
      resolve(connection);
    });
  });
}
