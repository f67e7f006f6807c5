import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../domain/ports/logger.ts';
import { cutWhenAbandoned } from '../fuse/abandoned-mount.ts';
import { FuseConnection } from '../fuse/connection.ts';
import { canResend, type Negotiated } from '../fuse/init.ts';
import { openAndMount, unmount } from '../fuse/mount.ts';
import { mountAt } from '../fuse/mount-info.ts';
import { lockRoot } from '../state/root-directory.ts';
import { readVersion } from '../version.ts';
import { createLogger } from './logger.ts';
import type { ServerMessage, SupervisorMessage } from './messages.ts';
import { removeMountRecord, writeMountRecord } from './mount-record.ts';
import type { MountOptions } from './options.ts';
import { type ServerFailure, ServerProcess } from './server-process.ts';
import { ShortLives } from './short-lives.ts';
import { Standby } from './standby.ts';
import { goLast, ignoreHangup } from './stay-alive.ts';

/** The record of a mount that could not be written is tried again after so long, milliseconds. */
const noteAgainMs = 5000;

/**
 * Keeps the descriptor of a mount, a server running on it, and another one standing by. A server that crashes or hangs is replaced; the kernel sends the new one every request
 * that was not answered, so that clients notice nothing but a pause. A kernel that cannot (before Linux 6.9) would leave those who wait for an answer
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
  readonly #lives = new ShortLives();
  readonly #standby: Standby;
  #generation = 0;
  #negotiated: Negotiated | undefined;
  #connection: FuseConnection | undefined;
  #mountId: string | undefined;
  #noteAgain: NodeJS.Timeout | undefined;
  /** Of the file system, MAJOR:MINOR. */
  #device: string;
  #stopping = false;
  /** Aborted with `#stopping`. */
  readonly #stopped = new AbortController();

  constructor(
    options: MountOptions,
    parts: { readonly fd: number; readonly lock: number; readonly logger: Logger; readonly version: string },
  ) {
    this.#options = options;
    this.#fd = parts.fd;
    this.#device = deviceAt(options.mountpoint);
    this.#lock = parts.lock;
    this.#logger = parts.logger;
    this.#version = parts.version;
    this.#standby = new Standby(() => new ServerProcess({ options, mountedMs: this.#mountedMs }, { fd: this.#fd, lock: this.#lock }));
  }

  /** Runs servers until one ends because the file system was unmounted. Resolves to the exit status. */
  async run(): Promise<number> {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void this.#stop());
    void this.#watchMount();
    for (;;) {
      const failure = await this.#serve();
      if (failure === undefined) return await this.#finish(0);
      const waitMs = this.#lives.ended();
      if (this.#negotiated === undefined || waitMs === undefined) {
        if (this.#isMounted()) await unmount(this.#options.mountpoint, { lazy: true }).catch(() => undefined);
        report({ kind: 'failed', code: failure.code, message: this.#withLog(failure) });
        this.#logger.error(failure.message);
        return await this.#finish(1);
      }
      this.#logger.error(`${failure.message}: another takes over${waitMs === 0 ? '' : ` in ${waitMs / 1000} s`}`);
      await sleep(waitMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      if (this.#stopping) return await this.#finish(0);
      if (!canResend(this.#negotiated)) await this.#mountAgain();
    }
  }

  /** Has a server serve until it has ended; undefined when that was because of an unmount. */
  async #serve(): Promise<ServerFailure | undefined> {
    const server = this.#standby.take();
    const order = { kind: 'takeOver', generation: this.#generation, negotiated: this.#negotiated } as const;
    server.takeOver(order, (message) => this.#ready(message, server.pid));
    const failure = await server.ended;
    this.#generation += 1;
    return this.#stopping ? undefined : failure;
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
    this.#device = deviceAt(this.#options.mountpoint);
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

  #ready({ mountId, negotiated, warnings }: Extract<ServerMessage, { kind: 'ready' }>, serverPid: number): void {
    this.#negotiated = negotiated;
    this.#lives.serving();
    this.#note({ mountId, serverPid });
    report({ kind: 'ready', warnings });
    // One that stands by has this connection; where the kernel cannot resend, the next one has another.
    if (canResend(negotiated)) this.#standby.prepare();
  }

  /** For other commands, which without it do not know who serves the mount. On a full disk it is tried again. */
  #note(server: { readonly mountId: string; readonly serverPid: number }): void {
    const { mountpoint, root, hypervisor, modules, dockerSocket, insecureEngines, libvirtUri } = this.#options;
    const startedAt = new Date().toISOString();
    clearTimeout(this.#noteAgain);
    this.#mountId = server.mountId;
    try {
      const own = { mountpoint, device: this.#device, root, hypervisor, supervisorPid: process.pid, startedAt, version: this.#version };
      const options = { hypervisor, modules, dockerSocket, insecureEngines, libvirtUri };
      writeMountRecord({ ...own, ...server, options });
    } catch (error) {
      this.#logger.warn(`nfio status and nfio umount will not know all of this mount: ${(error as Error).message}`);
      this.#noteAgain = setTimeout(() => this.#note(server), noteAgainMs).unref();
    }
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
    return this.#device !== '' && deviceAt(this.#options.mountpoint) === this.#device;
  }

  async #finish(status: number): Promise<number> {
    await this.#standby.end();
    if (this.#mountId !== undefined) removeMountRecord(this.#mountId);
    return status;
  }
}

/** Of what is mounted there, empty when nothing is. */
function deviceAt(mountpoint: string): string {
  return mountAt(mountpoint)?.device ?? '';
}

function report(message: SupervisorMessage): void {
  if (process.connected) process.send?.(message);
}

async function mountOn(mountpoint: string): Promise<number> {
  return (await openAndMount(mountpoint, { fsname: 'nfio', subtype: 'nfio' })).fd;
}

async function main(options: MountOptions): Promise<number> {
  ignoreHangup();
  goLast();
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
