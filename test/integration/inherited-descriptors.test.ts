import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nfioPath } from '../support/nfio-command.ts';
import { shell } from '../support/shell.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nfio-test-'));
  await mkdir(join(directory, 'mnt'));
});
after(() => rm(directory, { recursive: true }));

test('a lock that a script holds while it mounts is free when the script lets it go', async () => {
  const script = `
    exec 200> lock; flock 200; "$node" "$nfio" mount --root root mnt > /dev/null || exit 1; exec 200>&-
    flock -n lock true; held=$?
    mkdir -p mnt/nf-types/host/h; echo activate > mnt/nf-types/host/h/action; cat mnt/nf-types/host/h/status
    "$node" "$nfio" umount --destroy mnt > /dev/null; exit $held`;
  const env = { node: process.execPath, nfio: nfioPath };
  const { status, stdout, stderr } = await shell(script, { cwd: directory, timeoutMs: 60_000, env });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, 'running\n');
});
