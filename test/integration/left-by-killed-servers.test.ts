import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { killServer } from '../support/over-kills.ts';

/* A server that is killed while it starts the process for system calls leaves nothing in the directory of temporary files. */

test('no temporary file outlives the server that made it', { timeout: 120_000 }, async () => {
  const { TMPDIR } = process.env;
  const temporary = mkdtempSync(join(tmpdir(), 'nfio-temporary-'));
  process.env['TMPDIR'] = temporary; // the daemon inherits it
  try {
    await using mount = await TestMount.start({ root: join(temporary, 'root') });
    const own = (): string[] => readdirSync(temporary).filter((name) => name.startsWith('nfio-calls'));
    await mount.run('mkdir -p nf-types/host/h');
    let ended = false;
    const calls = mount.run('mkfifo nf-types/host/h/config/pipe; [ -p nf-types/host/h/config/pipe ]').finally(() => {
      ended = true;
    });
    while (!ended && own().length === 0) await delay(1);
    if (!ended) await killServer(mount);
    await calls;
    await killServer(mount);
    await mount.run('mkfifo nf-types/host/h/config/other; setfattr -n user.a -v b nf-types/host/h/config');
    assert.deepEqual(own(), []);
  } finally {
    if (TMPDIR === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = TMPDIR;
    rmSync(temporary, { recursive: true, force: true });
  }
});
