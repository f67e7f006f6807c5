import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* What a guest says is its owner's. */

test('the log of a VNF is its owner’s to read, and another’s once she says so', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/hers; chown -R 12345 nf-types/host/hers; echo activate > nf-types/host/hers/action');
  const read = 'cat nf-types/host/hers/log > /dev/null';
  await mount.run(read, { uid: 12345 });
  assert.match((await mount.sh(read, { uid: 12346 })).stderr, /Permission denied/);
  await mount.run('chmod 444 nf-types/host/hers/log', { uid: 12345 });
  await mount.run(read, { uid: 12346 });
});
