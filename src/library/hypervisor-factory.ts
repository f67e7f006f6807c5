import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { runtimeDirectory } from '../daemon/options.ts';
import type { HypervisorBase } from '../domain/hypervisor-base.ts';
import type { DriverContext } from '../domain/ports/hypervisor.ts';
import type { Logger } from '../domain/ports/logger.ts';
import { NfioError } from '../errors/index.ts';
import { DockerDriver, type DockerDriverOptions } from '../hypervisor/docker/index.ts';
import { LibvirtDriver, type LibvirtDriverOptions } from '../hypervisor/libvirt/index.ts';
import { NetnsDriver } from '../hypervisor/netns/index.ts';
import { Fabric } from '../network/index.ts';

/** What a driver that no mount owns is built from. */
export interface HypervisorOptions {
  /**
   * Owner of the guests, `[a-z0-9]{8}`, part of the names of their namespaces and cgroups. Default: a random one. Give one, and keep
   * it, to find guests again (`recover`) in a later process. Never that of a mount: two drivers would manage the same guests.
   */
  readonly mountId?: string;
  /** Directory for what need not survive a reboot. Default `/run/nfio/` and the mountId. */
  readonly runDir?: string;
  /** Docker: the socket of this machine's engine. Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string;
  /** Docker: whether engines may be spoken to over plain TCP. Default false. */
  readonly insecureEngines?: boolean;
  /** Libvirt: URI of this machine's. Default `qemu:///system`. */
  readonly libvirtUri?: string;
  /** Default: silent. */
  readonly logger?: Logger;
}

const makers = {
  netns: (context: DriverContext): HypervisorBase => new NetnsDriver(context, new Fabric(context.mountId)),
  docker: (context: DockerDriverOptions): HypervisorBase => new DockerDriver(context, new Fabric(context.mountId)),
  libvirt: (context: LibvirtDriverOptions): HypervisorBase => new LibvirtDriver(context, new Fabric(context.mountId)),
} as const;

/** A hypervisor that this version has. */
export type HypervisorType = keyof typeof makers;

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Makes the one hypervisor driver of a process, and hands it out. Invariant, as in the original prototype: one instance of one
 * type. Making the same type again changes nothing; options count the first time.
 */
export class HypervisorFactory {
  static #instance: HypervisorBase | undefined;
  static #type: string | undefined;

  /**
   * @throws TypeError for a type that is not there, RangeError when the process has a driver of another type, NfioError
   *   InvalidValueError for a mountId that cannot be one.
   */
  constructor(type: HypervisorType = 'netns', options: HypervisorOptions = {}) {
    if (HypervisorFactory.#instance === undefined) {
      HypervisorFactory.#instance = make(type, options);
      HypervisorFactory.#type = type;
    } else if (HypervisorFactory.#type !== type) {
      throw new RangeError(`This process has a hypervisor of type ${HypervisorFactory.#type} already; ${type} needs a process of its own`);
    }
  }

  /**
   * The driver of this process.
   *
   * @throws Error when none was made.
   */
  static getHypervisorInstance(): HypervisorBase {
    if (HypervisorFactory.#instance !== undefined) return HypervisorFactory.#instance;
    throw new Error("There is no hypervisor yet: make one with new HypervisorFactory('netns')");
  }

  /** Lets go of the driver, so that another can be made. Its guests go on. Does nothing when there is none. */
  static async disposeHypervisorInstance(): Promise<void> {
    const instance = HypervisorFactory.#instance;
    HypervisorFactory.#instance = undefined;
    HypervisorFactory.#type = undefined;
    await instance?.[Symbol.asyncDispose]();
  }
}

function make(type: string, options: HypervisorOptions): HypervisorBase {
  if (!isHypervisorType(type)) {
    throw new TypeError(`${String(type)} is not a hypervisor of this version; there are: ${Object.keys(makers).join(', ')}`);
  }
  const mountId = options.mountId ?? randomMountId();
  if (!/^[a-z0-9]{8}$/.test(mountId)) {
    throw new NfioError('InvalidValueError', { message: 'mountId: eight lower-case letters or digits are needed' });
  }
  const { dockerSocket, insecureEngines, libvirtUri } = options;
  const engines = {
    ...(dockerSocket === undefined ? {} : { dockerSocket }),
    ...(insecureEngines === undefined ? {} : { insecureEngines }),
    ...(libvirtUri === undefined ? {} : { libvirtUri }),
  };
  return makers[type]({ ...engines, mountId, runDir: options.runDir ?? join(runtimeDirectory, mountId), logger: options.logger ?? silent });
}

function isHypervisorType(type: string): type is HypervisorType {
  return Object.hasOwn(makers, type);
}

function randomMountId(): string {
  return Array.from({ length: 8 }, () => randomInt(36).toString(36)).join('');
}
