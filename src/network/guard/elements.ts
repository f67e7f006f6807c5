import { addressBytes, type Family, parseAddress, parseCidr } from '../../domain/ip.ts';
import { linkLocalIpv6 } from '../../domain/link-local.ts';
import type { PortSpec } from '../../domain/ports/network.ts';
import { fabricPortName } from '../names.ts';

/** What a set of the table holds: its key and, in a map, what that leads to. */
export interface GuardElement {
  /** One of the sets of rules.ts. */
  readonly set: string;
  /** As the kernel has it: each part begins at a multiple of four bytes. */
  readonly key: Buffer;
  readonly value?: { readonly chain: string } | { readonly mark: number } | { readonly counter: string };
}

/** IFNAMSIZ of linux/if.h */
const interfaceNameBytes = 16;
const families = [4, 6] as const;

/** All that the rules must know of a port: who it is, what it may do, and which addresses no other port of its network may claim. Pure. */
export function elementsOf(port: PortSpec): GuardElement[] {
  const { segment } = port;
  if (segment === undefined) return [];
  const own = port.addresses.map(parseCidr);
  const reserved = [...own, ...(port.guard?.gateways ?? []).map(parseAddress)];
  const taken = reserved.map((address): GuardElement => {
    return { set: `taken${address.family}`, key: Buffer.concat([markBytes(segment.id), addressBytes(address)]) };
  });
  return [...taken, ...guardElements(port, segment.id, new Set(own.map(({ family }) => family)))];
}

function guardElements(port: PortSpec, segment: string, versions: ReadonlySet<Family>): GuardElement[] {
  if (port.guard === undefined) return [];
  const name = fabricPortName(port.id);
  const from = (set: string, ...parts: readonly Uint8Array[]): GuardElement => ({ set, key: Buffer.concat([nameBytes(name), ...parts]) });
  const addresses = [...port.addresses.map(parseCidr), parseAddress(linkLocalIpv6(port.mac))];
  const loose = families.filter((family) => !versions.has(family)).map((family) => from(`loose${family}`));
  const mark = { mark: markOf(segment) };
  return [
    { ...from('drops'), value: { counter: name } },
    from('macs', macBytes(port.mac)),
    ...addresses.map((address) => from(`ipv${address.family}`, addressBytes(address))),
    ...loose,
    ...(loose.length > 0 || port.guard.forwards ? [{ ...from('segments'), value: mark }] : []),
    ...(port.guard.trusted ? [from('trusted')] : []),
    // Last: once a frame of the port is looked at, all is there to look it up in.
    { ...from('kinds'), value: { chain: port.guard.forwards ? 'forwarder' : 'host' } },
  ];
}

/** The text that tells an element from all others. */
export function identityOf({ set, key, value }: GuardElement): string {
  return `${set} ${key.toString('hex')} ${value === undefined ? '' : JSON.stringify(value)}`;
}

/** Segments are told apart by the serials of their networks. */
function markOf(segment: string): number {
  return Number.parseInt(segment, 36) >>> 0;
}

function markBytes(segment: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(markOf(segment));
  return bytes;
}

function nameBytes(name: string): Buffer {
  return Buffer.concat([Buffer.from(name)], interfaceNameBytes);
}

function macBytes(mac: string): Buffer {
  return Buffer.concat([Buffer.from(mac.replaceAll(':', ''), 'hex')], 8);
}
