import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { killServer } from '../support/over-kills.ts';

/* A file in the place of a directory of nf.io's own costs what that is for, and no server. */

test('a plain file in place of unlinked/ is told, and the next server serves', { timeout: 120_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/h; echo one > nf-types/host/h/config/kept');
  const path = join(mount.root, 'unlinked');
  rmSync(path, { recursive: true, force: true });
  writeFileSync(path, '');
  await killServer(mount);
  const server = await mount.server();
  assert.equal(await mount.run('cd nf-types/host/h/config; exec 3< kept; rm kept; cat <&3; echo two > more; cat more'), 'one\ntwo\n');
  assert.match(await mount.log(), /unlinked cannot be used \(ENOTDIR.*Run: mv /);
  assert.equal(await mount.server(), server);
});
