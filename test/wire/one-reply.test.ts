import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { type FileSystem, Opcode, type Request } from '../../src/fuse/index.ts';
import { failure, reply, request, Wire } from '../support/wire.ts';
import { entry } from '../support/wire-attributes.ts';

const readlink = request(Opcode.READLINK);

function serving(handler: (request: Request) => void): FileSystem {
  return { readlink: handler };
}

test('a handler that returns without an answer: EIO, and a report', () => {
  const wire = new Wire(serving(() => {}));
  assert.deepEqual(wire.serve(readlink), [reply(undefined, 5)]);
  assert.match(String(wire.errors[0]), /READLINK returned without an answer/);
});

test('a handler that throws: EIO, and a report', () => {
  const broken = new Error('broken');
  const wire = new Wire(
    serving(() => {
      throw broken;
    }),
  );
  assert.deepEqual(wire.serve(readlink), [reply(undefined, 5)]);
  assert.deepEqual(wire.errors, [broken]);
});

test('a handler that throws after its answer: one reply, and a report', () => {
  const wire = new Wire(
    serving((got) => {
      got.replyText('x');
      throw new Error('late');
    }),
  );
  assert.deepEqual(wire.serve(readlink), [reply(Buffer.from('x'))]);
  assert.equal(wire.errors.length, 1);
});

test('whatever comes after an answer throws, and leaves the reply as it was', () => {
  const seconds: ((got: Request) => unknown)[] = [
    (got) => got.replyOk(),
    (got) => got.replyError(2),
    (got) => got.replyEntry(entry),
    (got) => got.replyAttr(entry.attr, 0),
    (got) => got.replyOpen(1, 0),
    (got) => got.replyCreate(entry, 1, 0),
    (got) => got.replyData(1),
    (got) => got.replyBytes(Buffer.from('y')),
    (got) => got.replyText('y'),
    (got) => got.replyWrite(1),
    (got) => got.replyStatfs({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 0, namelen: 0, frsize: 0 }),
    (got) => got.replyXattrSize(1),
    (got) => got.replyLseek(1),
    (got) => got.replyLock({ start: 0, end: 0, type: 0, pid: 0 }),
    (got) => got.replyPoll(1),
    (got) => got.addEntry('x', 1, 4, 1),
    (got) => got.replyDirectory(),
    (got) => got.defer(),
  ];
  for (const second of seconds) {
    for (const first of [(got: Request) => got.replyText('x'), (got: Request) => void got.defer()]) {
      const wire = new Wire(
        serving((got) => {
          first(got);
          assert.throws(() => second(got), /answered or deferred before/);
        }),
      );
      const replies = wire.serve(readlink);
      assert.deepEqual(wire.errors, []);
      assert.ok(replies.length <= 1 && replies.every((bytes) => bytes.equals(reply(Buffer.from('x')))));
    }
  }
});

test('a deferred request is not answered by the session', () => {
  const tickets: unknown[] = [];
  const wire = new Wire(serving((got) => tickets.push(got.defer())));
  assert.deepEqual(wire.serve(readlink), []);
  assert.deepEqual(structuredClone(tickets), [
    { uniqueLow: 0x55667788, uniqueHigh: 0x11223344, opcode: Opcode.READLINK, nodeid: 7, uid: 1000, gid: 100, pid: 4321 },
  ]);
  assert.deepEqual(wire.errors, []);
});

test('an answer after the handler returned throws', () => {
  const kept: Request[] = [];
  const wire = new Wire(serving((got) => kept.push(got)));
  assert.deepEqual(wire.serve(readlink), [reply(undefined, 5)]);
  assert.throws(() => kept[0]?.replyOk());
});

test('an errno outside 1 to 511 becomes EIO', () => {
  for (const [given, sent] of [
    [0, 5],
    [-2, 5],
    [512, 5],
    [701, 5],
    [2.5, 5],
    [Number.NaN, 5],
    [1, 1],
    [511, 511],
  ] as const) {
    const wire = new Wire(serving((got) => got.replyError(given)));
    assert.deepEqual(wire.serve(readlink), [reply(undefined, sent)]);
  }
});

test('a reply longer than the buffer is EIO', () => {
  for (const answer of [
    (got: Request) => got.replyText('x'.repeat(65537)),
    (got: Request) => got.replyBytes(Buffer.alloc(65537)),
    (got: Request) => got.replyData(65537),
    (got: Request) => got.replyData(-1),
    (got: Request) => got.replyData(Number.NaN),
  ]) {
    assert.deepEqual(new Wire(serving(answer)).serve(readlink), [reply(undefined, 5)]);
  }
  const [whole] = new Wire(serving((got) => got.replyText('x'.repeat(65536)))).serve(readlink);
  assert.equal(whole?.length, 65552);
});

test('a request that was aborted meanwhile is no error; a reply the kernel refuses becomes EIO', () => {
  const wire = new Wire(serving((got) => got.replyText('x')));
  wire.transport.refusal = failure('ENOENT');
  assert.deepEqual(wire.serve(readlink), []);
  assert.deepEqual(wire.errors, []);
  wire.transport.refusal = failure('EINVAL');
  assert.deepEqual(wire.serve(readlink), [reply(undefined, 5)]);
  assert.equal(wire.errors.length, 1);
});

