import { guestInterfaceName } from '../../domain/guest-interface.ts';
import { nextHops } from '../../domain/port-plan.ts';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import type { PortSpec } from '../../domain/ports/network.ts';

/** The files of a NoCloud seed, by name. They are JSON, which is YAML. */
export function cloudSeed(
  spec: GuestSpec,
  userData: string | undefined,
): Readonly<Record<'meta-data' | 'network-config' | 'user-data', string>> {
  return {
    'meta-data': JSON.stringify({ 'instance-id': `nfio-${spec.id}`, 'local-hostname': spec.name }),
    'network-config': JSON.stringify({
      version: 2,
      ethernets: Object.fromEntries(spec.ports.map((port) => [guestInterfaceName(port), ethernet(port, spec)])),
    }),
    'user-data': userData ?? '#cloud-config\n{}\n',
  };
}

/** One interface, found by its MAC address (netplan's format, version 2). */
function ethernet(port: PortSpec, { boot }: GuestSpec): object {
  const routes = nextHops(port).map((via) => ({ to: via.includes(':') ? '::/0' : '0.0.0.0/0', via }));
  return {
    match: { macaddress: port.mac },
    'set-name': guestInterfaceName(port),
    addresses: port.addresses,
    ...(port.mtu === undefined ? {} : { mtu: port.mtu }),
    ...(routes.length === 0 ? {} : { routes }),
    ...(boot.dns.length === 0 ? {} : { nameservers: { addresses: boot.dns } }),
  };
}
