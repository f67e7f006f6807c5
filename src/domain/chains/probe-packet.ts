import { parseAddress } from '../ip.ts';
import type { Direction, ProbeMark } from '../ports/steering.ts';
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
  readonly ingressAddress: string;
  readonly egressAddress: string;
  /** Port at the near end, or the identifier of an echo. */
  readonly number: number;
  readonly identification: number;
}

const protocolNumbers = { icmp: 1, tcp: 6, udp: 17 } as const;

/** Bytes behind the IP header: TCP with its time stamps (RFC 7323), UDP and ICMP with 24 of payload. */
const ipBytes = 20;
const bodyBytes = 32;

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
export function probeMark({ identification }: ProbePair): ProbeMark {
  return { identification, length: ipBytes + bodyBytes };
}

/**
 * A whole IPv4 packet: a connection's first packet and its answer, or later ones of both; a datagram and its answer, or a ping and its answer. Its last four bytes are its
 * number.
 */
export function probePacket(
  shape: ProbeShape,
  pair: ProbePair,
  packet: { readonly direction: Direction; readonly number: number },
): Uint8Array {
  const forward = packet.direction === 'forward';
  const bytes = Buffer.alloc(ipBytes + bodyBytes);
  const [from, to] = forward ? [pair.ingressAddress, pair.egressAddress] : [pair.egressAddress, pair.ingressAddress];
  bytes.writeUInt8(0x45, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt16BE(pair.identification, 4);
  bytes.writeUInt8(64, 8);
  bytes.writeUInt8(protocolNumbers[shape.protocol], 9);
  bytes.writeUInt32BE(Number(parseAddress(from).address), 12);
  bytes.writeUInt32BE(Number(parseAddress(to).address), 16);
  bytes.writeUInt16BE(checksum(bytes.subarray(0, ipBytes)), 10);
  const body = bytes.subarray(ipBytes);
  body.writeUInt32BE(packet.number, bodyBytes - 4);
  if (shape.protocol === 'icmp') fillEcho(body, pair, forward);
  else fillTransport(body, { shape, pair, forward });
  const sum = shape.protocol === 'icmp' ? checksum(body) : checksum(Buffer.concat([pseudoHeader(bytes), body]));
  // For UDP 0 means that there is none (RFC 768).
  body.writeUInt16BE(sum === 0 ? 0xffff : sum, { icmp: 2, tcp: 16, udp: 6 }[shape.protocol]);
  return bytes;
}

function fillEcho(body: Buffer, { number }: ProbePair, forward: boolean): void {
  body.writeUInt8(forward ? 8 : 0, 0);
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

function pseudoHeader(packet: Buffer): Buffer {
  const header = Buffer.alloc(12);
  packet.copy(header, 0, 12, 20);
  header.writeUInt8(packet.readUInt8(9), 9);
  header.writeUInt16BE(bodyBytes, 10);
  return header;
}

/** The Internet checksum (RFC 1071); its own field is 0 meanwhile. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < bytes.length; offset += 2) sum += bytes.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
