import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntryType, Opcode } from '../../src/fuse/index.ts';
import { checkCase, hex, request, Wire } from '../support/wire.ts';
import { attr, entry, entryBytes } from '../support/wire-attributes.ts';

function readIn(size: number): string {
  const sizeBytes = Buffer.alloc(4);
  sizeBytes.writeUInt32LE(size);
  return `
    09 00 00 00 00 00 00 00  fh
    02 00 00 00 00 00 00 00  offset
    ${sizeBytes.toString('hex')}  size
    00 00 00 00  read_flags
    00 00 00 00 00 00 00 00  lock_owner
    00 00 00 00  flags
    00 00 00 00  padding`;
}

test('READDIR: names, padded to 8 bytes', () => {
  checkCase({
    opcode: 'READDIR',
    body: readIn(4096),
    serve: (note) => ({
      readdir(request, fh, offset, plus) {
        note(fh, offset, plus);
        note(request.addEntry('.', 1, EntryType.DIR, 3), request.addEntryPlus('file-abc', entry, 4));
        request.replyDirectory();
      },
    }),
    args: [9, 2, false, true, true],
    reply: `
      01 00 00 00 00 00 00 00  ino
      03 00 00 00 00 00 00 00  off
      01 00 00 00  namelen
      04 00 00 00  type DIR
      2e 00 00 00 00 00 00 00  name . and padding
      02 00 00 00 01 00 00 00  ino
      04 00 00 00 00 00 00 00  off
      08 00 00 00  namelen
      08 00 00 00  type REG
      66 69 6c 65 2d 61 62 63  name file-abc`,
  });
});

test('READDIRPLUS: attributes before each name, and none for one that is not looked up', () => {
  checkCase({
    opcode: 'READDIRPLUS',
    body: readIn(4096),
    serve: (note) => ({
      readdir(request, fh, offset, plus) {
        note(fh, offset, plus);
        request.addEntry('..', 1, EntryType.DIR, 3);
        request.addEntryPlus('é', entry, 4);
        request.replyDirectory();
      },
    }),
    args: [9, 2, true],
    reply: `
      ${'00 '.repeat(128)}  entry_out
      01 00 00 00 00 00 00 00  ino
      03 00 00 00 00 00 00 00  off
      02 00 00 00  namelen
      04 00 00 00  type DIR
      2e 2e 00 00 00 00 00 00  name ..
      ${entryBytes}
      02 00 00 00 01 00 00 00  ino
      04 00 00 00 00 00 00 00  off
      02 00 00 00  namelen
      08 00 00 00  type REG
      c3 a9 00 00 00 00 00 00  name é`,
  });
});

test('READDIR: an empty answer is the end', () => {
  checkCase({
    opcode: 'READDIR',
    body: readIn(4096),
    serve: () => ({ readdir: (request) => request.replyDirectory() }),
    args: [],
    reply: '',
  });
});

test('READDIR and READDIRPLUS stop before the size the kernel has room for', () => {
  for (const [opcode, each] of [
    [Opcode.READDIR, 32],
    [Opcode.READDIRPLUS, 160],
  ] as const) {
    for (const size of [each * 3, each * 3 + 7, each * 4 - 1]) {
      const taken: boolean[] = [];
      const wire = new Wire({
        readdir(got) {
          for (let at = 0; at < 6; at += 1) taken.push(got.addEntryPlus(`name-${at}`, { ...entry, attr: { ...attr, ino: at } }, at + 1));
          got.replyDirectory();
        },
      });
      const [answer] = wire.serve(request(opcode, hex(readIn(size))));
      assert.deepEqual(taken, [true, true, true, false, false, false]);
      assert.equal(answer?.length, 16 + each * 3);
      assert.deepEqual(wire.errors, []);
    }
  }
});

test('a small answer after a full one has nothing of it', () => {
  const wire = new Wire({
    readdir(got) {
      got.addEntry(got.opcode === Opcode.READDIRPLUS ? 'x'.repeat(200) : 'y', 1, EntryType.REG, 1);
      got.replyDirectory();
    },
  });
  wire.serve(request(Opcode.READDIRPLUS, hex(readIn(4096))));
  const [answer] = wire.serve(request(Opcode.READDIR, hex(readIn(4096))));
  assert.equal(answer?.subarray(40).toString('hex'), '7900000000000000');
});
