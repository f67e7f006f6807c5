import type { Guest } from './guest.ts';
import { procedures } from './rpc/procedures.ts';

/** virDomainInterfaceAddressesSource, in the order of how much they are to be believed. */
const agent = 1;
const lease = 0;
const neighbours = 2;

/**
 * First IPv4, else IPv6 address of a guest: of its ports as configured, else (it may configure itself) as its agent says, as libvirt's
 * DHCP server gave it, as the machine's neighbour table has it.
 */
export async function findGuestAddress({ link, domain, ports }: Guest, signal: AbortSignal): Promise<string> {
  const configured = ports.flatMap(({ addresses }) => addresses.map((address) => address.split('/')[0] ?? ''));
  if (configured.length > 0) return first(configured);
  for (const source of [agent, lease, neighbours]) {
    // A source that there is not, or that does not answer, is an error here.
    const found = await link.call(procedures.domainInterfaceAddresses, [domain, source], signal).catch(() => []);
    const addresses = found.filter(({ name }) => name !== 'lo').flatMap((each) => each.addresses);
    const usable = addresses.filter((address) => !/^fe[89ab]/i.test(address));
    if (usable.length > 0) return first(usable);
  }
  return '';
}

function first(addresses: readonly string[]): string {
  return addresses.find((address) => !address.includes(':')) ?? addresses[0] ?? '';
}
