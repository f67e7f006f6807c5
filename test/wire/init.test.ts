import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FileSystem, FuseSession, InitFlag, InitFlag2, type Negotiated, Opcode, type SessionOptions } from '../../src/fuse/index.ts';
import { agreed, hex, reply, request, WireTransport } from '../support/wire.ts';

const allFlags = 'ff ff ff 7f  flags: all, INIT_EXT too';

/** INIT of Linux 7.45, everything offered. */
const initIn = `
  07 00 00 00  major
  2d 00 00 00  minor 45
  00 00 02 00  max_readahead 128 KiB
  ${allFlags}
  ff ff ff ff  flags2
  ${'00 '.repeat(44)}  unused`;

function serveInit(body: string, fs: FileSystem = {}, options: SessionOptions = {}) {
  const transport = new WireTransport();
  const errors: unknown[] = [];
  const session = new FuseSession(transport, fs, { onError: (error) => errors.push(error), ...options });
  transport.requests.push(request(Opcode.INIT, hex(body)));
  session.handleOne();
  return { session, transport, errors, negotiated: session.negotiated };
}

test('INIT: the whole reply', () => {
  const seen: Negotiated[] = [];
  const { transport, errors, negotiated } = serveInit(initIn, { init: (got) => seen.push(got) });
  assert.deepEqual(errors, []);
  const expected = `
    07 00 00 00  major
    2d 00 00 00  minor
    00 00 02 00  max_readahead
    29 b0 64 40  flags ASYNC_READ ATOMIC_O_TRUNC BIG_WRITES AUTO_INVAL_DATA DO_READDIRPLUS ASYNC_DIO PARALLEL_DIROPS ABORT_ERROR MAX_PAGES INIT_EXT
    40 00 30 00  max_background 64, congestion_threshold 48
    00 00 10 00  max_write 1 MiB
    01 00 00 00  time_gran
    00 01 00 00  max_pages 256, map_alignment
    c0 00 00 00  flags2 NO_EXPORT_SUPPORT HAS_RESEND
    ${'00 '.repeat(28)}  unused`;
  assert.equal(transport.replies.map(String).length, 1);
  assert.equal(transport.replies[0]?.toString('hex'), reply(hex(expected)).toString('hex'));
  assert.deepEqual(seen, [negotiated]);
  assert.equal(structuredClone(negotiated)?.maxWrite, 1024 * 1024);
});

test('INIT: the smaller minor version counts', () => {
  assert.equal(serveInit(initIn.replace('2d 00', '1f 00')).negotiated?.minor, 31);
  assert.equal(serveInit(initIn.replace('2d 00', '63 00')).negotiated?.minor, 45);
});

test('INIT of 16 bytes, as before 7.36, and without INIT_EXT: nothing of flags2', () => {
  const short = initIn.split('\n').slice(0, 5).join('\n');
  assert.equal(serveInit(short).negotiated?.flags2, 0);
  assert.equal(serveInit(initIn.replace('ff ff ff 7f', 'ff ff ff 3f')).negotiated?.flags2, 0);
});

test('INIT: nothing that the kernel does not offer', () => {
  const { negotiated } = serveInit(initIn.replace('ff ff ff 7f', '01 00 00 00').replace('ff ff ff ff', '00 00 00 00'));
  assert.equal(negotiated?.flags, InitFlag.ASYNC_READ);
});

test('INIT: locks only for a file system that keeps them', () => {
  const locks = InitFlag.POSIX_LOCKS | InitFlag.FLOCK_LOCKS;
  assert.equal((serveInit(initIn).negotiated?.flags ?? 0) & locks, 0);
  assert.equal((serveInit(initIn, { setlk: (got) => got.replyOk() }).negotiated?.flags ?? 0) & locks, locks);
});

