import assert from 'node:assert/strict';
import { type FileSystem, FuseSession, type Negotiated, Opcode, type SessionOptions, type Transport } from '../../src/fuse/index.ts';

/** Reads annotated hexadecimal: on each line bytes, then two spaces or more, then what they are. */
export function hex(annotated: string): Buffer {
  const lines = annotated.split('\n').map((line) => line.trim().split(/\s{2,}/)[0] ?? '');
  return Buffer.from(lines.join('').replaceAll(' ', ''), 'hex');
}

/** What every request of these tests has in its header beside length and opcode. */
export const header = { uniqueLow: 0x55667788, uniqueHigh: 0x11223344, nodeid: 7, uid: 1000, gid: 100, pid: 4321 } as const;

/** A request: fuse_in_header and a body. */
export function request(opcode: number, body: Uint8Array = Buffer.alloc(0), change: { readonly [field: string]: number } = {}): Buffer {
  const fields = { ...header, ...change };
  const start = Buffer.alloc(40);
  start.writeUInt32LE(40 + body.length, 0);
  start.writeUInt32LE(opcode, 4);
  start.writeUInt32LE(fields.uniqueLow, 8);
  start.writeUInt32LE(fields.uniqueHigh, 12);
  start.writeBigUInt64LE(BigInt(fields.nodeid), 16);
  start.writeUInt32LE(fields.uid, 24);
  start.writeUInt32LE(fields.gid, 28);
  start.writeUInt32LE(fields.pid, 32);
  return Buffer.concat([start, body]);
}

/** A reply to a request of these tests: fuse_out_header and a body. */
export function reply(body: Uint8Array = Buffer.alloc(0), errno = 0): Buffer {
  const start = hex(`
    00 00 00 00  len
    00 00 00 00  error
    88 77 66 55 44 33 22 11  unique`);
  start.writeUInt32LE(16 + body.length, 0);
  start.writeInt32LE(-errno, 4);
  return Buffer.concat([start, body]);
}

/** Feeds requests to a session and keeps its replies, as /dev/fuse would take them. */
export class WireTransport implements Transport {
  readonly replies: Buffer[] = [];
  readonly requests: Buffer[] = [];
  /** What write throws, once. */
  refusal: NodeJS.ErrnoException | undefined;

  read(buffer: Uint8Array): number {
    const next = this.requests.shift();
    if (next === undefined) return 0;
    buffer.set(next);
    return next.length;
  }

  write(buffer: Uint8Array, length: number): void {
    const { refusal } = this;
    this.refusal = undefined;
    if (refusal !== undefined) throw refusal;
    this.replies.push(Buffer.from(buffer.subarray(0, length)));
  }
}

/** The failure of a system call, as node:fs throws it. */
export function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

export const agreed: Negotiated = {
  major: 7,
  minor: 45,
  maxWrite: 65536,
  maxReadahead: 131072,
  maxBackground: 64,
  flags: 0,
  flags2: 0,
};

/** A session over a WireTransport, past INIT. */
export class Wire {
  readonly transport = new WireTransport();
  readonly errors: unknown[] = [];
  readonly session: FuseSession;

  constructor(fs: FileSystem, options: SessionOptions = {}) {
    this.session = new FuseSession(this.transport, fs, { maxWrite: 65536, onError: (error) => this.errors.push(error), ...options });
    this.session.adopt(agreed);
  }

  /** Serves one request; returns what was sent meanwhile. */
  serve(bytes: Buffer): Buffer[] {
    this.transport.replies.length = 0;
    this.transport.requests.push(bytes);
    assert.equal(this.session.handleOne(), true);
    return [...this.transport.replies];
  }
}

/** One opcode both ways: the bytes of a request, what the method is called with, the bytes of its reply. */
export interface WireCase {
  readonly opcode: keyof typeof Opcode;
  /** Annotated hexadecimal, or bytes. */
  readonly body: string | Uint8Array;
  /** Notes what it gets, and answers. */
  readonly serve: (note: (...args: readonly unknown[]) => void) => FileSystem;
  readonly args: readonly unknown[];
  /** Body of the reply; undefined where none may be sent. */
  readonly reply: string | undefined;
}

/** Checks one WireCase. */
export function checkCase({ opcode, body, serve, args, reply: expected }: WireCase): void {
  const noted: unknown[] = [];
  const wire = new Wire(serve((...got) => noted.push(...got)));
  const replies = wire.serve(request(Opcode[opcode], typeof body === 'string' ? hex(body) : body));
  assert.deepEqual(wire.errors, []);
  assert.deepEqual(noted, args);
  assert.deepEqual(
    replies.map((bytes) => bytes.toString('hex')),
    expected === undefined ? [] : [reply(hex(expected)).toString('hex')],
  );
}
