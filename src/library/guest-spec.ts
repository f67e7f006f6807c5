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
  if (typeof options !== 'object' || options === null) {
    throw invalid(
      "The options of a guest are an object, such as { id: 'guest1', name: 'g', guestDir: '/var/tmp/g', configDir: '/var/tmp/c' }.",
    );
  }
  if (!/^[a-z0-9]{6,12}$/.test(options.id)) throw invalid('id is six to twelve lower-case letters or digits, such as guest1.');
  if (options.name === '') throw new NfioError('VNFNameIsEmptyError');
  for (const name of ['name', 'guestDir', 'configDir'] as const) {
    if (typeof options[name] !== 'string') throw invalid(`${name} is missing. Give it as text.`);
  }
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

function invalid(message: string): NfioError {
  return new NfioError('InvalidValueError', { message });
}
