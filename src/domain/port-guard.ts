import { addressesOf, gatewaysOf, type PlacedPort, portsOn } from './addressing.ts';
import { formatAddress, parseCidr } from './ip.ts';
import type { PortGuard } from './ports/port-guard.ts';
import type { NetworkRecord, VnfRecord } from './records.ts';

/** What tells who passes on what others send. */
export interface GuardWorld {
  /** True for a type that forwards packets between its ports. */
  forwards(type: string): boolean;
  network(name: string): NetworkRecord | undefined;
}

/** What may leave the guest by a port on a network; undefined: everything, as root decided (`spoof`). */
export function guardOf({ vnf, port }: PlacedPort, network: NetworkRecord, world: GuardWorld): PortGuard | undefined {
  if (port.settings['spoof'] === 'on') return undefined;
  return { forwards: passesOn(vnf, world), trusted: trustedOn(network).includes(`${vnf.type}/${vnf.name}`), gateways: gatewaysOf(network) };
}

/** True for a type that forwards, and for a VNF of any type that is the gateway of a network. */
function passesOn(vnf: VnfRecord, world: GuardWorld): boolean {
  const networks = new Set(vnf.ports.map(({ settings }) => settings['network'] ?? ''));
  return world.forwards(vnf.type) || [...networks].some((name) => isGateway(vnf, world.network(name)));
}

function isGateway(vnf: VnfRecord, network: NetworkRecord | undefined): boolean {
  const gateways = network === undefined ? [] : gatewaysOf(network);
  if (network === undefined || gateways.length === 0) return false;
  return portsOn(network.name, vnf).some(({ port }) => addressesOf(port).some((each) => gateways.includes(formatAddress(parseCidr(each)))));
}

/** The VNFs, as TYPE/NAME, that may answer DHCP and advertise themselves as routers on a network. */
function trustedOn({ settings }: NetworkRecord): readonly string[] {
  return (settings['trusted'] ?? '').split('\n');
}
