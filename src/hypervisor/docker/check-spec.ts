import { guestInterfaceName } from '../../domain/guest-interface.ts';
import type { GuestRef, GuestSpec } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { notRunning } from '../refusals.ts';
import type { EngineLink } from './engine-link.ts';

/** What Docker calls the interface of its own network. */
const dockersInterface = 'eth0';

/**
 * Checks what no engine could make, before anything is made.
 *
 * @throws VNFImageNameIsEmptyError, UnsupportedError (EOPNOTSUPP) for ports on another machine, InvalidValueError.
 */
export function checkSpec(spec: GuestSpec, link: EngineLink): void {
  const { boot, image, name, ports, type } = spec;
  if (image === '') {
    throw new NfioError('VNFImageNameIsEmptyError', {
      message: `${type}/${name} has no image. Run: echo IMAGE > nf-types/${type}/${name}/machine/vm.image (docker images lists those there are)`,
    });
  }
  if (ports.length > 0 && !link.local) throw noPorts(spec, link);
  if (boot.network !== undefined && ports.some((port) => guestInterfaceName(port) === dockersInterface)) {
    throw new NfioError('InvalidValueError', {
      message: `with network=${boot.network} in boot.conf ${dockersInterface} is Docker's: give the port ${dockersInterface} another name`,
    });
  }
  const sysctl = Object.keys(boot.sysctl).find((key) => !/^net[./][\w./-]+$/.test(key) || key.includes('..'));
  if (sysctl !== undefined) {
    throw new NfioError('UnsupportedError', {
      message: `sysctl.${sysctl.slice(0, 80)} acts on the whole machine, not on one guest: only net.* settings can be given to a guest`,
    });
  }
}

/** What is said of ports of a guest that is no process of this machine: this machine's networks do not reach there, or it has ended before it was found. */
export function noPorts(guest: GuestRef, link: EngineLink): NfioError {
  if (link.local) return notRunning(guest, 'exited');
  const { type, name } = guest;
  return new NfioError('UnsupportedError', {
    message: `ports are on networks of this machine, which ${link.engine.name} is not: remove the ports of ${type}/${name}; network=bridge in boot.conf gives it one of Docker's`,
  });
}
