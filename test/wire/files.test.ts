import { test } from 'node:test';
import { checkCase, header } from '../support/wire.ts';
import { attr, attrBytes } from '../support/wire-attributes.ts';

const attrOut = `
  01 00 00 00 00 00 00 00  attr_valid
  00 65 cd 1d  attr_valid_nsec
  00 00 00 00  dummy
  ${attrBytes}`;

test('GETATTR: of a node, and of an open file', () => {
  for (const [flags, fh] of [
    ['00', undefined],
    ['01', 9],
  ] as const) {
    checkCase({
      opcode: 'GETATTR',
      body: `
        ${flags} 00 00 00  getattr_flags
        00 00 00 00  dummy
        09 00 00 00 00 00 00 00  fh`,
      serve: (note) => ({
        getattr(request, handle) {
          note(request.nodeid, handle);
          request.replyAttr(attr, 1500);
        },
      }),
      args: [header.nodeid, fh],
      reply: attrOut,
    });
  }
});

test('SETATTR: every field', () => {
  checkCase({
    opcode: 'SETATTR',
    body: `
      7f 06 00 00  valid: mode, uid, gid, size, atime, mtime, fh, lock owner, ctime
      00 00 00 00  padding
      09 00 00 00 00 00 00 00  fh
      00 00 00 00 01 00 00 00  size 4 GiB
      01 00 00 00 00 00 00 80  lock_owner
      00 2f 68 59 00 00 00 00  atime
      ff ff ff ff ff ff ff ff  mtime -1
      00 2f 68 59 00 00 00 00  ctime
      80 b2 e6 0e  atimensec 250,000,000
      00 65 cd 1d  mtimensec 500,000,000
      00 00 00 00  ctimensec
      a4 01 00 00  mode 0644
      00 00 00 00  unused4
      02 00 00 00  uid
      03 00 00 00  gid
      00 00 00 00  unused5`,
    serve: (note) => ({
      setattr(request, change) {
        note(change, request.lockOwner, request.killSuidgid);
        request.replyAttr(attr, 1500);
      },
    }),
    args: [
      {
        fh: 9,
        size: 2 ** 32,
        atimeMs: 1_500_000_000_250,
        mtimeMs: -500,
        ctimeMs: 1_500_000_000_000,
        atimeNs: 1_500_000_000_250_000_000n,
        mtimeNs: -500_000_000n,
        mode: 0o644,
        uid: 2,
        gid: 3,
      },
      0x8000000000000001n,
      false,
    ],
    reply: attrOut,
  });
});

test('STATX: attributes, and when the file was made', () => {
  checkCase({
    opcode: 'STATX',
    body: `
      00 00 00 00  getattr_flags
      00 00 00 00  reserved
      00 00 00 00 00 00 00 00  fh
      00 00 00 00  sx_flags
      ff 0f 00 00  sx_mask`,
    serve: (note) => ({
      getattr(request) {
        note(request.nodeid);
        request.replyAttr({ ...attr, birthtimeNs: 1_500_000_000_999_999_999n, atimeNs: -1n }, 1500);
      },
    }),
    args: [header.nodeid],
    reply: `
      01 00 00 00 00 00 00 00  attr_valid
      00 65 cd 1d  attr_valid_nsec
      00 00 00 00  flags
      ${'00 '.repeat(16)} spare
      ff 0f 00 00  stat.mask: all, and btime
      00 10 00 00  stat.blksize
      ${'00 '.repeat(8)} stat.attributes
      03 00 00 00  stat.nlink
      e8 03 00 00  stat.uid
      64 00 00 00  stat.gid
      a4 81 00 00  stat.mode and spare
      02 00 00 00 01 00 00 00  stat.ino
      e8 03 00 00 00 00 00 00  stat.size
      08 00 00 00 00 00 00 00  stat.blocks
      ${'00 '.repeat(8)} stat.attributes_mask
      ff ff ff ff ff ff ff ff ff c9 9a 3b 00 00 00 00  stat.atime -1 ns
      00 2f 68 59 00 00 00 00 ff c9 9a 3b 00 00 00 00  stat.btime
      00 2f 68 59 00 00 00 00 48 e8 01 00 00 00 00 00  stat.ctime
      fe ff ff ff ff ff ff ff 00 65 cd 1d 00 00 00 00  stat.mtime
      08 00 00 00 01 00 00 00  stat.rdev 8:1
      ${'00 '.repeat(8)} stat.dev
      ${'00 '.repeat(112)} spare2`,
  });
});

test('READLINK: the target without a NUL', () => {
  checkCase({
    opcode: 'READLINK',
    body: '',
    serve: (note) => ({
      readlink(request) {
        note(request.nodeid);
        request.replyText('../é');
      },
    }),
    args: [header.nodeid],
    reply: '2e 2e 2f c3 a9  ../é',
  });
});

