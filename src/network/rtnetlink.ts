import { addressBytes, type Cidr, type Family } from '../domain/ip.ts';

/** Numbers of linux/rtnetlink.h and linux/netlink.h. */
export const RtnetlinkType = {
  newLink: 16,
  deleteLink: 17,
  newAddress: 20,
  deleteAddress: 21,
  newRoute: 24,
  deleteRoute: 25,
  newNeighbour: 28,
  deleteNeighbour: 29,
  newRule: 32,
  deleteRule: 33,
} as const;
export const RtnetlinkFlag = { request: 1, acknowledge: 4, replace: 0x100, exclusive: 0x200, create: 0x400 } as const;

/** Attributes of links, of linux/if_link.h. */
export const Link = {
  address: 1,
  name: 3,
  mtu: 4,
  master: 10,
  info: 18,
  namespacePid: 19,
  alias: 20,
  sendQueues: 31,
  receiveQueues: 32,
} as const;
export const LinkInfo = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;

/** AF_INET and AF_INET6 */
export const familyNumbers = { 4: 2, 6: 10 } as const;

// linux/if_addr.h
const AddressAttribute = { address: 1, local: 2 } as const;
const noDuplicateDetection = 2;
// linux/rtnetlink.h
const RouteAttribute = { destination: 1, device: 4, gateway: 5, priority: 6, table: 15 } as const;
const byAdministrator = 3;
const RouteType = { unspecified: 0, unicast: 1, unreachable: 7 } as const;
const Scope = { universe: 0, link: 253, host: 254, nowhere: 255 } as const;
const onLink = 4;

/** The routing table that is asked by default. */
export const mainTable = 254;

const headerBytes = 16;

/** One attribute: its number, and what it holds: bytes, a 32-bit number, text with its terminator, or further attributes. */
export type Attribute = readonly [type: number, value: Uint8Array | number | string | readonly Attribute[]];

/**
 * One message to rtnetlink(7), in the byte order of the machine: struct nlmsghdr, the structure of its type, and attributes, each padded to
 * four bytes. It asks for an acknowledgement.
 *
 * @param flags Besides those every request has.
 */
export function encodeMessage(
  type: number,
  flags: number,
  content: { readonly body: Uint8Array; readonly attributes: readonly Attribute[] },
): Buffer {
  const rest = Buffer.concat([content.body, encodeAttributes(content.attributes)]);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(headerBytes + rest.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags | RtnetlinkFlag.request | RtnetlinkFlag.acknowledge, 6);
  return Buffer.concat([header, rest]);
}

/** A route: by a device, to a gateway behind it if there is one; to nowhere without a device. */
export interface RouteMessage {
  readonly family: Family;
  readonly table: number;
  /** undefined: everything. */
  readonly destination?: Cidr | undefined;
  readonly device: number | undefined;
  readonly gateway: Cidr | undefined;
  /** The gateway is on the device's link, whatever its addresses are. */
  readonly onLink?: boolean;
  readonly metric?: number | undefined;
}

/** Adds a route, in place of one to the same destination, or removes it: struct rtmsg and its attributes. */
export function routeMessage(verb: 'add' | 'remove', route: RouteMessage): Buffer {
  const { destination, device, gateway, metric } = route;
  const body = Buffer.alloc(12);
  const adds = verb === 'add';
  const type = device === undefined ? RouteType.unreachable : adds ? RouteType.unicast : RouteType.unspecified;
  const scope = !adds ? Scope.nowhere : device !== undefined && gateway === undefined ? Scope.link : Scope.universe;
  body.set([familyNumbers[route.family], destination?.prefixLength ?? 0, 0, 0, 0, adds ? byAdministrator : 0, scope, type]);
  body.writeUInt32LE(route.onLink === true && adds ? onLink : 0, 8);
  const attributes: Attribute[] = [[RouteAttribute.table, route.table]];
  if (destination !== undefined) attributes.push([RouteAttribute.destination, addressBytes(destination)]);
  if (gateway !== undefined) attributes.push([RouteAttribute.gateway, addressBytes(gateway)]);
  if (device !== undefined) attributes.push([RouteAttribute.device, device]);
  if (metric !== undefined) attributes.push([RouteAttribute.priority, metric]);
  if (!adds) return encodeMessage(RtnetlinkType.deleteRoute, 0, { body, attributes });
  return encodeMessage(RtnetlinkType.newRoute, RtnetlinkFlag.create | RtnetlinkFlag.replace, { body, attributes });
}

