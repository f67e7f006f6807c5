import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../domain/ports/logger.ts';
import { cutWhenAbandoned } from '../fuse/abandoned-mount.ts';
import { FuseConnection } from '../fuse/connection.ts';
import { canResend, type Negotiated } from '../fuse/init.ts';
import { openAndMount, unmount } from '../fuse/mount.ts';
import { mountAt } from '../fuse/mount-info.ts';
import { lockRoot } from '../state/root-directory.ts';
import { readVersion } from '../version.ts';
import { createLogger } from './logger.ts';
import type { ServerMessage, ServerStart, SupervisorMessage } from './messages.ts';
import { removeMountRecord, writeMountRecord } from './mount-record.ts';
import { daemonModule, type MountOptions } from './options.ts';
import { serverEnvironment, serverFlags } from './server-memory.ts';

/**
 * A server that ends before it serves is followed by the next after 1 s, 2 s, 4 s and so on, and so is the fifth in a row that serves for less than this. After so many in
 * a row, two minutes, the supervisor gives up: a file system that answers nothing is worse than none.
 */
const shortLifeMs = 3000;
const mostShortLives = 9;
/** Servers that served, however shortly, and are followed by the next at once. */
const freeShortLives = 4;
const firstWaitMs = 1000;
const longestWaitMs = 30_000;

/**
 * Keeps the descriptor of a mount, and a server running on it. A server that crashes is replaced; the kernel sends the new one every request that was
 * not answered, so that clients notice nothing but a pause. A kernel that cannot (before Linux 6.9) would leave those who wait for an answer
 * waiting for ever: there the connection is cut, which ends their calls with an error, and the file system is mounted again.
 * It also ends a connection that was unmounted and is kept by copies of the mount alone.
 */
class Supervisor {
  readonly #options: MountOptions;
  readonly #logger: Logger;
  #fd: number;
  /** Descriptor that locks the root. A server has it too, so that a root stays locked while one serves it, whatever becomes of its supervisor. */
  readonly #lock: number;
  readonly #version: string;
  readonly #mountedMs = Date.now();
  /** Servers in a row that ended soon after they began to serve, or before. */
  #shortLives = 0;
  /** Those of them that ended before they served. */
  #unserved = 0;
  #servingSinceMs: number | undefined;
  #generation = 0;
  #negotiated: Negotiated | undefined;
  #connection: FuseConnection | undefined;
  #mountId: string | undefined;
  #stopping = false;
  /** Aborted with `#stopping`. */
  readonly #stopped = new AbortController();

  constructor(
    options: MountOptions,
    parts: { readonly fd: number; readonly lock: number; readonly logger: Logger; readonly version: string },
  ) {
    this.#options = options;
    this.#fd = parts.fd;
    this.#lock = parts.lock;
    this.#logger = parts.logger;
    this.#version = parts.version;
  }

