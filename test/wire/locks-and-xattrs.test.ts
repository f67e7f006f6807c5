import { test } from 'node:test';
import { LockType } from '../../src/fuse/index.ts';
import { checkCase } from '../support/wire.ts';

const lkIn = `
  09 00 00 00 00 00 00 00  fh
  01 00 00 00 00 00 00 80  owner
  0a 00 00 00 00 00 00 00  lk.start
  ff ff ff ff ff ff ff 7f  lk.end: to the end of the file
  01 00 00 00  lk.type WRITE
  e1 10 00 00  lk.pid 4321
  00 00 00 00  lk_flags
  00 00 00 00  padding`;
const lock = {
  owner: 0x8000000000000001n,
  start: 10,
  end: Number.POSITIVE_INFINITY,
  type: LockType.WRITE,
  pid: 4321,
  wait: false,
  flock: false,
};

test('GETLK: the lock in the way', () => {
  checkCase({
    opcode: 'GETLK',
    body: lkIn,
    serve: (note) => ({
      getlk(request, fh, wanted) {
        note(fh, wanted, request.lockOwner);
        request.replyLock({ start: 0, end: Number.POSITIVE_INFINITY, type: LockType.READ, pid: 99 });
      },
    }),
    args: [9, lock, lock.owner],
    reply: `
      00 00 00 00 00 00 00 00  lk.start
      ff ff ff ff ff ff ff 7f  lk.end
      00 00 00 00  lk.type READ
      63 00 00 00  lk.pid`,
  });
});

test('GETLK: a range with an end', () => {
  checkCase({
    opcode: 'GETLK',
    body: lkIn.replace('ff ff ff ff ff ff ff 7f', '13 00 00 00 01 00 00 00'),
    serve: (note) => ({
      getlk(request, _fh, wanted) {
        note(wanted.end);
        request.replyLock(wanted);
      },
    }),
    args: [0x1_0000_0013],
    reply: `
      0a 00 00 00 00 00 00 00  lk.start
      13 00 00 00 01 00 00 00  lk.end
      01 00 00 00  lk.type
      e1 10 00 00  lk.pid`,
  });
});

test('SETLK and SETLKW: at once, or when it is free; POSIX or flock', () => {
  for (const [opcode, flags, wait, flock] of [
    ['SETLK', '00', false, false],
    ['SETLKW', '00', true, false],
    ['SETLKW', '01', true, true],
  ] as const) {
    checkCase({
      opcode,
      body: lkIn.replace('00 00 00 00  lk_flags', `${flags} 00 00 00  lk_flags`),
      serve: (note) => ({
        setlk(request, fh, wanted) {
          note(fh, wanted);
          request.replyOk();
        },
      }),
      args: [9, { ...lock, wait, flock }],
      reply: '',
    });
  }
});

test('GETXATTR: the size first, then the value', () => {
  for (const [size, expected] of [
    [0, '03 00 00 00 00 00 00 00  size, padding'],
    [64, '61 00 62  value'],
  ] as const) {
    checkCase({
      opcode: 'GETXATTR',
      body: `
        ${size === 0 ? '00' : '40'} 00 00 00  size
        00 00 00 00  padding
        75 73 65 72 2e 61 2f 62 00  name user.a/b`,
      serve: (note) => ({
        getxattr(request, name, room) {
          note(name, room);
          if (room === 0) request.replyXattrSize(3);
          else request.replyBytes(Buffer.from('a\0b'));
        },
      }),
      args: ['user.a/b', size],
      reply: expected,
    });
  }
});

test('SETXATTR: name, value and flags', () => {
  checkCase({
    opcode: 'SETXATTR',
    body: `
      03 00 00 00  size
      01 00 00 00  flags XATTR_CREATE
      75 2e 61 00  name u.a
      61 00 62  value`,
    serve: (note) => ({
      setxattr(request, name, value, flags) {
        note(name, Buffer.from(value).toString('latin1'), flags);
        request.replyOk();
      },
    }),
    args: ['u.a', 'a\0b', 1],
    reply: '',
  });
});

test('LISTXATTR: names, each ended by a NUL', () => {
  checkCase({
    opcode: 'LISTXATTR',
    body: `
      40 00 00 00  size
      00 00 00 00  padding`,
    serve: (note) => ({
      listxattr(request, room) {
        note(room);
        request.replyText('u.a\0u.b\0');
      },
    }),
    args: [64],
    reply: `
      75 2e 61 00  u.a
      75 2e 62 00  u.b`,
  });
});

test('REMOVEXATTR: a name', () => {
  checkCase({
    opcode: 'REMOVEXATTR',
    body: '75 2e 61 00  name u.a',
    serve: (note) => ({
      removexattr(request, name) {
        note(name);
        request.replyOk();
      },
    }),
    args: ['u.a'],
    reply: '',
  });
});
