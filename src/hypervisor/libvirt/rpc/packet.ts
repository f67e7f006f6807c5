import { XdrReader } from './xdr-reader.ts';
import { XdrWriter } from './xdr-writer.ts';

/** Programs of libvirt's protocol, by number (remote_protocol.x, qemu_protocol.x, virkeepaliveprotocol.x). Each is at version 1. */
export const Program = { REMOTE: 0x20008086, QEMU: 0x20008087, KEEPALIVE: 0x6b656570 } as const;

/** What a message is (virNetMessageType in virnetprotocol.x). */
export const MessageType = { CALL: 0, REPLY: 1, MESSAGE: 2 } as const;

/** How a call went (virNetMessageStatus). */
export const MessageStatus = { OK: 0, ERROR: 1 } as const;

/** What precedes the payload of every message. */
export interface Header {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  /** Of the call that a reply answers; 0 in what is no answer. */
  readonly serial: number;
  readonly status: number;
}

/** A message as it came. */
export interface Packet {
  readonly header: Header;
  readonly payload: XdrReader;
}

const version = 1;
/** Length word and header, bytes. */
const headerBytes = 28;
/** VIR_NET_MESSAGE_PAYLOAD_MAX and the header. */
const longestPacket = 33_554_408 + headerBytes;

/** A message as it goes: its length, itself included; the header; the payload. */
export function encodePacket(header: Header, payload: Uint8Array): Buffer {
  const { program, procedure, type, serial, status } = header;
  const head = new XdrWriter()
    .uint(headerBytes + payload.length)
    .uint(program)
    .uint(version)
    .int(procedure)
    .int(type)
    .uint(serial)
    .int(status);
  return Buffer.concat([head.bytes(), payload]);
}

/** Cuts a stream of bytes into messages. */
export class PacketReader {
  #chunks: Buffer[] = [];
  #length = 0;

  /** The messages that these bytes complete. @throws RangeError for a length that no message has. */
  take(chunk: Buffer): Packet[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const packets: Packet[] = [];
    for (let length = this.#nextLength(); length !== undefined && this.#length >= length; length = this.#nextLength()) {
      packets.push(decodePacket(this.#cut(length)));
    }
    return packets;
  }

  #nextLength(): number | undefined {
    if (this.#length < headerBytes) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < headerBytes) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = this.#chunks[0]?.readUInt32BE(0) ?? 0;
    if (length < headerBytes || length > longestPacket) throw new RangeError(`a message of ${length} bytes`);
    return length;
  }

  #cut(length: number): Buffer {
    const all = this.#chunks.length === 1 && this.#chunks[0] !== undefined ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const rest = all.subarray(length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return all.subarray(0, length);
  }
}

function decodePacket(bytes: Buffer): Packet {
  const reader = new XdrReader(bytes.subarray(4));
  const program = reader.uint();
  reader.uint();
  const header = { program, procedure: reader.int(), type: reader.int(), serial: reader.uint(), status: reader.int() };
  return { header, payload: reader };
}
