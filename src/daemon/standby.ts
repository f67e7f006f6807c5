import type { ServerProcess } from './server-process.ts';

/** A server is started so long after the one before it began to serve: clients that waited for that one come first. Milliseconds. */
const calmMs = 100;
/** One that ended while it stood by, perhaps for want of memory, is followed by another after so long, milliseconds. */
const againMs = 30_000;

/** Keeps one server standing by, loaded and idle, so that the next one need not be started when the present one dies. */
export class Standby {
  readonly #start: () => ServerProcess;
  #server: ServerProcess | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param start starts a server process. */
  constructor(start: () => ServerProcess) {
    this.#start = start;
  }

  /** A server that stands by, or else a new one, which takes longer. It is the caller's from now on. */
  take(): ServerProcess {
    clearTimeout(this.#timer);
    const server = this.#server;
    this.#server = undefined;
    return server?.isAlive ? server : this.#start();
  }

  /** Has one stand by soon. */
  prepare(afterMs = calmMs): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const server = this.#start();
      this.#server = server;
      void server.ended.then(() => {
        if (this.#server !== server) return;
        this.#server = undefined;
        this.prepare(againMs);
      });
    }, afterMs);
  }

  /** Ends it, which has nothing to lose, and resolves when it is gone. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    const server = this.#server;
    this.#server = undefined;
    server?.kill();
    await server?.ended;
  }
}
