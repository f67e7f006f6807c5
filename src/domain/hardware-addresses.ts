import { NfioError } from '../errors/index.ts';
import { type PlacedPort, portPath } from './addressing.ts';
import { macOf } from './port-plan.ts';
import type { NetworkRecord } from './records.ts';

/**
 * Refuses a port whose hardware address another one on its network has: switches would send the frames of both to one of them.
 *
 * @param others ports of that network that must have other addresses; the port itself may be among them.
 * @throws InvalidValueError (EADDRINUSE)
 */
export function checkMac(
  subject: PlacedPort,
  around: { readonly network: NetworkRecord; readonly others: Iterable<PlacedPort>; readonly mountId: string },
): void {
  const { network, others, mountId } = around;
  const { port } = subject;
  const mac = macOf(subject, mountId);
  for (const other of others) {
    // Derived ones are different by themselves.
    if (other.port.serial === port.serial || (port.settings['mac'] || other.port.settings['mac'] || '') === '') continue;
    if (macOf(other, mountId) !== mac) continue;
    throw new NfioError('InvalidValueError', {
      message: `${mac} is the hardware address of ${portPath(other)} on network ${network.name}: choose another`,
      errno: 'EADDRINUSE',
    });
  }
}
