import { guestInterfaceName } from '../domain/interface-name.ts';
import { type Cidr, parseAddress, parseCidr } from '../domain/ip.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { fabricPortName } from './names.ts';
import { fabricInterfaceIndex, guestInterfaceIndex } from './port-lines.ts';
import { type Attribute, encodeAttributes, encodeMessage, linkBody, RtnetlinkFlag, RtnetlinkType } from './rtnetlink.ts';

/** A message to rtnetlink, where it is sent, and what it does, for the sentence that tells of its failure. */
export interface LinkRequest {
  /** The namespace of the socket it is sent by. */
  readonly namespace: 'fabric' | 'guest';
  readonly what: string;
  readonly message: Buffer;
}

// linux/if_link.h, linux/veth.h
const Link = { address: 1, name: 3, mtu: 4, master: 10, info: 18, namespacePid: 19, alias: 20 } as const;
const LinkInfo = { kind: 1, data: 2 } as const;
const vethPeer = 1;
// linux/if_addr.h
const Address = { address: 1, local: 2 } as const;
const noDuplicateDetection = 2;
// linux/rtnetlink.h
const Route = { device: 4, gateway: 5 } as const;
const mainTable = 254;
const byAdministrator = 3;
const unicast = 1;
const hostScope = 254;
const families = { 4: 2, 6: 10 } as const; // AF_INET, AF_INET6

/** Brings the loopback interface of a new namespace up. */
export function loopbackRequest(): LinkRequest {
  const message = encodeMessage(RtnetlinkType.newLink, 0, { body: linkBody({ index: 1, up: true }), attributes: [] });
  return { namespace: 'guest', what: 'lo', message };
}

/**
 * What makes a port, in order: both ends, with the fabric's on its bridge; then the guest's addresses, state and default route.
 * The process that sends them is pid 1 of the guest.
 *
 * @param bridge Interface index of the segment's bridge, undefined for a port on no segment.
 */
export function newPortRequests(port: PortSpec, bridge: number | undefined): LinkRequest[] {
  const guest = (what: string, message: Buffer): LinkRequest => ({ namespace: 'guest', what: `port ${port.name}${what}`, message });
  const alias: Attribute[] = guestInterfaceName(port) === port.name ? [] : [[Link.alias, port.name]];
  const requests: LinkRequest[] = [
    { namespace: 'fabric', what: `port ${port.name}`, message: newLink(port, bridge) },
    ...port.addresses.map((address) => guest(`, address ${address}`, newAddress(port, parseCidr(address)))),
  ];
  if (port.up || alias.length > 0) {
    const body = linkBody({ index: guestInterfaceIndex(port), up: port.up ? true : undefined });
    requests.push(guest('', encodeMessage(RtnetlinkType.newLink, 0, { body, attributes: alias })));
  }
  if (port.up && port.gateway !== undefined) {
    requests.push(guest(`, default route via ${port.gateway}`, newDefaultRoute(port, parseAddress(port.gateway))));
  }
  return requests;
}

/** Made from the fabric's end, whose attributes alone may name a bridge. */
function newLink(port: PortSpec, bridge: number | undefined): Buffer {
  const mtu: Attribute[] = port.mtu === undefined ? [] : [[Link.mtu, port.mtu]];
  const mac = Buffer.from(port.mac.replaceAll(':', ''), 'hex');
  const peer: Attribute[] = [[Link.name, guestInterfaceName(port)], [Link.address, mac], ...mtu, [Link.namespacePid, 1]];
  const peerBytes = Buffer.concat([linkBody({ index: guestInterfaceIndex(port), up: undefined }), encodeAttributes(peer)]);
  const info: Attribute[] = [
    [LinkInfo.kind, 'veth'],
    [LinkInfo.data, [[vethPeer, peerBytes]]],
  ];
  const attributes: Attribute[] = [[Link.name, fabricPortName(port.id)], ...mtu, [Link.info, info]];
  if (bridge !== undefined) attributes.push([Link.master, bridge]);
  const body = linkBody({ index: fabricInterfaceIndex(port), up: port.up && (bridge !== undefined || port.steered === true) });
  return encodeMessage(RtnetlinkType.newLink, RtnetlinkFlag.create | RtnetlinkFlag.exclusive, { body, attributes });
}

/** struct ifaddrmsg */
function newAddress(port: PortSpec, cidr: Cidr): Buffer {
  const bytes = bytesOf(cidr);
  const loopback = cidr.family === 4 && bytes[0] === 127;
  const flags = cidr.family === 6 ? noDuplicateDetection : 0; // nobody else has it: the mount gave it
  const body = Buffer.alloc(8);
  body.set([families[cidr.family], cidr.prefixLength, flags, loopback ? hostScope : 0]);
  body.writeUInt32LE(guestInterfaceIndex(port), 4);
  const attributes: Attribute[] = [
    [Address.local, bytes],
    [Address.address, bytes],
  ];
  return encodeMessage(RtnetlinkType.newAddress, RtnetlinkFlag.create | RtnetlinkFlag.replace, { body, attributes });
}

/** struct rtmsg */
function newDefaultRoute(port: PortSpec, gateway: Cidr): Buffer {
  const body = Buffer.from([families[gateway.family], 0, 0, 0, mainTable, byAdministrator, 0, unicast, 0, 0, 0, 0]);
  const attributes: Attribute[] = [
    [Route.gateway, bytesOf(gateway)],
    [Route.device, guestInterfaceIndex(port)],
  ];
  return encodeMessage(RtnetlinkType.newRoute, RtnetlinkFlag.create | RtnetlinkFlag.replace, { body, attributes });
}

function bytesOf({ family, address }: Cidr): Buffer {
  return Buffer.from(address.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');
}
