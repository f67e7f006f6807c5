import { addressBytes, type Cidr, type Family, parseAddress, parseCidr } from '../../domain/ip.ts';
import { linkLocalIpv6 } from '../../domain/link-local.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { fabricPortName } from '../names.ts';

/** What a set of the table holds: its key and, in a map, what that leads to. */
export interface GuardElement {
  /** One of the sets of rules.ts. */
  readonly set: string;
  /** As the kernel has it, in hexadecimal digits: each part begins at a multiple of four bytes. */
  readonly key: string;
  /** A mark is in the byte order of the machine. */
  readonly value?: { readonly chain: string } | { readonly mark: string } | { readonly counter: string };
}

/** IFNAMSIZ of linux/if.h */
const interfaceNameBytes = 16;
const families = [4, 6] as const;

/** All that the rules must know of a port: who it is, what it may do, and which addresses no other port of its network may claim. Pure. */
export function elementsOf(port: PortSpec): GuardElement[] {
  const { segment } = port;
  if (segment === undefined) return [];
  const mark = markOf(segment.id);
  const own = port.addresses.map(parseCidr);
  const reserved = [...own, ...(port.guard?.gateways ?? []).map(parseAddress)];
  const taken = reserved.map((address): GuardElement => ({ set: `taken${address.family}`, key: mark + digitsOf(address) }));
  return [...taken, ...guardElements(port, own, mark)];
}

function guardElements(port: PortSpec, own: readonly Cidr[], mark: string): GuardElement[] {
  if (port.guard === undefined) return [];
  const name = fabricPortName(port.id);
  const device = Buffer.from(name)
    .toString('hex')
    .padEnd(2 * interfaceNameBytes, '0');
  const from = (set: string, rest = ''): GuardElement => ({ set, key: device + rest });
  const addresses = [...own, parseAddress(linkLocalIpv6(port.mac))];
  const loose = families
    .filter((family: Family) => own.every((address) => address.family !== family))
    .map((family) => from(`loose${family}`));
  return [
    { ...from('drops'), value: { counter: name } },
    from('macs', `${port.mac.replaceAll(':', '')}0000`),
    ...addresses.map((address) => from(`ipv${address.family}`, digitsOf(address))),
    ...loose,
    ...(loose.length > 0 || port.guard.forwards ? [{ ...from('segments'), value: { mark } }] : []),
    ...(port.guard.trusted ? [from('trusted')] : []),
    // Last: once a frame of the port is looked at, all is there to look it up in.
    { ...from('kinds'), value: { chain: port.guard.forwards ? 'forwarder' : 'host' } },
  ];
}

/** The text that tells an element from all others. */
export function identityOf({ set, key, value }: GuardElement): string {
  return `${set} ${key} ${value === undefined ? '' : Object.values(value).join()}`;
}

/** Segments are told apart by the serials of their networks. */
function markOf(segment: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(Number.parseInt(segment, 36) >>> 0);
  return bytes.toString('hex');
}

function digitsOf(address: Cidr): string {
  return addressBytes(address).toString('hex');
}
