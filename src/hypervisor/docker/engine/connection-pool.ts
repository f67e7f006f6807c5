import { Agent, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EngineAddress } from './address.ts';
import { type ConnectOptions, openConnection } from './connect.ts';

type Connected = (error: Error | null, connection?: Duplex) => void;

/** Over ssh each connection is a process here and two over there; more would make each request later and none earlier. */
const sshConnections = 8;

/** Connections to one engine, kept and used again. Of streams that last there may be any number, of short requests by ssh a few at a time. */
export class ConnectionPool extends Agent {
  readonly #address: EngineAddress;
  readonly #options: ConnectOptions;

  constructor(address: EngineAddress, options: ConnectOptions, kind: 'requests' | 'streams') {
    const few = address.kind === 'ssh' && kind === 'requests';
    super({ keepAlive: kind === 'requests', maxSockets: few ? sshConnections : Number.POSITIVE_INFINITY, maxFreeSockets: 8 });
    this.#address = address;
    this.#options = options;
  }

  override createConnection(_options: ClientRequestArgs, connected: Connected): undefined {
    openConnection(this.#address, this.#options).then(
      (connection) => connected(null, connection),
      (error: Error) => connected(error),
    );
    return undefined;
  }
}
