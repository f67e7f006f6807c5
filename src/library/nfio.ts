import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MountOptions, startDaemon } from '../daemon/index.ts';
import { isAlive } from '../daemon/process-alive.ts';
import { errnoName, NfioError } from '../errors/index.ts';
import { FuseMountError, isMounted, unmount } from '../fuse/index.ts';
import { VnfsOperations } from './vnfs-operations.ts';

/** How a program mounts nf.io. */
export interface NfioOptions {
  /** An empty directory. */
  readonly mountpoint: string;
  /** Directory of all persistent state; made when it is not there. Default `/var/lib/nfio`. */
  readonly root?: string;
  /** Where VNFs run. Default `netns`. */
  readonly hypervisor?: MountOptions['hypervisor'];
  /** Socket of this machine's Docker Engine. Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string;
  /** Whether Docker Engines may be spoken to over plain TCP. Default false. */
  readonly insecureEngines?: boolean;
  /** URI of this machine's libvirt. Default `qemu:///system`. */
  readonly libvirtUri?: string;
  /** Directory of your own middlebox modules. Default: only what is built in. */
  readonly moduleRoot?: string;
  /** What is logged to daemon.log in the root. Default `info`. */
  readonly logLevel?: MountOptions['logLevel'];
  /** How long the kernel may keep names and attributes, milliseconds. Default 1000. */
  readonly attrTimeoutMs?: number;
}

const endTimeoutMs = 15_000;
const pollMs = 10;

/**
 * nf.io on a mountpoint. Making one only says how; {@link mount} mounts. Processes of its own serve the file system, so that synchronous
 * calls into it are safe, and it stays mounted when this process ends without unmounting.
 */
export class Nfio implements AsyncDisposable {
  readonly root: string;
  readonly mountpoint: string;
  readonly hypervisor: MountOptions['hypervisor'];
  readonly moduleRoot: string | undefined;
  /** The operations of the VNFs in it. */
  readonly vnfsOps: VnfsOperations;
  readonly #options: NfioOptions;
  #supervisorPid: number | undefined;

  constructor(options: NfioOptions) {
    this.root = resolve(options.root ?? '/var/lib/nfio');
    this.mountpoint = resolve(options.mountpoint);
    this.hypervisor = options.hypervisor ?? 'netns';
    this.moduleRoot = options.moduleRoot === undefined ? undefined : resolve(options.moduleRoot);
    this.vnfsOps = new VnfsOperations(this.mountpoint);
    this.#options = options;
  }

  /** True when something is mounted there, whoever mounted it. */
  get mounted(): boolean {
    return isMounted(this.mountpoint);
  }

  /**
   * Mounts; resolves when the file system can be used. VNFs that ran when this root was last mounted are found again.
   *
   * @throws NfioError MountError with the sentence of what failed: no root, no /dev/fuse, mountpoint not empty, root in use, …
   */
  async mount(): Promise<void> {
    const { attrTimeoutMs, logLevel = 'info' } = this.#options;
    const { pid } = await startDaemon({
      mountpoint: await realpath(this.mountpoint).catch(() => this.mountpoint),
      root: this.root,
      hypervisor: this.hypervisor,
      ...(this.moduleRoot === undefined ? {} : { modules: this.moduleRoot }),
      ...(attrTimeoutMs === undefined ? {} : { attrTimeoutMs }),
      logLevel,
      foreground: false,
    });
    this.#supervisorPid = pid;
  }

  /**
   * Unmounts; when this object mounted it, resolves after the processes that served it have ended. VNFs keep running.
   *
   * @throws NfioError BusyError (EBUSY) when a process uses it, MountError (EINVAL) when it is not mounted, TimeoutError.
   */
  async unmount(): Promise<void> {
    try {
      await unmount(this.mountpoint);
    } catch (cause) {
      throw cause instanceof FuseMountError ? unmountFailure(cause) : cause;
    }
    const pid = this.#supervisorPid;
    this.#supervisorPid = undefined;
    if (pid !== undefined) await waitForEnd(pid);
  }

  /** Unmounts what this object mounted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#supervisorPid !== undefined && this.mounted) await this.unmount();
  }
}

function unmountFailure(cause: FuseMountError): NfioError {
  const errno = errnoName(cause.errno) ?? 'EIO';
  return new NfioError(errno === 'EBUSY' ? 'BusyError' : 'MountError', { errno, message: cause.message, cause });
}

async function waitForEnd(pid: number): Promise<void> {
  const deadline = performance.now() + endTimeoutMs;
  while (isAlive(pid)) {
    if (performance.now() > deadline) {
      throw new NfioError('TimeoutError', { message: `unmounted, but process ${pid} has not ended; end it with: kill ${pid}` });
    }
    await sleep(pollMs);
  }
}