test('the resent bit is echoed', () => {
  const wire = new Wire(
    serving((got) => {
      assert.equal(got.resent, true);
      got.replyOk();
    }),
  );
  const [answer] = wire.serve(request(Opcode.READLINK, undefined, { uniqueHigh: 0x80000001 }));
  assert.equal(answer?.readUInt32LE(12), 0x80000001);
});

test('messages are taken in before each request; a failure there does not stop the request from being answered', () => {
  const order: string[] = [];
  const wire = new Wire(
    serving((got) => {
      order.push('request');
      got.replyOk();
    }),
    { beforeRequest: () => order.push('before') },
  );
  wire.serve(readlink);
  assert.deepEqual(order, ['before', 'request']);
  const failing = new Wire(
    serving((got) => got.replyOk()),
    {
      beforeRequest: () => {
        throw new Error('no');
      },
    },
  );
  assert.equal(failing.serve(readlink).length, 1);
});

test('a missing method answers what the opcode table says', () => {
  const wire = new Wire({});
  const body = Buffer.alloc(88);
  const name = Buffer.from('x\0y\0');
  const answers: readonly (readonly [keyof typeof Opcode, number, Buffer?])[] = [
    ['LOOKUP', 2, name],
    ['GETATTR', 5],
    ['SETATTR', 1],
    ['MKDIR', 1, Buffer.concat([Buffer.alloc(8), name])],
    ['RENAME2', 1, Buffer.concat([Buffer.alloc(16), name])],
    ['FLUSH', 38],
    ['FSYNC', 38],
    ['GETXATTR', 38],
    ['CREATE', 38],
    ['POLL', 38],
    ['LSEEK', 38],
    ['IOCTL', 25],
    ['BMAP', 38],
    ['STATX', 38],
    ['SYNCFS', 38],
    ['OPEN', 0],
    ['OPENDIR', 0],
    ['RELEASE', 0],
    ['STATFS', 0],
    ['READDIR', 0],
  ];
  for (const [opcode, errno, arguments_ = body] of answers) {
    assert.equal(wire.serve(request(Opcode[opcode], arguments_))[0]?.readInt32LE(4), -errno || 0, opcode);
  }
  for (const opcode of [0, 7, 54, 4096, 0xffffffff]) {
    assert.deepEqual(wire.serve(request(opcode, body)), [reply(undefined, 38)]);
  }
  for (const opcode of [Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT]) assert.deepEqual(wire.serve(request(opcode, body)), []);
  assert.deepEqual(wire.errors, []);
});

test('without onError a report goes to standard error, at once, from a thread whose event loop stands still', () => {
  const program = `import { FuseSession } from ${JSON.stringify(new URL('../../src/fuse/index.ts', import.meta.url).href)};
    const transport = { read: (buffer) => (buffer.set([40, 0, 0, 0, 5, 0, 0, 0, 2]), 40), write: () => process.kill(process.pid, 'SIGKILL') };
    new FuseSession(transport, {}).run();`;
  const { stderr, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 10_000 });
  assert.equal(signal, 'SIGKILL');
  assert.match(stderr, /^nfio\/fuse: READLINK: Error: A request for READLINK came before INIT\./);
});

test('a reporter that throws ends nothing', () => {
  const onError = (): void => {
    throw new Error('the reporter failed');
  };
  const wire = new Wire(
    serving(() => {}),
    { onError },
  );
  assert.deepEqual(wire.serve(readlink), [reply(undefined, 5)]);
  assert.deepEqual(wire.serve(readlink), [reply(undefined, 5)]);
});

test('a request that is put aside is answered when it is served again, as it was, and once', () => {
  let parked: Uint8Array | undefined;
  let ready = false;
  const wire = new Wire({
    mkdir: (got, name, { mode }) => {
      if (ready) got.replyText(`${got.nodeid} ${name} ${mode}`);
      else parked = got.park();
    },
    lookup: (got) => got.replyError(2),
  });
  const body = Buffer.concat([Buffer.of(0o755 & 0xff, 0o755 >> 8, 0, 0, 0, 0, 0, 0), Buffer.from('a\xff\0', 'latin1')]);
  assert.deepEqual(wire.serve(request(Opcode.MKDIR, body)), []);
  // A longer one comes in between, which would leave its bytes in the buffer.
  wire.serve(request(Opcode.LOOKUP, Buffer.from('a-much-longer-name-than-the-other\0'), { nodeid: 9 }));
  ready = true;
  wire.transport.replies.length = 0;
  assert.ok(parked !== undefined);
  wire.session.resume(parked);
  assert.deepEqual(wire.transport.replies, [reply(Buffer.from('7 a\xff 493', 'latin1'))]);
  assert.deepEqual(wire.errors, []);
});

test('a request that is answered or put aside cannot be put aside again', () => {
  for (const first of [(got: Request) => got.replyText('x'), (got: Request) => got.park()]) {
    const wire = new Wire(
      serving((got) => {
        first(got);
        assert.throws(() => got.park(), /answered or deferred before/);
      }),
    );
    wire.serve(readlink);
    assert.deepEqual(wire.errors, []);
  }
});
