import { guestInterfaceName } from '../domain/interface-name.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { fabricPortName, ipLine } from './names.ts';

/** Commands that make a port, run in the guest's network namespace: its end, its addresses, and the other end in the fabric. */
export function newPortLines(port: PortSpec, fabric: string): string[] {
  const name = guestInterfaceName(port);
  const mtu = port.mtu === undefined ? [] : ['mtu', port.mtu];
  const lines = [
    ipLine(
      'link',
      'add',
      'name',
      name,
      'index',
      guestInterfaceIndex(port),
      'address',
      port.mac,
      ...mtu,
      'type',
      'veth',
      'peer',
      'name',
      fabricPortName(port.id),
      ...mtu,
      'netns',
      fabric,
    ),
  ];
  return [...lines, ...guestEndLines(port)];
}

/** Commands that give the guest's end of a new port what belongs to it. */
export function guestEndLines(port: PortSpec): string[] {
  const name = guestInterfaceName(port);
  const lines = name === port.name ? [] : [ipLine('link', 'set', 'dev', name, 'alias', port.name)];
  lines.push(...port.addresses.map((address) => addressLine('add', address, name)));
  if (port.up) lines.push(ipLine('link', 'set', 'dev', name, 'up'), ...gatewayLines('add', port));
  return lines;
}

/** Adds or removes one address. IPv6 ones are usable at once: duplicate address detection is for links nobody planned. */
export function addressLine(verb: 'add' | 'del', address: string, name: string): string {
  const nodad = verb === 'add' && address.includes(':') ? ['nodad'] : [];
  return ipLine('addr', verb === 'add' ? 'replace' : 'del', address, 'dev', name, ...nodad);
}

/** The default route by a port, or nothing. */
export function gatewayLines(verb: 'add' | 'del', port: PortSpec): string[] {
  if (port.gateway === undefined || !port.up) return [];
  return [ipLine('route', verb === 'add' ? 'replace' : 'del', 'default', 'via', port.gateway, 'dev', guestInterfaceName(port))];
}

const guestIndexes = 1_000_000;
const fabricIndexes = 1_001_000_000;

/**
 * The interface index of a port's end in its guest, one that no interface of the fabric has. Where both ends of a veth have the same number
 * Linux takes the link's coming up for nothing urgent (linkwatch_urgent_event) and the first second's packets are lost.
 */
export function guestInterfaceIndex({ id }: PortSpec): number {
  return guestIndexes + (Number.parseInt(id, 36) % (fabricIndexes - guestIndexes));
}

/** That of its end in the fabric. The kernel takes a wish for one end only where there is one for the other too. */
export function fabricInterfaceIndex({ id }: PortSpec): number {
  return fabricIndexes + (Number.parseInt(id, 36) % (fabricIndexes - guestIndexes));
}
