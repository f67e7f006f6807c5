import { gatewaysOf, type PlacedPort } from './addressing.ts';
import type { PortGuard } from './ports/network.ts';
import type { NetworkRecord } from './records.ts';

/**
 * What may leave the guest by a port on a network; undefined: everything, as root decided (`spoof`).
 *
 * @param forwards The VNF passes on what others send.
 */
export function guardOf({ vnf, port }: PlacedPort, network: NetworkRecord, forwards: boolean): PortGuard | undefined {
  if (port.settings['spoof'] === 'on') return undefined;
  return { forwards, trusted: trustedOn(network).includes(`${vnf.type}/${vnf.name}`), gateways: gatewaysOf(network) };
}

/** The VNFs, as TYPE/NAME, that may answer DHCP and advertise themselves as routers on a network. */
function trustedOn({ settings }: NetworkRecord): readonly string[] {
  return (settings['trusted'] ?? '').split('\n');
}
