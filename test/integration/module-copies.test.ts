import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* VNFs of a user's own type, with files that only a guest that runs can tell, and files that nobody is to read, are copied and searched as any other. */

describe('VNFs of a module of examples/', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 60_000 }, () => {
  let mount: TestMount;

  before(async () => {
    mount = await TestMount.start({ modules: join(import.meta.dirname, '..', '..', 'examples', 'modules') });
    await mount.run('mkdir -p nf-types/blocklist/a; echo for the lab > nf-types/blocklist/a/note');
  });
  after(() => mount?.[Symbol.asyncDispose]());

  test('are searched without an error while they sleep, and have no number to tell then', async () => {
    assert.equal(await mount.run('cat nf-types/blocklist/a/stats/added nf-types/blocklist/a/block; cat nf-types/blocklist/a/error'), '');
    assert.equal(await mount.run('grep -r "for the" nf-types/blocklist/a'), 'nf-types/blocklist/a/note:for the lab\n');
  });

  for (const [program, copy] of [
    ['cp', 'cp -r nf-types/blocklist/a nf-types/blocklist/b'],
    ['tar', 'mkdir nf-types/blocklist/b; tar c -C nf-types/blocklist/a . | tar x -C nf-types/blocklist/b'],
    ['rsync', 'rsync -a nf-types/blocklist/a/ nf-types/blocklist/b'],
  ] as const) {
    test(`are copied by ${program}, which reports nothing`, async () => {
      const { status, stdout, stderr } = await mount.sh(`set -e -o pipefail; ${copy}; cat nf-types/blocklist/b/note`);
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'for the lab\n', stderr: '' });
      await mount.run('rmdir nf-types/blocklist/b');
    });
  }
});