/** Adds an address to an interface, or removes it: struct ifaddrmsg and its attributes. */
export function addressMessage(verb: 'add' | 'remove', device: number, cidr: Cidr): Buffer {
  const bytes = addressBytes(cidr);
  const loopback = cidr.family === 4 && bytes[0] === 127;
  const flags = cidr.family === 6 ? noDuplicateDetection : 0; // nobody else has it: the mount gave it
  const body = Buffer.alloc(8);
  body.set([familyNumbers[cidr.family], cidr.prefixLength, flags, loopback ? Scope.host : 0]);
  body.writeUInt32LE(device, 4);
  const attributes: Attribute[] = [
    [AddressAttribute.local, bytes],
    [AddressAttribute.address, bytes],
  ];
  if (verb === 'remove') return encodeMessage(RtnetlinkType.deleteAddress, 0, { body, attributes });
  return encodeMessage(RtnetlinkType.newAddress, RtnetlinkFlag.create | RtnetlinkFlag.replace, { body, attributes });
}

// linux/neighbour.h
const NeighbourAttribute = { destination: 1, hardwareAddress: 2 } as const;
const neighbourState = { stale: 0x04, permanent: 0x80 } as const;

/** Gives the hardware address of somebody on a link, in place of what was known of it, or forgets it: struct ndmsg and its attributes. */
export function neighbourMessage(
  verb: 'add' | 'remove',
  neighbour: { readonly device: number; readonly address: Cidr; readonly mac: string; readonly hint?: boolean },
): Buffer {
  const { device, address, mac, hint } = neighbour;
  const body = Buffer.alloc(12);
  body.writeUInt8(familyNumbers[address.family], 0);
  body.writeInt32LE(device, 4);
  body.writeUInt16LE(hint === true ? neighbourState.stale : neighbourState.permanent, 8);
  const destination: Attribute = [NeighbourAttribute.destination, addressBytes(address)];
  if (verb === 'remove') return encodeMessage(RtnetlinkType.deleteNeighbour, 0, { body, attributes: [destination] });
  const hardware: Attribute = [NeighbourAttribute.hardwareAddress, Buffer.from(mac.replaceAll(':', ''), 'hex')];
  const flags = RtnetlinkFlag.create | RtnetlinkFlag.replace;
  return encodeMessage(RtnetlinkType.newNeighbour, flags, { body, attributes: [destination, hardware] });
}

// linux/if.h
const LinkFlag = { up: 0x1, promiscuous: 0x100 } as const;

/** struct ifinfomsg. `up` and `promiscuous`: true and false set the state, undefined leaves it. */
export function linkBody(link: { readonly index: number; readonly up: boolean | undefined; readonly promiscuous?: boolean }): Buffer {
  const flags = (value: (state: boolean | undefined) => boolean): number =>
    (value(link.up) ? LinkFlag.up : 0) | (value(link.promiscuous) ? LinkFlag.promiscuous : 0);
  const body = Buffer.alloc(16);
  body.writeInt32LE(link.index, 4);
  body.writeUInt32LE(
    flags((state) => state === true),
    8,
  );
  body.writeUInt32LE(
    flags((state) => state !== undefined),
    12,
  );
  return body;
}

/** Changes an interface that is there: its state, and these attributes. */
export function changeLinkMessage(link: Parameters<typeof linkBody>[0], attributes: readonly Attribute[] = []): Buffer {
  return encodeMessage(RtnetlinkType.newLink, 0, { body: linkBody(link), attributes });
}

/** Attributes one after the other. */
export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(attributes.map(encodeAttribute));
}

function encodeAttribute([type, value]: Attribute): Buffer {
  const bytes = encodeValue(value);
  const attribute = Buffer.alloc((4 + bytes.length + 3) & ~3);
  attribute.writeUInt16LE(4 + bytes.length, 0);
  attribute.writeUInt16LE(type, 2);
  attribute.set(bytes, 4);
  return attribute;
}

function encodeValue(value: Attribute[1]): Uint8Array {
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'number') return encodeAttributes(value);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