  /** Runs servers until one ends because the file system was unmounted. Resolves to the exit status. */
  async run(): Promise<number> {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void this.#stop());
    void this.#watchMount();
    for (;;) {
      const server = this.#startServer();
      const failure = await this.#served(server);
      if (failure === undefined) return this.#finish(0);
      this.#generation += 1;
      if (this.#negotiated === undefined || this.#isHopeless()) {
        await unmount(this.#options.mountpoint, { lazy: true }).catch(() => undefined);
        report({ kind: 'failed', code: failure.code, message: this.#withLog(failure) });
        this.#logger.error(failure.message);
        return this.#finish(1);
      }
      const waitMs = this.#waitMs();
      this.#logger.error(`${failure.message}: starting another${waitMs === 0 ? '' : ` in ${waitMs / 1000} s`}`);
      await sleep(waitMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      if (this.#stopping) return this.#finish(0);
      if (!canResend(this.#negotiated)) await this.#mountAgain();
    }
  }

  /** What was not foreseen says more in the log. */
  #withLog({ message, code }: { readonly message: string; readonly code: string | undefined }): string {
    if (code !== undefined || this.#options.foreground) return message;
    return `${message}. See why: tail ${this.#options.root}/daemon.log`;
  }

  /** Closing the last descriptor cuts the connection. */
  async #mountAgain(): Promise<void> {
    closeSync(this.#fd);
    this.#connection?.[Symbol.dispose]();
    this.#connection = undefined;
    this.#negotiated = undefined;
    await unmount(this.#options.mountpoint, { lazy: true }).catch(() => undefined);
    this.#fd = await mountOn(this.#options.mountpoint);
    void this.#watchMount();
  }

  /** Sees to it that the server ends after an unmount also when copies of the mount are left. */
  async #watchMount(): Promise<void> {
    const { mountpoint } = this.#options;
    try {
      const connection = await FuseConnection.open(mountpoint);
      this.#connection = connection;
      await cutWhenAbandoned(connection);
    } catch (error) {
      const why = (error as Error).message;
      this.#logger.warn(`${mountpoint}: after an unmount, copies in other mount namespaces will keep it served: ${why}`);
    }
  }

  #startServer(): ChildProcess {
    const start: ServerStart = {
      options: this.#options,
      mountedMs: this.#mountedMs,
      generation: this.#generation,
      negotiated: this.#negotiated,
    };
    return spawn(process.execPath, [...serverFlags, fileURLToPath(daemonModule('server')), JSON.stringify(start)], {
      env: serverEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit', this.#fd, 'ipc', this.#lock],
      // Signals of the terminal are for the supervisor, which unmounts; a server that dies of them could not.
      detached: true,
    });
  }

  /** Waits for the end of a server; undefined when it ended because of an unmount. */
  #served(server: ChildProcess): Promise<{ message: string; code: string | undefined } | undefined> {
    let failure: { message: string; code: string | undefined } | undefined;
    server.on('message', (message: ServerMessage) => {
      if (message.kind === 'failed') failure = { message: message.message, code: message.code };
      else this.#ready(message, server.pid ?? 0);
    });
    return new Promise((resolve) => {
      server.once('error', (error) => resolve({ message: error.message, code: undefined }));
      server.once('exit', (status, signal) => {
        if (status === 0 || this.#stopping) resolve(undefined);
        else resolve(failure ?? { message: `the server ended with ${signal ?? `status ${status}`}`, code: undefined });
      });
    });
  }

  #ready({ mountId, negotiated, warnings }: Extract<ServerMessage, { kind: 'ready' }>, serverPid: number): void {
    this.#negotiated = negotiated;
    this.#servingSinceMs = performance.now();
    const { mountpoint, root, hypervisor } = this.#options;
    const startedAt = new Date().toISOString();
    writeMountRecord({ mountId, mountpoint, root, hypervisor, supervisorPid: process.pid, serverPid, startedAt, version: this.#version });
    this.#mountId = mountId;
    report({ kind: 'ready', warnings });
  }

  /** Notes the end of a server; true when the next one is likely to end as soon. */
  #isHopeless(): boolean {
    const lifeMs = this.#servingSinceMs === undefined ? 0 : performance.now() - this.#servingSinceMs;
    this.#unserved = this.#servingSinceMs === undefined ? this.#unserved + 1 : 0;
    this.#shortLives = lifeMs < shortLifeMs ? this.#shortLives + 1 : 0;
    this.#servingSinceMs = undefined;
    return this.#shortLives === mostShortLives;
  }

  #waitMs(): number {
    const failures = Math.max(this.#unserved, this.#shortLives - freeShortLives);
    return failures < 1 ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - 1));
  }

  /** A signal: unmount; at once where possible, else as soon as nobody uses it any more. After an unmount: cut those off who use it still. */
  async #stop(): Promise<void> {
    const { mountpoint } = this.#options;
    const mounted = this.#isMounted();
    if (!mounted) this.#connection?.abort();
    if (this.#stopping) return;
    this.#stopping = true;
    this.#stopped.abort();
    if (mounted) await unmount(mountpoint).catch(() => unmount(mountpoint, { lazy: true }));
  }

  /** Something else may have been mounted there since. */
  #isMounted(): boolean {
    const device = mountAt(this.#options.mountpoint)?.device;
    return device !== undefined && device === (this.#connection?.device ?? device);
  }

  #finish(status: number): number {
    if (this.#mountId !== undefined) removeMountRecord(this.#mountId);
    return status;
  }
}

function report(message: SupervisorMessage): void {
  if (process.connected) process.send?.(message);
}

async function mountOn(mountpoint: string): Promise<number> {
  return (await openAndMount(mountpoint, { fsname: 'nfio', subtype: 'nfio' })).fd;
}

async function main(options: MountOptions): Promise<number> {
  const logger = createLogger(options.logLevel);
  const lock = lockRoot(options.root);
  const fd = await mountOn(options.mountpoint);
  return await new Supervisor(options, { fd, lock, logger, version: await readVersion() }).run();
}

main(JSON.parse(process.argv[2] ?? '') as MountOptions).then(
  (status) => process.exit(status),
  (error: Error) => {
    report({ kind: 'failed', message: error.message, code: (error as { code?: string }).code });
    process.exit(1);
  },
);
