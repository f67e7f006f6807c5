/** Numbers of linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h and linux/netlink.h. */
export const RtnetlinkType = { newLink: 16, newAddress: 20, newRoute: 24 } as const;
export const RtnetlinkFlag = { request: 1, acknowledge: 4, replace: 0x100, exclusive: 0x200, create: 0x400 } as const;

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

/** struct ifinfomsg. `up`: true and false set the state, undefined leaves it. */
export function linkBody(link: { readonly index: number; readonly up: boolean | undefined }): Buffer {
  const body = Buffer.alloc(16);
  body.writeInt32LE(link.index, 4);
  body.writeUInt32LE(link.up === true ? 1 : 0, 8); // IFF_UP
  body.writeUInt32LE(link.up === undefined ? 0 : 1, 12);
  return body;
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