test('INIT: what is optional follows the options', () => {
  const { negotiated } = serveInit(
    initIn,
    {},
    {
      maxWrite: 5000,
      maxBackground: 10,
      readdirPlus: false,
      cacheSymlinks: true,
      explicitInvalData: true,
      killPriv: 'file-system',
      directIoMmap: true,
      exportSupport: true,
    },
  );
  assert.equal(negotiated?.maxWrite, 4096);
  assert.equal(negotiated?.maxBackground, 10);
  const { flags, flags2 } = negotiated;
  const asked = InitFlag.CACHE_SYMLINKS | InitFlag.EXPLICIT_INVAL_DATA | InitFlag.HANDLE_KILLPRIV_V2 | InitFlag.EXPORT_SUPPORT;
  assert.equal(flags & asked, asked);
  assert.equal(flags & (InitFlag.DO_READDIRPLUS | InitFlag.READDIRPLUS_AUTO | InitFlag.AUTO_INVAL_DATA), 0);
  assert.equal(flags2, InitFlag2.HAS_RESEND | InitFlag2.DIRECT_IO_ALLOW_MMAP);
});

test('INIT of 7.30 and of major 6 is refused with EPROTO and a sentence', () => {
  for (const old of [initIn.replace('2d 00', '1e 00'), initIn.replace('07 00', '06 00')]) {
    const { transport, errors, negotiated } = serveInit(old);
    assert.deepEqual(transport.replies, [reply(undefined, 71)]);
    assert.match(String(errors[0]), /speaks FUSE [67]\.\d+, and at least 7\.31 is needed/);
    assert.equal(errors.length, 1);
    assert.equal(negotiated, undefined);
  }
});

test('INIT of major 8 gets our version, and INIT comes again', () => {
  const { session, transport, errors, negotiated } = serveInit(initIn.replace('07 00', '08 00'));
  assert.equal(negotiated, undefined);
  assert.deepEqual(errors, []);
  assert.equal(transport.replies[0]?.subarray(0, 24).toString('hex'), '50000000000000008877665544332211070000002d000000');
  transport.requests.push(request(Opcode.INIT, hex(initIn)));
  session.handleOne();
  assert.equal(session.negotiated?.major, 7);
});

test('before INIT every other request is EIO, and a second INIT too', () => {
  const transport = new WireTransport();
  const errors: unknown[] = [];
  const session = new FuseSession(transport, { readlink: (got) => got.replyText('x') }, { onError: (error) => errors.push(error) });
  for (const opcode of [Opcode.READLINK, Opcode.INIT, Opcode.READLINK, Opcode.INIT]) {
    transport.requests.push(request(opcode, opcode === Opcode.INIT ? hex(initIn) : undefined));
    session.handleOne();
  }
  assert.deepEqual(
    transport.replies.map((bytes) => bytes.readInt32LE(4)),
    [-5, 0, 0, -5],
  );
  assert.equal(errors.length, 2);
});

test('a connection can be adopted, but not with longer writes than there is room for', () => {
  const seen: Negotiated[] = [];
  const transport = new WireTransport();
  const session = new FuseSession(transport, { init: (got) => seen.push(got), readlink: (got) => got.replyText('x') }, { maxWrite: 65536 });
  assert.throws(() => session.adopt({ ...agreed, maxWrite: 131072 }), RangeError);
  session.adopt(agreed);
  transport.requests.push(request(Opcode.READLINK));
  session.handleOne();
  assert.deepEqual(seen, [agreed]);
  assert.deepEqual(transport.replies, [reply(Buffer.from('x'))]);
});

test('unmounting ends the loop and destroys once; a throwing destroy is reported', () => {
  const errors: unknown[] = [];
  let destroyed = 0;
  const destroy = (): void => {
    destroyed += 1;
    throw new Error('no');
  };
  const transport = new WireTransport();
  const session = new FuseSession(transport, { destroy }, { onError: (error) => errors.push(error) });
  session.adopt(agreed);
  transport.requests.push(request(Opcode.DESTROY));
  session.run();
  assert.equal(session.handleOne(), false);
  assert.equal(destroyed, 1);
  assert.equal(errors.length, 1);
  assert.deepEqual(transport.replies, [reply()]);
});
