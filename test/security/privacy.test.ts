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

test('config/ is its owner’s to look into, and another’s once she says so', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/hers; echo secret > nf-types/host/hers/config/key; chown -R 12345 nf-types/host/hers');
  const read = 'cat nf-types/host/hers/config/key';
  assert.equal(await mount.run(read, { uid: 12345 }), 'secret\n');
  for (const other of ['ls nf-types/host/hers/config', read, 'cp -r nf-types/host/hers/config /dev/shm/stolen-$$'])
    assert.match((await mount.sh(other, { uid: 12346 })).stderr, /Permission denied/);
  await mount.run('chmod 755 nf-types/host/hers/config', { uid: 12345 });
  assert.equal(await mount.run(read, { uid: 12346 }), 'secret\n');
});
