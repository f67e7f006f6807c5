/** `write`: bytes at an offset; `sync`: all before it are on the disk; `mark`: the test has got an answer, as its text says. */
export type RecordKind = 'write' | 'sync' | 'mark';

/** One entry of a recording. */
export interface Recorded {
  readonly kind: RecordKind;
  readonly offset: number;
  readonly data: Buffer;
}

const kinds: readonly RecordKind[] = ['write', 'sync', 'mark'];
const headerBytes = 17;

/** What stands before the bytes of an entry. */
export function encodeHeader(kind: RecordKind, offset: number, length: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(kinds.indexOf(kind), 0);
  header.writeBigUInt64LE(BigInt(offset), 1);
  header.writeBigUInt64LE(BigInt(length), 9);
  return header;
}

/** All entries of a recording, in their order; the last may be under way. */
export function decodeRecording(bytes: Buffer): Recorded[] {
  const entries: Recorded[] = [];
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const kind = kinds[bytes.readUInt8(at)] ?? 'write';
    const [offset, length] = [Number(bytes.readBigUInt64LE(at + 1)), Number(bytes.readBigUInt64LE(at + 9))];
    const begin = at + headerBytes;
    entries.push({ kind, offset, data: bytes.subarray(begin, begin + length) });
    at = begin + length;
  }
  return entries;
}
