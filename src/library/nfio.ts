import { setTimeout as sleep } from 'node:timers/promises';
import { launch, type MountOptions, type MountRequest } from '../daemon/index.ts';
import { parseMountOptions } from '../daemon/mount-options.ts';
import { isAlive } from '../daemon/process-alive.ts';
import type { HypervisorName } from '../domain/ports/hypervisor.ts';
import { errnoName, NfioError } from '../errors/index.ts';
import { FuseMountError, isMounted, unmount } from '../fuse/index.ts';
import { VnfsOperations } from './vnfs-operations.ts';

/** How a program mounts nf.io. */
export interface NfioOptions {
  /** An empty directory. */
  readonly mountpoint: string;
  /** Directory of all persistent state; made when it is not there. Default `/var/lib/nfio`. */
  readonly root?: string | undefined;
  /** Where VNFs run, also as the original prototype spelled it (`Docker`). Default `netns`. */
  readonly hypervisor?: HypervisorName | Capitalize<HypervisorName> | undefined;
  /** Socket of this machine's Docker Engine. Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string | undefined;
  /** Whether Docker Engines may be spoken to over plain TCP. Default false. */
  readonly insecureEngines?: boolean | undefined;
  /** URI of this machine's libvirt. Default `qemu:///system`. */
  readonly libvirtUri?: string | undefined;
  /** Directory of your own middlebox modules. Default: only what is built in. */
  readonly moduleRoot?: string | undefined;
  /** What is logged to daemon.log in the root. Default `info`. */
  readonly logLevel?: MountOptions['logLevel'] | undefined;
  /** How long the kernel may keep names and attributes, milliseconds. Default 1000. */
  readonly attrTimeoutMs?: number | undefined;
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
  readonly #options: MountOptions;
  #supervisorPid: number | undefined;

  /** @throws NfioError InvalidValueError for an option that is missing, unknown, or has no value that it can have. */
  constructor(options: NfioOptions) {
    this.#options = parseMountOptions(asRequest(options), (key) => (key === 'modules' ? 'moduleRoot' : key));
    const { root, mountpoint, hypervisor, modules } = this.#options;
    this.root = root;
    this.mountpoint = mountpoint;
    this.hypervisor = hypervisor;
    this.moduleRoot = modules;
    this.vnfsOps = new VnfsOperations(mountpoint);
  }

  /** True when something is mounted there, whoever mounted it. */
  get mounted(): boolean {
    return isMounted(this.mountpoint);
  }

  /**
   * Mounts; resolves when the file system can be used. VNFs that ran when this root was last mounted are found again.
   *
   * @throws NfioError with the sentence of what failed: NotPermittedError (not root), MountError (no /dev/fuse, mountpoint not empty, root
   *   in use, …), NotFoundError (no moduleRoot), StateWriteError (no root).
   */
  async mount(): Promise<void> {
    this.#supervisorPid = (await launch(this.#options)).pid;
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

/** The options of a mount that a program's mean; what is no object is refused with them. */
function asRequest(options: NfioOptions): MountRequest {
  if (typeof options !== 'object' || options === null) return options;
  const { moduleRoot: modules, ...others } = options;
  return { ...others, modules } as MountRequest;
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
