import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* A guest makes directories below each other until no path reaches the last (PATH_MAX, limits.h): nothing that nf.io does with its files gets stuck there. */

describe('a guest whose directories lead deeper than a path', { skip: whyNoGuests() ?? false, timeout: 180_000 }, () => {
  test('is destroyed, made again and removed', async () => {
    await using mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action');
    const dig = 'perl -e \'for (1 .. 60) { mkdir "d" x 200 and chdir "d" x 200 or die $! } open F, ">deep"; print "dug"\'';
    for (const _ of [1, 2]) {
      assert.match(await mount.run(`cd nf-types/host/h; cat > command <<'END'\ncd /var/tmp; ${dig}\nEND\ncat command`), /dug/);
      await mount.run('echo destroy > nf-types/host/h/action; cat nf-types/host/h/status; echo activate > nf-types/host/h/action');
    }
    await mount.run(
      'echo stop > nf-types/host/h/action; echo start > nf-types/host/h/action; echo destroy > nf-types/host/h/action; rmdir nf-types/host/h',
    );
    assert.equal(await mount.run('ls nf-types/host'), '');
  });
});
