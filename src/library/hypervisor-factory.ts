import { choose } from '../domain/choice.ts';
import type { HypervisorBase } from '../domain/hypervisor-base.ts';
import type { DriverContext } from '../domain/ports/hypervisor.ts';
import { DockerDriver, type DockerDriverOptions } from '../hypervisor/docker/index.ts';
import { LibvirtDriver, type LibvirtDriverOptions } from '../hypervisor/libvirt/index.ts';
import { NetnsDriver } from '../hypervisor/netns/index.ts';
import { Fabric } from '../network/index.ts';
import { type HypervisorOptions, type ParsedHypervisorOptions, parseHypervisorOptions } from './hypervisor-options.ts';

const makers = {
  netns: (context: DriverContext): HypervisorBase => new NetnsDriver(context, new Fabric(context.mountId)),
  docker: (context: DockerDriverOptions): HypervisorBase => new DockerDriver(context, new Fabric(context.mountId)),
  libvirt: (context: LibvirtDriverOptions): HypervisorBase => new LibvirtDriver(context, new Fabric(context.mountId)),
} as const;

/** A hypervisor that this version has. */
export type HypervisorType = keyof typeof makers;

/**
 * Makes the one hypervisor driver of a process, and hands it out. Invariant, as in the original prototype: one instance of one
 * type. Making the same type again changes nothing; options count the first time.
 */
export class HypervisorFactory {
  static #instance: HypervisorBase | undefined;
  static #type: string | undefined;

  /**
   * @param type in any case: the original prototype wrote `Docker` and `Libvirt`.
   * @throws TypeError for a type that is not there, RangeError when the process has a driver of another type, NfioError
   *   InvalidValueError for an option that is unknown or has no value that it can have.
   */
  constructor(type: HypervisorType | Capitalize<HypervisorType> = 'netns', options: HypervisorOptions = {}) {
    const wanted = hypervisorType(type);
    if (HypervisorFactory.#instance === undefined) {
      HypervisorFactory.#instance = make(wanted, parseHypervisorOptions(options));
      HypervisorFactory.#type = wanted;
    } else if (HypervisorFactory.#type !== wanted) {
      const has = HypervisorFactory.#type;
      throw new RangeError(
        `This process has a hypervisor of type ${has} already. Use ${wanted} in a process of its own, or first: await HypervisorFactory.disposeHypervisorInstance()`,
      );
    }
  }

  /**
   * The driver of this process.
   *
   * @throws Error when none was made.
   */
  static getHypervisorInstance(): HypervisorBase {
    if (HypervisorFactory.#instance !== undefined) return HypervisorFactory.#instance;
    throw new Error("There is no hypervisor yet. Make one: new HypervisorFactory('netns')");
  }

  /** Lets go of the driver, so that another can be made. Its guests go on. Does nothing when there is none. */
  static async disposeHypervisorInstance(): Promise<void> {
    const instance = HypervisorFactory.#instance;
    HypervisorFactory.#instance = undefined;
    HypervisorFactory.#type = undefined;
    await instance?.[Symbol.asyncDispose]();
  }
}

function hypervisorType(type: unknown): HypervisorType {
  const choices = Object.keys(makers) as HypervisorType[];
  const found = typeof type === 'string' ? choose(type, { choices }) : undefined;
  if (found !== undefined) return found;
  throw new TypeError(`${String(type)} is not a hypervisor of this version; there are: ${choices.join(', ')}`);
}

function make(type: HypervisorType, options: ParsedHypervisorOptions): HypervisorBase {
  return makers[type](options);
}
