import { addressBytes, type Cidr, type Family, formatAddress, parseCidr } from '../../domain/ip.ts';
import { linkLocalIpv6 } from '../../domain/link-local.ts';
import type { SteeredPort } from '../../domain/ports/steering.ts';

const families = [4, 6] as const;

/**
 * Rules of nft for frames from a port that service chains may take: what a guarded port sends in the name of others goes to the bridge, as all does that no service chain takes,
 * and is dropped and counted there. Pure.
 *
 * @param all The ports of its segment; it may be among them.
 */
export function withoutForged(port: SteeredPort, all: readonly SteeredPort[]): string[] {
  if (port.guard === undefined) return [];
  const { forwards } = port.guard;
  const others = all.filter(({ id }) => id !== port.id);
  return [
    `ether saddr != ${port.mac} accept`,
    ...families.flatMap((family) => {
      const [own, taken] = [addressesIn(family, [port]), addressesIn(family, others)];
      // Where nothing is known of a port, it may have any address but those of others.
      const known = own.length === 0 ? elements(claimed[family], 'in', taken) : elements(claimed[family], 'not in', own);
      const links = family === 6 ? [...own, parseCidr(`${linkLocalIpv6(port.mac)}/128`)] : own;
      const from = forwards || own.length === 0 ? elements(source[family], 'in', taken) : elements(source[family], 'not in', links);
      return [...known, ...from];
    }),
  ];
}

interface Field {
  readonly name: string;
  readonly text: (address: Cidr) => string;
}

const source: Readonly<Record<Family, Field>> = {
  4: { name: 'meta protocol ip ip saddr', text: formatAddress },
  6: { name: 'meta protocol ip6 ip6 saddr', text: formatAddress },
};

/** Where ARP and neighbour advertisements say whose an address is; nft has no name for the latter, and takes it for a number. */
const claimed: Readonly<Record<Family, Field>> = {
  4: { name: 'meta protocol arp arp saddr ip', text: formatAddress },
  6: {
    name: 'meta protocol ip6 icmpv6 type nd-neighbor-advert @th,64,128',
    text: (address) => `0x${addressBytes(address).toString('hex')}`,
  },
};

function elements({ name, text }: Field, how: 'in' | 'not in', addresses: readonly Cidr[]): string[] {
  const all = [...new Set(addresses.map(text))].join(', ');
  return all === '' ? [] : [`${name} ${how === 'in' ? '' : '!= '}{ ${all} } accept`];
}

function addressesIn(wanted: Family, ports: readonly SteeredPort[]): Cidr[] {
  return ports.flatMap(({ addresses }) => addresses.map(parseCidr)).filter(({ family }) => family === wanted);
}
