import { NfioError } from '../../../errors/index.ts';
import { Connection, type ConnectionListener } from './connection.ts';
import { LibvirtError } from './libvirt-error.ts';
import { procedures } from './procedures.ts';
import { openTransport } from './transport.ts';
import type { LibvirtUri } from './uri.ts';

/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE */
const keepaliveFeature = 10;
/** VIR_DOMAIN_EVENT_ID_LIFECYCLE and _AGENT_LIFECYCLE. */
const events = [0, 18] as const;
const authNone = 0;

const openTimeoutMs = 20_000;

/**
 * Connects to a daemon, opens what the URI names there, and subscribes to the life of its domains and of their agents.
 *
 * @throws HypervisorConnectionError that says why not.
 */
export async function openConnection(uri: LibvirtUri, certificates: string, listener: ConnectionListener): Promise<Connection> {
  const connection = new Connection(await openTransport(uri, certificates), listener);
  const signal = AbortSignal.timeout(openTimeoutMs);
  try {
    const ways = await connection.call(procedures.authList, [], signal);
    if (!ways.includes(authNone)) throw new NfioError('HypervisorConnectionError', { errno: 'EACCES', message: wantsPassword(uri) });
    if (await connection.call(procedures.connectSupportsFeature, [keepaliveFeature], signal)) connection.startKeepalive();
    await connection.call(procedures.connectOpen, [uri.name, 0], signal);
    for (const event of events) await subscribe(connection, event, signal);
    return connection;
  } catch (error) {
    connection[Symbol.dispose]();
    throw asConnectionError(uri, error);
  }
}

/** The test driver has no agents, and says so. */
async function subscribe(connection: Connection, event: number, signal: AbortSignal): Promise<void> {
  await connection.call(procedures.connectDomainEventCallbackRegisterAny, [event], signal);
}

function asConnectionError(uri: LibvirtUri, error: unknown): NfioError {
  if (error instanceof NfioError && error.code !== 'InterruptedError') return error;
  const why = error instanceof LibvirtError ? error.message : `no answer in ${openTimeoutMs / 1000} s`;
  return new NfioError('HypervisorConnectionError', { message: `libvirt cannot open ${uri.name}: ${why}`, cause: error });
}

function wantsPassword(uri: LibvirtUri): string {
  return `libvirt on ${uri.host || 'this machine'} wants a password (SASL or polkit): nf.io connects as root over its socket, over ssh, or with a TLS certificate`;
}
