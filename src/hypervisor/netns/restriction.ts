import type { BootOptions } from '../../domain/ports/hypervisor.ts';
import { capabilityMask, guestCapabilities } from './capabilities.ts';
import { callFilter } from './seccomp/index.ts';

/**
 * What guest-restriction.pl takes: a mask of the capabilities that a guest keeps, and the system calls; both empty for a privileged one, who keeps all.
 *
 * @throws InvalidValueError (EINVAL) for a capability that Linux does not know.
 */
export function restrictionWords({
  privileged,
  capabilities,
}: Pick<BootOptions, 'privileged' | 'capabilities'>): readonly [string, string] {
  if (privileged) return ['', ''];
  const kept = guestCapabilities(capabilities);
  return [capabilityMask(kept), callFilter(kept)];
}