test('OPEN and OPENDIR: flags in, a handle out', () => {
  for (const [opcode, method] of [
    ['OPEN', 'open'],
    ['OPENDIR', 'opendir'],
  ] as const) {
    checkCase({
      opcode,
      body: `
        02 04 00 00  flags O_RDWR | O_APPEND
        01 00 00 00  open_flags KILL_SUIDGID`,
      serve: (note) => ({
        [method](request: { replyOpen(fh: number, flags: number): void; flags: number }, flags: number) {
          note(flags, request.flags);
          request.replyOpen(0x1_0000_0003, 2);
        },
      }),
      args: [0o2002, 0o2002],
      reply: `
        03 00 00 00 01 00 00 00  fh
        02 00 00 00  open_flags KEEP_CACHE
        00 00 00 00  padding`,
    });
  }
});

const readIn = `
  09 00 00 00 00 00 00 00  fh
  00 00 00 00 01 00 00 00  offset 4 GiB
  03 00 00 00  size
  02 00 00 00  read_flags LOCKOWNER
  01 00 00 00 00 00 00 80  lock_owner
  00 80 00 00  flags O_LARGEFILE
  00 00 00 00  padding`;

test('READ: data that the handler put in the reply buffer', () => {
  checkCase({
    opcode: 'READ',
    body: readIn,
    serve: (note) => ({
      read(request, fh, offset, size) {
        note(fh, offset, size, request.lockOwner, request.flags);
        request.replyData(request.data.write('abc'));
      },
    }),
    args: [9, 2 ** 32, 3, 0x8000000000000001n, 0o100000],
    reply: '61 62 63  abc',
  });
});

test('READ: bytes of the handler, and the end of the file', () => {
  for (const [bytes, expected] of [
    [Uint8Array.of(1, 2, 3), '01 02 03'],
    [new Uint8Array(0), ''],
  ] as const) {
    checkCase({
      opcode: 'READ',
      body: readIn,
      serve: () => ({ read: (request) => request.replyBytes(bytes) }),
      args: [],
      reply: expected,
    });
  }
});

test('WRITE: the data stays where it was read', () => {
  checkCase({
    opcode: 'WRITE',
    body: `
      09 00 00 00 00 00 00 00  fh
      05 00 00 00 00 00 00 00  offset
      03 00 00 00  size
      05 00 00 00  write_flags CACHE | KILL_SUIDGID
      01 00 00 00 00 00 00 00  lock_owner
      01 00 00 00  flags O_WRONLY
      00 00 00 00  padding
      61 62 63  data abc`,
    serve: (note) => ({
      write(request, fh, offset, size) {
        const { inputOffset } = request;
        note(
          fh,
          offset,
          size,
          request.input.toString('utf8', inputOffset, inputOffset + size),
          Buffer.from(request.written(size)).toString(),
        );
        note(request.fromPageCache, request.killSuidgid, request.flags, request.lockOwner);
        request.replyWrite(size);
      },
    }),
    args: [9, 5, 3, 'abc', 'abc', true, true, 1, 1n],
    reply: `
      03 00 00 00  size
      00 00 00 00  padding`,
  });
});

test('STATFS: eight numbers', () => {
  checkCase({
    opcode: 'STATFS',
    body: '',
    serve: () => ({
      statfs: (request) =>
        request.replyStatfs({ blocks: 2 ** 33, bfree: 2, bavail: 3, files: 4, ffree: 5, bsize: 6, namelen: 255, frsize: 7 }),
    }),
    args: [],
    reply: `
      00 00 00 00 02 00 00 00  blocks
      02 00 00 00 00 00 00 00  bfree
      03 00 00 00 00 00 00 00  bavail
      04 00 00 00 00 00 00 00  files
      05 00 00 00 00 00 00 00  ffree
      06 00 00 00  bsize
      ff 00 00 00  namelen
      07 00 00 00  frsize
      00 00 00 00  padding
      00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  spare`,
  });
});

test('RELEASE, RELEASEDIR and FLUSH: a handle and a lock owner', () => {
  for (const [opcode, method, flags, owner] of [
    ['RELEASE', 'release', 1, 2n],
    ['RELEASEDIR', 'releasedir', 1, 0n],
    ['FLUSH', 'flush', 0, 2n],
  ] as const) {
    checkCase({
      opcode,
      body: `
        09 00 00 00 00 00 00 00  fh
        01 00 00 00  flags O_WRONLY (FLUSH: unused)
        00 00 00 00  release_flags
        02 00 00 00 00 00 00 00  lock_owner`,
      serve: (note) => ({
        [method](request: { replyOk(): void; flags: number; lockOwner: bigint }, fh: number) {
          note(fh, request.flags, request.lockOwner);
          request.replyOk();
        },
      }),
      args: [9, flags, owner],
      reply: '',
    });
  }
});

