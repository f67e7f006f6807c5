import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOfText, type FileSystem, Opcode, type Request, textOfBytes } from '../../src/fuse/index.ts';
import { reply, request, Wire } from '../support/wire.ts';

const names: string[] = [];

function take(got: Request, ...given: readonly string[]): void {
  names.push(...given);
  got.replyOk();
}

const fs: FileSystem = {
  lookup: take,
  unlink: take,
  symlink: take,
  mkdir: (got, name) => take(got, name),
  rename: (got, name, to) => take(got, name, to.name),
  setxattr: (got, name) => take(got, name),
};

/** The errno that each way of giving a name is answered with; the names that reached the file system. */
function give(name: Buffer): {
  readonly lookup: number;
  readonly mkdir: number;
  readonly unlink: number;
  readonly rename: number;
  readonly seen: string[];
} {
  const wire = new Wire(fs);
  names.length = 0;
  const ended = Buffer.concat([name, Buffer.of(0)]);
  const errno = (opcode: number, body: Buffer): number => Math.abs(wire.serve(request(opcode, body))[0]?.readInt32LE(4) ?? 1);
  const lookup = errno(Opcode.LOOKUP, ended);
  const mkdir = errno(Opcode.MKDIR, Buffer.concat([Buffer.alloc(8), ended]));
  const unlink = errno(Opcode.UNLINK, ended);
  const rename = errno(Opcode.RENAME, Buffer.concat([Buffer.alloc(8), Buffer.from('a\0'), ended]));
  assert.deepEqual(wire.errors, []);
  return { lookup, mkdir, unlink, rename, seen: [...names] };
}

test('names that are not UTF-8 come as text that keeps their bytes', () => {
  for (const hex of ['ff', '61c3', 'c0af', 'eda080', 'f4908080', '80', 'c3a9ff']) {
    const name = Buffer.from(hex, 'hex');
    const { seen, ...errnos } = give(name);
    assert.deepEqual(errnos, { lookup: 0, mkdir: 0, unlink: 0, rename: 0 });
    for (const text of [seen[0], seen[1], seen[2], seen[4]]) assert.deepEqual(bytesOfText(text ?? ''), name, hex);
  }
  const texts = ['ff', 'c3bf', 'fe', 'edbfbf', 'efbfbd'].map((hex) => textOfBytes(Buffer.from(hex, 'hex')));
  assert.equal(new Set(texts).size, texts.length);
});

test('names, and the text of links, that are not UTF-8 go to the kernel as they are', () => {
  const name = textOfBytes(Buffer.from('61ff62', 'hex'));
  const wire = new Wire({
    readlink: (got) => got.replyText(name),
    readdir: (got) => {
      got.addEntry(name, 7, 8, 1);
      got.replyDirectory();
    },
  });
  assert.deepEqual(wire.serve(request(Opcode.READLINK, Buffer.alloc(0))), [reply(Buffer.from('61ff62', 'hex'))]);
  const body = Buffer.alloc(40);
  body.writeUInt32LE(4096, 16);
  const [listed] = wire.serve(request(Opcode.READDIR, body));
  assert.equal(listed?.subarray(16 + 16).toString('hex'), '030000000800000061ff620000000000');
});

test('255 bytes are a name, 256 are not, whatever the characters', () => {
  assert.equal(give(Buffer.from('x'.repeat(255))).lookup, 0);
  assert.equal(give(Buffer.from('é'.repeat(127))).mkdir, 0);
  assert.deepEqual(give(Buffer.from('x'.repeat(256))), { lookup: 36, mkdir: 36, unlink: 36, rename: 36, seen: [] });
  assert.equal(give(Buffer.from('é'.repeat(128))).mkdir, 36);
});

test('names with a slash never reach the file system', () => {
  for (const name of ['/', 'a/b', '../x']) {
    assert.deepEqual(give(Buffer.from(name)), { lookup: 22, mkdir: 22, unlink: 22, rename: 22, seen: [] });
  }
});

test('a name without its NUL is EIO', () => {
  assert.deepEqual(new Wire(fs).serve(request(Opcode.LOOKUP, Buffer.from('abc'))), [reply(undefined, 5)]);
  assert.deepEqual(new Wire(fs).serve(request(Opcode.SYMLINK, Buffer.from('abc\0def'))), [reply(undefined, 5)]);
});

test('what an earlier, longer request left in the buffer is not taken for part of a name', () => {
  const wire = new Wire(fs);
  wire.serve(request(Opcode.LOOKUP, Buffer.from('a-long-name\0')));
  names.length = 0;
  assert.deepEqual(wire.serve(request(Opcode.LOOKUP, Buffer.from('b-'))), [reply(undefined, 5)]);
  assert.deepEqual(names, []);
});

test('the value of SETXATTR must be in the request', () => {
  const body = Buffer.from([9, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from('user.a\0abc')]);
  assert.deepEqual(new Wire(fs).serve(request(Opcode.SETXATTR, body)), [reply(undefined, 5)]);
});

test('offsets of 2^53 and more: EFBIG, and the end of the file for a READ', () => {
  const beyond: FileSystem = {
    read: () => assert.fail('read'),
    write: () => assert.fail('write'),
    fallocate: () => assert.fail('fallocate'),
    lseek: () => assert.fail('lseek'),
    setlk: () => assert.fail('setlk'),
  };
  const body = Buffer.alloc(48);
  body.writeUInt32LE(0x200000, 12);
  body.writeUInt32LE(0x200000, 20);
  const wire = new Wire(beyond);
  assert.deepEqual(wire.serve(request(Opcode.READ, body)), [reply()]);
  for (const [opcode, errno] of [
    [Opcode.WRITE, 27],
    [Opcode.FALLOCATE, 27],
    [Opcode.LSEEK, 6],
    [Opcode.SETLK, 75],
  ] as const) {
    const sized = Buffer.from(body);
    if (opcode === Opcode.WRITE) sized.writeUInt32LE(1, 16);
    assert.deepEqual(wire.serve(request(opcode, sized)), [reply(undefined, errno)]);
  }
});
