import type { GuestSpec } from '../domain/ports/hypervisor.ts';
import { NfioError } from '../errors/index.ts';

/** What must be said of a guest; the rest of GuestSpec has defaults. */
export type GuestSpecOptions = Pick<GuestSpec, 'id' | 'name' | 'guestDir' | 'configDir'> & Partial<GuestSpec>;

/**
 * A guest for a driver that is used without a mount: type `guest`, this machine, owner root, no image, no limits, no ports, the driver's
 * default capabilities and no main process, unless `options` says otherwise. `guestDir` is made; `configDir` has to be there.
 *
 * @throws NfioError InvalidValueError for an id outside `[a-z0-9]{6,12}`, VNFNameIsEmptyError for an empty name.
 */
export function makeGuestSpec(options: GuestSpecOptions): GuestSpec {
  if (!/^[a-z0-9]{6,12}$/.test(options.id)) {
    throw new NfioError('InvalidValueError', { message: 'id: six to twelve lower-case letters or digits are needed' });
  }
  if (options.name === '') throw new NfioError('VNFNameIsEmptyError');
  return {
    type: 'guest',
    host: '',
    owner: 0,
    image: '',
    limits: { vcpu: undefined, memoryBytes: undefined },
    boot: { command: undefined, env: {}, capabilities: [], sysctl: {}, mounts: [], privileged: false, dns: [], network: undefined },
    command: undefined,
    ports: [],
    requires: [],
    hosts: [],
    ...options,
  };
}