test('FSYNC and FSYNCDIR: data only or all', () => {
  for (const [opcode, method] of [
    ['FSYNC', 'fsync'],
    ['FSYNCDIR', 'fsyncdir'],
  ] as const) {
    checkCase({
      opcode,
      body: `
        09 00 00 00 00 00 00 00  fh
        01 00 00 00  fsync_flags FDATASYNC
        00 00 00 00  padding`,
      serve: (note) => ({
        [method](request: { replyOk(): void }, fh: number, dataOnly: boolean) {
          note(fh, dataOnly);
          request.replyOk();
        },
      }),
      args: [9, true],
      reply: '',
    });
  }
});

test('ACCESS: a mask', () => {
  checkCase({
    opcode: 'ACCESS',
    body: `
      06 00 00 00  mask R_OK | W_OK
      00 00 00 00  padding`,
    serve: (note) => ({
      access(request, mask) {
        note(mask);
        request.replyOk();
      },
    }),
    args: [6],
    reply: '',
  });
});

test('LSEEK: an offset', () => {
  checkCase({
    opcode: 'LSEEK',
    body: `
      09 00 00 00 00 00 00 00  fh
      00 10 00 00 00 00 00 00  offset
      04 00 00 00  whence SEEK_HOLE
      00 00 00 00  padding`,
    serve: (note) => ({
      lseek(request, fh, offset, whence) {
        note(fh, offset, whence);
        request.replyLseek(0x1f_ffff_ffff_ffff);
      },
    }),
    args: [9, 4096, 4],
    reply: 'ff ff ff ff ff ff 1f 00  offset',
  });
});

test('FALLOCATE: a range and a mode', () => {
  checkCase({
    opcode: 'FALLOCATE',
    body: `
      09 00 00 00 00 00 00 00  fh
      00 10 00 00 00 00 00 00  offset
      00 00 00 00 01 00 00 00  length
      03 00 00 00  mode KEEP_SIZE | PUNCH_HOLE
      00 00 00 00  padding`,
    serve: (note) => ({
      fallocate(request, fh, range) {
        note(fh, range);
        request.replyOk();
      },
    }),
    args: [9, { offset: 4096, length: 2 ** 32, mode: 3 }],
    reply: '',
  });
});

test('COPY_FILE_RANGE, and its form for more than 4 GiB', () => {
  for (const opcode of ['COPY_FILE_RANGE', 'COPY_FILE_RANGE_64'] as const) {
    checkCase({
      opcode,
      body: `
        09 00 00 00 00 00 00 00  fh_in
        01 00 00 00 00 00 00 00  off_in
        0a 00 00 00 00 00 00 00  nodeid_out
        0b 00 00 00 00 00 00 00  fh_out
        02 00 00 00 00 00 00 00  off_out
        00 00 00 00 02 00 00 00  len 8 GiB
        00 00 00 00 00 00 00 00  flags`,
      serve: (note) => ({
        copyFileRange(request, fh, range) {
          note(fh, range);
          request.replyWrite(opcode === 'COPY_FILE_RANGE' ? 4096 : 2 ** 33);
        },
      }),
      args: [9, { offsetIn: 1, nodeidOut: 10, fhOut: 11, offsetOut: 2, length: 2 ** 33, flags: 0 }],
      reply: opcode === 'COPY_FILE_RANGE' ? '00 10 00 00 00 00 00 00  size, padding' : '00 00 00 00 02 00 00 00  bytes_copied',
    });
  }
});

test('POLL: the events that are ready', () => {
  checkCase({
    opcode: 'POLL',
    body: `
      09 00 00 00 00 00 00 00  fh
      0c 00 00 00 00 00 00 00  kh
      01 00 00 00  flags SCHEDULE_NOTIFY
      41 00 00 00  events POLLIN | POLLRDNORM`,
    serve: (note) => ({
      poll(request, fh, poll) {
        note(fh, poll);
        request.replyPoll(1);
      },
    }),
    args: [9, { kh: 12, events: 0x41, notify: true }],
    reply: `
      01 00 00 00  revents POLLIN
      00 00 00 00  padding`,
  });
});

test('INTERRUPT: the request that is meant, and no reply', () => {
  checkCase({
    opcode: 'INTERRUPT',
    body: '88 77 66 55 44 33 22 11  unique',
    serve: (note) => ({ interrupt: note }),
    args: [header.uniqueLow, header.uniqueHigh],
    reply: undefined,
  });
});
