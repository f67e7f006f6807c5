import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Notifier } from '../../src/fuse/index.ts';
import { failure, hex, WireTransport } from '../support/wire.ts';

const cases: readonly (readonly [string, (notifier: Notifier) => boolean, string])[] = [
  [
    'INVAL_INODE',
    (notifier) => notifier.invalInode(0x1_0000_0007, -1, 0),
    `
      28 00 00 00  len
      02 00 00 00  error: code INVAL_INODE
      00 00 00 00 00 00 00 00  unique
      07 00 00 00 01 00 00 00  ino
      ff ff ff ff ff ff ff ff  off: attributes only
      00 00 00 00 00 00 00 00  len`,
  ],
  [
    'INVAL_ENTRY',
    (notifier) => notifier.invalEntry(7, 'é'),
    `
      23 00 00 00  len
      03 00 00 00  code
      00 00 00 00 00 00 00 00  unique
      07 00 00 00 00 00 00 00  parent
      02 00 00 00  namelen, without the NUL
      00 00 00 00  flags
      c3 a9 00  name`,
  ],
  [
    'DELETE',
    (notifier) => notifier.delete(7, 8, 'gone'),
    `
      2d 00 00 00  len
      06 00 00 00  code
      00 00 00 00 00 00 00 00  unique
      07 00 00 00 00 00 00 00  parent
      08 00 00 00 00 00 00 00  child
      04 00 00 00  namelen
      00 00 00 00  padding
      67 6f 6e 65 00  name`,
  ],
  [
    'POLL',
    (notifier) => notifier.poll(9),
    `
      18 00 00 00  len
      01 00 00 00  code
      00 00 00 00 00 00 00 00  unique
      09 00 00 00 00 00 00 00  kh`,
  ],
  [
    'RETRIEVE',
    (notifier) => notifier.wake(5),
    `
      30 00 00 00  len
      05 00 00 00  code
      00 00 00 00 00 00 00 00  unique
      00 00 00 00 00 00 00 00  notify_unique
      05 00 00 00 00 00 00 00  nodeid
      00 00 00 00 00 00 00 00  offset
      00 00 00 00  size
      00 00 00 00  padding`,
  ],
  [
    'RESEND',
    (notifier) => notifier.resend(),
    `
      10 00 00 00  len
      07 00 00 00  code
      00 00 00 00 00 00 00 00  unique`,
  ],
];

for (const [name, notify, expected] of cases) {
  test(`${name}: the bytes, and false when the kernel knows nothing of it`, () => {
    const transport = new WireTransport();
    const notifier = new Notifier(transport);
    assert.equal(notify(notifier), true);
    assert.deepEqual(
      transport.replies.map((bytes) => bytes.toString('hex')),
      [hex(expected).toString('hex')],
    );
    transport.refusal = failure('ENOENT');
    assert.equal(notify(notifier), false);
    transport.refusal = failure('EINVAL');
    assert.throws(() => notify(notifier), { code: 'EINVAL' });
  });
}

test('a name of more than 255 bytes is refused', () => {
  const transport = new WireTransport();
  const notifier = new Notifier(transport);
  assert.throws(() => notifier.invalEntry(1, 'é'.repeat(128)), RangeError);
  assert.equal(notifier.delete(1, 2, 'x'.repeat(255)), true);
  assert.equal(transport.replies.length, 1);
});
