import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountInfo } from '../../src/fuse/mount-info.ts';

test('mountinfo: octal escapes, optional fields, lines that are cut off', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
    '47 27 0:43 / /tmp/a\\040b\\134c rw,relatime shared:1 master:2 - fuse.nfio nf\\040io rw,user_id=0',
    '48 27 0:44 /',
    '',
  ].join('\n');
  assert.deepEqual(parseMountInfo(text), [
    { mountpoint: '/mnt2', device: '98:0', type: 'ext3', source: '/dev/root' },
    { mountpoint: '/tmp/a b\\c', device: '0:43', type: 'fuse.nfio', source: 'nf io' },
  ]);
});
