import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Passes TCP connections of this machine on to a Unix socket: what stands there is then a machine away, and its network can fail. */
export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #frozen = false;

  private constructor(path: string) {
    this.#server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ path, allowHalfOpen: true });
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => this.#end(near, far));
        if (this.#frozen) socket.pause();
      }
      if (!this.#frozen) near.pipe(far).pipe(near);
    });
  }

  static async start(path: string): Promise<Relay> {
    const relay = new Relay(path);
    await new Promise<void>((resolve, reject) => relay.#server.once('error', reject).listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on connections are accepted, and nothing comes through any. */
  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Ends what is frozen; new connections pass. */
  thaw(): void {
    this.#frozen = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #end(near: Socket, far: Socket): void {
    for (const socket of [near, far]) {
      socket.destroy();
      this.#sockets.delete(socket);
    }
  }
}
