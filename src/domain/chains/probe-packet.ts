import { addressBytes, type Family, formatAddress, parseAddress } from '../ip.ts';
import type { Direction, ProbeEnds, ProbeMark } from '../ports/steering.ts';
import type { MatchCondition } from './match.ts';

/** What probes look like, so that hops treat them as they treat the traffic of the service chain. */
export interface ProbeShape {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** At the far end. */
  readonly port: number;
  /** TCP: as of a connection that there has been for a while. A hop that ends connections answers the first packet of one, and passes these on. */
  readonly underWay: boolean;
}

/** Who probes say they come from, and go to; and by what they are known. */
export interface ProbePair {
  readonly family: Family;
  readonly ingressAddress: string;
  readonly egressAddress: string;
  /** Port at the near end, or the identifier of an echo. */
  readonly number: number;
  /** 16 bits. */
  readonly label: number;
}

const protocolNumbers = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

/** The length of an IPv6 header; what that says of length leaves it out. */
export const ipv6HeaderBytes = 40;
const headerBytes = { 4: 20, 6: ipv6HeaderBytes } as const;

/** Bytes behind the IP header: TCP with its time stamps (RFC 7323), UDP and ICMP with 24 of payload. */
const bodyBytes = 32;

/** Types of ICMP, of a question and its answer. */
const echo = { 4: [8, 0], 6: [128, 129] } as const;

const hopLimit = 64;

/** Ports of traffic that asks for none. */
const anyPort = 80;

/** Probes that satisfy a match as far as it can be told; pings where it says nothing of protocols. */
export function probeShape(conditions: readonly MatchCondition[], { underWay }: Pick<ProbeShape, 'underWay'>): ProbeShape {
  const first = (field: string): number | undefined => {
    const [least, most] = conditions.find((each) => each.field === field)?.ranges?.at(-1) ?? [];
    return least === undefined || most === undefined ? undefined : Math.max(least, Math.min(1, most));
  };
  const port = Math.min(first('dport') ?? anyPort, 65535);
  const number = first('l4proto');
  if (number === protocolNumbers.tcp) return { protocol: 'tcp', port, underWay };
  if (number === protocolNumbers.udp) return { protocol: 'udp', port, underWay };
  return { protocol: 'icmp', port: 0, underWay };
}

/** What all probes of a run have in common. */
export function probeMark({ family, label }: ProbePair): ProbeMark {
  return { family, label, length: headerBytes[family] + bodyBytes };
}

/**
 * A whole IP packet: a connection's first packet and its answer, or later ones of both; a datagram and its answer, or a ping and its answer. Its last four bytes are its
 * number.
 */
export function probePacket(
  shape: ProbeShape,
  pair: ProbePair,
  packet: { readonly direction: Direction; readonly number: number },
): Uint8Array {
  const forward = packet.direction === 'forward';
  const { family, label } = pair;
  const ends = forward ? [pair.ingressAddress, pair.egressAddress] : [pair.egressAddress, pair.ingressAddress];
  const addresses = Buffer.concat(ends.map((end) => addressBytes(parseAddress(end))));
  const protocol = protocolNumbers[shape.protocol === 'icmp' && family === 6 ? 'icmpv6' : shape.protocol];
  const body = Buffer.alloc(bodyBytes);
  body.writeUInt32BE(packet.number, bodyBytes - 4);
  if (shape.protocol === 'icmp') fillEcho(body, pair, forward);
  else fillTransport(body, { shape, pair, forward });
  const isSummedAlone = protocol === protocolNumbers.icmp;
  const sum = checksum(isSummedAlone ? body : Buffer.concat([addresses, pseudoHeader(protocol), body]));
  // For UDP 0 means that there is none (RFC 768).
  body.writeUInt16BE(sum === 0 ? 0xffff : sum, { icmp: 2, tcp: 16, udp: 6 }[shape.protocol]);
  const header = family === 4 ? ipv4Header(protocol, label, addresses) : ipv6Header(protocol, label, addresses);
  return Buffer.concat([header, body]);
}

/** Who a packet of such a shape, of which there are the first 48 bytes at least, is from and for. */
export function probeEnds(packet: Uint8Array): ProbeEnds {
  const bytes = Buffer.from(packet);
  const family = bytes.readUInt8(0) >> 4 === 4 ? 4 : 6;
  const [header, size] = family === 4 ? [headerBytes[4], 4] : [headerBytes[6], 16];
  const protocol = bytes.readUInt8(family === 4 ? 9 : 6);
  const address = (at: number): string =>
    formatAddress({ family, prefixLength: 8 * size, address: BigInt(`0x${bytes.subarray(at, at + size).toString('hex')}`) });
  const isPing = protocol === protocolNumbers.icmp || protocol === protocolNumbers.icmpv6;
  const [from, to] = isPing ? [4, 4] : [0, 2];
  return {
    source: address(header - 2 * size),
    sourceNumber: bytes.readUInt16BE(header + from),
    destination: address(header - size),
    destinationNumber: bytes.readUInt16BE(header + to),
  };
}

function ipv4Header(protocol: number, identification: number, addresses: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes[4]);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(headerBytes[4] + bodyBytes, 2);
  header.writeUInt16BE(identification, 4);
  header.writeUInt8(hopLimit, 8);
  header.writeUInt8(protocol, 9);
  header.set(addresses, 12);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

function ipv6Header(protocol: number, flowLabel: number, addresses: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes[6]);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(flowLabel, 2);
  header.writeUInt16BE(bodyBytes, 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(hopLimit, 7);
  header.set(addresses, 8);
  return header;
}

function fillEcho(body: Buffer, { family, number }: ProbePair, forward: boolean): void {
  body.writeUInt8(echo[family][forward ? 0 : 1], 0);
  body.writeUInt16BE(number, 4);
}

function fillTransport(
  body: Buffer,
  { shape, pair, forward }: { readonly shape: ProbeShape; readonly pair: ProbePair; readonly forward: boolean },
): void {
  const [source, destination] = forward ? [pair.number, shape.port] : [shape.port, pair.number];
  body.writeUInt16BE(source, 0);
  body.writeUInt16BE(destination, 2);
  if (shape.protocol === 'udp') {
    body.writeUInt16BE(bodyBytes, 4);
    return;
  }
  body.writeUInt32BE(forward ? 1000 : 5000, 4);
  const opens = forward && !shape.underWay;
  body.writeUInt32BE(opens ? 0 : forward ? 5000 : 1001, 8);
  body.writeUInt16BE(((bodyBytes / 4) << 12) | (opens ? 0x02 : shape.underWay ? 0x10 : 0x12), 12);
  body.writeUInt16BE(0xffff, 14);
  // Two that say nothing, and time stamps of which the second is the number.
  body.writeUInt32BE(0x0101080a, 20);
}

/** What is summed besides the body and the addresses (RFC 9293, RFC 8200): the same sum for both versions of IP. */
function pseudoHeader(protocol: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(protocol, 0);
  header.writeUInt16BE(bodyBytes, 2);
  return header;
}

/** The Internet checksum (RFC 1071); its own field is 0 meanwhile. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < bytes.length; offset += 2) sum += bytes.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
