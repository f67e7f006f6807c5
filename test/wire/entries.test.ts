import { test } from 'node:test';
import { checkCase, header } from '../support/wire.ts';
import { attrBytes, entry, entryBytes } from '../support/wire-attributes.ts';

test('LOOKUP: a name, an entry', () => {
  checkCase({
    opcode: 'LOOKUP',
    body: '66 77 2d 61 00  name fw-a',
    serve: (note) => ({
      lookup(request, name) {
        note(
          request.nodeid,
          request.uid,
          request.gid,
          request.pid,
          request.opcode,
          request.uniqueLow,
          request.uniqueHigh,
          request.resent,
          name,
        );
        request.replyEntry(entry);
      },
    }),
    args: [header.nodeid, header.uid, header.gid, header.pid, 1, header.uniqueLow, header.uniqueHigh, false, 'fw-a'],
    reply: entryBytes,
  });
});

test('LOOKUP: UTF-8 arrives whole, a byte order mark too', () => {
  checkCase({
    opcode: 'LOOKUP',
    body: 'ef bb bf c3 a9 f0 9f 94 a5 00  BOM, é, fire',
    serve: (note) => ({
      lookup(request, name) {
        note(name);
        request.replyEntry({ ...entry, nodeid: 0 });
      },
    }),
    args: ['\ufeffé🔥'],
    reply: `
      00 00 00 00 00 00 00 00  nodeid 0: no such name
      05 00 00 00 00 00 00 00  generation
      01 00 00 00 00 00 00 00  entry_valid
      00 00 00 00 00 00 00 00  attr_valid
      00 65 cd 1d  entry_valid_nsec
      00 00 00 00  attr_valid_nsec
      ${attrBytes.replaceAll(/^ *([0-9a-f]{2} )+/gm, (bytes) => bytes.replaceAll(/[0-9a-f]{2}/g, '00'))}`,
  });
});

test('FORGET: how many lookups are given back, and no reply', () => {
  checkCase({
    opcode: 'FORGET',
    body: '03 00 00 00 00 00 00 00  nlookup',
    serve: (note) => ({ forget: note }),
    args: [header.nodeid, 3],
    reply: undefined,
  });
});

test('BATCH_FORGET: one call a node, and no reply', () => {
  checkCase({
    opcode: 'BATCH_FORGET',
    body: `
      02 00 00 00  count
      00 00 00 00  dummy
      05 00 00 00 00 00 00 00  nodeid
      01 00 00 00 00 00 00 00  nlookup
      06 00 00 00 01 00 00 00  nodeid
      02 00 00 00 00 00 00 00  nlookup`,
    serve: (note) => ({ forget: note }),
    args: [5, 1, 0x1_0000_0006, 2],
    reply: undefined,
  });
});

test('SYMLINK: a name and a target', () => {
  checkCase({
    opcode: 'SYMLINK',
    body: `
      6c 00  name l
      2e 2e 2f 61 2f 62 00  target ../a/b`,
    serve: (note) => ({
      symlink(request, name, target) {
        note(name, target);
        request.replyEntry(entry);
      },
    }),
    args: ['l', '../a/b'],
    reply: entryBytes,
  });
});

test('MKNOD: mode, device and umask', () => {
  checkCase({
    opcode: 'MKNOD',
    body: `
      b6 21 00 00  mode 020666
      03 01 00 00  rdev 1:3
      12 00 00 00  umask 022
      00 00 00 00  padding
      6e 00  name n`,
    serve: (note) => ({
      mknod(request, name, node) {
        note(name, node);
        request.replyEntry(entry);
      },
    }),
    args: ['n', { mode: 0o020666, rdev: 0x103, umask: 0o22 }],
    reply: entryBytes,
  });
});

test('MKDIR: mode and umask', () => {
  checkCase({
    opcode: 'MKDIR',
    body: `
      ed 01 00 00  mode 0755
      12 00 00 00  umask 022
      64 00  name d`,
    serve: (note) => ({
      mkdir(request, name, directory) {
        note(name, directory);
        request.replyEntry(entry);
      },
    }),
    args: ['d', { mode: 0o755, umask: 0o22 }],
    reply: entryBytes,
  });
});

test('CREATE: an entry and an open file', () => {
  checkCase({
    opcode: 'CREATE',
    body: `
      41 02 00 00  flags O_WRONLY | O_CREAT | O_TRUNC
      a4 81 00 00  mode 0100644
      12 00 00 00  umask 022
      01 00 00 00  open_flags KILL_SUIDGID
      66 00  name f`,
    serve: (note) => ({
      create(request, name, file) {
        note(name, file, request.flags, request.killSuidgid);
        request.replyCreate(entry, 0x1f_ffff_ffff_ffff, 5);
      },
    }),
    args: ['f', { flags: 0o1101, mode: 0o100644, umask: 0o22 }, 0o1101, true],
    reply: `
      ${entryBytes}
      ff ff ff ff ff ff 1f 00  fh
      05 00 00 00  open_flags DIRECT_IO | NONSEEKABLE
      00 00 00 00  padding`,
  });
});

test('UNLINK and RMDIR: a name, nothing back', () => {
  for (const [opcode, method] of [
    ['UNLINK', 'unlink'],
    ['RMDIR', 'rmdir'],
  ] as const) {
    checkCase({
      opcode,
      body: '78 00  name x',
      serve: (note) => ({
        [method](request: { replyOk(): void }, name: string) {
          note(name);
          request.replyOk();
        },
      }),
      args: ['x'],
      reply: '',
    });
  }
});

test('RENAME: both names, no flags', () => {
  checkCase({
    opcode: 'RENAME',
    body: `
      0b 00 00 00 00 00 00 00  newdir
      61 00  old name a
      62 00  new name b`,
    serve: (note) => ({
      rename(request, name, to) {
        note(name, to);
        request.replyOk();
      },
    }),
    args: ['a', { parent: 11, name: 'b', flags: 0 }],
    reply: '',
  });
});

test('RENAME2: both names and flags', () => {
  checkCase({
    opcode: 'RENAME2',
    body: `
      0b 00 00 00 00 00 00 00  newdir
      02 00 00 00  flags EXCHANGE
      00 00 00 00  padding
      61 00  old name a
      62 00  new name b`,
    serve: (note) => ({
      rename(request, name, to) {
        note(name, to);
        request.replyOk();
      },
    }),
    args: ['a', { parent: 11, name: 'b', flags: 2 }],
    reply: '',
  });
});

test('LINK: the node that gets another name', () => {
  checkCase({
    opcode: 'LINK',
    body: `
      0c 00 00 00 00 00 00 00  oldnodeid
      68 00  name h`,
    serve: (note) => ({
      link(request, nodeid, name) {
        note(request.nodeid, nodeid, name);
        request.replyEntry(entry);
      },
    }),
    args: [header.nodeid, 12, 'h'],
    reply: entryBytes,
  });
});
