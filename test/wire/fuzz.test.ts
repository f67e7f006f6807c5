import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FileSystem, Opcode, type Request } from '../../src/fuse/index.ts';
import { Prng } from '../support/prng.ts';
import { header, reply, request, Wire } from '../support/wire.ts';
import { attr, entry } from '../support/wire-attributes.ts';

const silent: readonly number[] = [Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT, Opcode.NOTIFY_REPLY];
const opcodes = Object.values(Opcode);
const methods = [
  ...[
    'lookup',
    'getattr',
    'setattr',
    'readlink',
    'symlink',
    'mknod',
    'mkdir',
    'unlink',
    'rmdir',
    'rename',
    'link',
    'open',
    'read',
    'write',
  ],
  ...['statfs', 'release', 'fsync', 'flush', 'opendir', 'readdir', 'releasedir', 'fsyncdir', 'access', 'create', 'lseek', 'fallocate'],
  ...['copyFileRange', 'getxattr', 'setxattr', 'listxattr', 'removexattr', 'getlk', 'setlk', 'poll'],
] as const;

/** A file system whose every method does one of the things that handlers do, and sometimes what they must not. */
function careless(random: Prng): FileSystem {
  const answers: readonly ((got: Request) => unknown)[] = [
    (got) => got.replyOk(),
    (got) => got.replyError(random.below(1000)),
    (got) => got.replyEntry(entry),
    (got) => got.replyAttr(attr, 1000),
    (got) => got.replyData(random.below(70000)),
    (got) => got.replyBytes(random.bytes(random.below(64))),
    (got) => got.written(random.below(100)).length + Number(got.lockOwner) + got.flags + Number(got.killSuidgid),
    (got) => [got.replyOk(), got.replyOk()],
    (got) => got.defer(),
    () => undefined,
    () => {
      throw new TypeError('a handler failed');
    },
  ];
  const handler = (got: Request): unknown => answers[random.below(answers.length)]?.(got);
  const readdir = (got: Request): void => {
    for (let at = 1; got.addEntryPlus('n'.repeat(1 + random.below(255)), entry, at); at += 1);
    got.replyDirectory();
  };
  return { ...Object.fromEntries(methods.map((name) => [name, handler])), readdir, forget: () => {}, interrupt: () => {} };
}

interface Expected {
  readonly wire: Wire;
  readonly bytes: Buffer;
  readonly deferred: () => number;
}

/** What must hold of any bytes that come in place of a request. */
function checkOne({ wire, bytes, deferred }: Expected): void {
  const before = deferred();
  const replies = wire.serve(bytes);
  const whole = bytes.length >= 40;
  const opcode = whole ? bytes.readUInt32LE(4) : 0;
  const nameless = whole && bytes.readBigUInt64LE(8) === 0n;
  const wanted = !whole || nameless || silent.includes(opcode) ? 0 : 1;
  assert.equal(replies.length + deferred() - before, wanted, `opcode ${opcode}, ${bytes.length} bytes: ${bytes.toString('hex', 0, 100)}`);
  for (const answer of replies) {
    assert.equal(answer.readUInt32LE(0), answer.length);
    assert.ok(answer.readInt32LE(4) <= 0 && answer.readInt32LE(4) >= -511);
    assert.equal(answer.readBigUInt64LE(8), bytes.readBigUInt64LE(8));
  }
}

function fuzz(seed: number, count: number, make: (random: Prng) => Buffer): void {
  const random = new Prng(seed);
  let deferrals = 0;
  const fs = careless(random);
  const counting: FileSystem = Object.fromEntries(
    Object.entries(fs).map(([name, method]) => [
      name,
      (got: Request, ...rest: unknown[]) => {
        const result: unknown = (method as (got: Request, ...rest: unknown[]) => unknown)(got, ...rest);
        if (typeof result === 'object' && result !== null && 'uniqueLow' in result) deferrals += 1;
      },
    ]),
  );
  const wire = new Wire(counting);
  for (let at = 0; at < count; at += 1) checkOne({ wire, bytes: make(random), deferred: () => deferrals });
  checkUsable(wire);
}

/** The session still serves an honest request. */
function checkUsable(wire: Wire): void {
  assert.deepEqual(wire.serve(request(Opcode.SYNCFS, Buffer.alloc(32))), [reply(undefined, 38)]);
}

function someRequest(random: Prng): Buffer {
  const opcode = opcodes[random.below(opcodes.length)] ?? 0;
  const body =
    random.below(2) === 0 ? random.bytes(random.below(200)) : Buffer.concat([Buffer.alloc(8 * random.below(12)), Buffer.from('ab\0cd\0')]);
  return request(opcode, body, { uniqueLow: random.below(2 ** 31) * 2 + 2, uniqueHigh: header.uniqueHigh });
}

test('20,000 requests of every opcode with random arguments', () => {
  fuzz(1, 20_000, someRequest);
});

test('20,000 requests cut off anywhere, their length told or not', () => {
  fuzz(2, 20_000, (random) => {
    const bytes = someRequest(random);
    const cut = bytes.subarray(0, 1 + random.below(bytes.length));
    if (cut.length >= 4 && random.below(2) === 0) cut.writeUInt32LE(cut.length, 0);
    return cut;
  });
});

test('20,000 requests with bits flipped', () => {
  fuzz(3, 20_000, (random) => {
    const bytes = someRequest(random);
    for (let flips = 1 + random.below(8); flips > 0; flips -= 1) {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    return bytes;
  });
});

test('20,000 times noise', () => {
  fuzz(4, 20_000, (random) => random.bytes(1 + random.below(300)));
});

test('batches of FORGET that claim more than they hold', () => {
  const nodes: number[] = [];
  const wire = new Wire({ forget: (nodeid) => nodes.push(nodeid) });
  const body = Buffer.alloc(8 + 40);
  body.writeUInt32LE(0xffffffff, 0);
  assert.deepEqual(wire.serve(request(Opcode.BATCH_FORGET, body)), []);
  assert.equal(nodes.length, 2);
  assert.deepEqual(wire.errors, []);
});
