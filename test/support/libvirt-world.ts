import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import { LibvirtDriver, type LibvirtDriverOptions } from '../../src/hypervisor/libvirt/index.ts';
import { HypervisorWorld } from './hypervisor-world.ts';

/** libvirt on a mount of its own, with a daemon that may be shared. */
export class LibvirtWorld extends HypervisorWorld<LibvirtDriver> {
  readonly #uri: string;
  readonly #image: string;
  readonly #options: Pick<LibvirtDriverOptions, 'agentTimeoutMs'>;

  /** @param options more of the driver's. */
  constructor(uri: string, image: string, options: Pick<LibvirtDriverOptions, 'agentTimeoutMs'> = {}) {
    super('nfio-libvirt-', 300_000);
    this.#uri = uri;
    this.#image = image;
    this.#options = options;
    this.driver = this.makeDriver();
  }

  override guest(overrides: Partial<GuestSpec> = {}): GuestSpec {
    return super.guest({ image: this.#image, ...overrides });
  }

  protected makeDriver(): LibvirtDriver {
    return new LibvirtDriver({ ...this.context, ...this.#options, libvirtUri: this.#uri }, this.fabric);
  }
}
