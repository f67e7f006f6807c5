import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { SmallDisk } from '../support/small-disk.ts';

/* A disk that answers nothing for a while (fsfreeze(8)): who writes to it waits, and nobody else. */

/** Longer than a disk is trusted that was quick. */
const idleMs = 1500;

describe('while the disk of the root does not answer', { timeout: 200_000 }, () => {
  test('one who writes, makes or removes files waits; all else is answered, and nothing is lost', async () => {
    using disk = new SmallDisk({ megabytes: 32 });
    await using mount = await TestMount.start({ root: join(disk.path, 'root') });
    await mount.run(
      'mkdir nf-types/host nf-types/host/h; echo activate > nf-types/host/h/action; echo old > nf-types/host/h/config/a; echo x > nf-types/host/h/config/gone',
    );
    const server = await mount.server();
    await sleep(idleMs);
    execFileSync('fsfreeze', ['--freeze', disk.path]);
    let writers: Promise<string>;
    let others: string;
    try {
      writers = mount.run(
        `
        echo new > nf-types/host/h/config/a & (: > nf-types/host/h/config/made) & rm nf-types/host/h/config/gone & mv nf-types/host/h/config/a2 nf-types/host/h/config/b 2>/dev/null &
        echo through > nf-types/host/h/rfs/root/f & wait; echo done`,
        { timeoutMs: 100_000 },
      );
      await sleep(500);
      others = await mount.run(
        'cat nf-types/host/h/status; grep -c . nf-types/host/h/stats/rx_bytes; ls nf-types/host nf-types/host/h/ports; stat -f -c %T .',
        { timeoutMs: 60_000 },
      );
    } finally {
      execFileSync('fsfreeze', ['--unfreeze', disk.path]);
    }
    assert.match(others, /^running\n1\n/);
    assert.equal(await writers, 'done\n');
    assert.equal(
      await mount.run('cat nf-types/host/h/config/a nf-types/host/h/rfs/root/f; ls nf-types/host/h/config'),
      'new\nthrough\na\nmade\n',
    );
    assert.equal(await mount.server(), server);
  });

  test('data of a large file goes to it and comes from it whole', async () => {
    using disk = new SmallDisk({ megabytes: 64 });
    await using mount = await TestMount.start({ root: join(disk.path, 'root') });
    await mount.run('mkdir nf-types/host nf-types/host/h');
    const script = `
      head -c 9000000 /dev/urandom > ../data; (cat ../data; sleep 3; cat ../data) > nf-types/host/h/config/f &
      sleep 0.3; for i in 1 2 3; do fsfreeze --freeze ${disk.path}; sleep 0.4; fsfreeze --unfreeze ${disk.path}; sleep 1.2; cat nf-types/host/h/config/f > /dev/null; done; wait
      cat ../data ../data | cmp - nf-types/host/h/config/f && tail -c 9000000 nf-types/host/h/config/f | cmp - ../data && echo same`;
    assert.equal(await mount.run(script, { timeoutMs: 100_000 }), 'same\n');
  });
});
