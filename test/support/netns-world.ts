export { plainBoot } from './hypervisor-world.ts';

import { NetnsDriver } from '../../src/hypervisor/netns/index.ts';
import { HypervisorWorld } from './hypervisor-world.ts';

/** The embedded hypervisor on a mount of its own. */
export class NetnsWorld extends HypervisorWorld<NetnsDriver> {
  constructor(prefix = 'nfio-netns-') {
    super(prefix);
    this.driver = this.makeDriver();
  }

  protected makeDriver(): NetnsDriver {
    return new NetnsDriver(this.context, this.fabric);
  }
}

/** The reason why guests cannot be run here, or undefined. */
export function whyNoGuests(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'guests need root';
}
