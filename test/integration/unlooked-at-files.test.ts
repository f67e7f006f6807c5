import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { killServer } from '../support/over-kills.ts';

/* One file of the root that cannot be read or looked at costs what it says. A directory in its place stands for a bad disk here: each read of it fails, and not with ENOENT. */

const setUp = `mkdir -p nf-types/host/{runs,ended}; for vnf in runs ended; do echo activate > nf-types/host/$vnf/action; done
  echo 'touch /tmp/was-here' > nf-types/host/runs/command; echo stop > nf-types/host/ended/action; sync nf-types`;
const runsOn = `cat nf-types/host/runs/status; echo 'ls /tmp/was-here' > nf-types/host/runs/command; cat nf-types/host/runs/command`;
const running = 'running\n/tmp/was-here\n';

function inPlaceOf(path: string): Disposable {
  renameSync(path, `${path}.whole`);
  mkdirSync(path);
  return {
    [Symbol.dispose]: () => {
      rmdirSync(path);
      renameSync(`${path}.whole`, path);
    },
  };
}

describe('after the death of a server, and by a new mount', () => {
  test('all others are found when what one left that does not run cannot be looked at', { timeout: 240_000 }, async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    const guests = join(mount.root, 'guests');
    const [, last = ''] = readdirSync(guests).sort(); // by when they were made
    const ended = join(guests, last);
    renameSync(ended, `${ended}.whole`);
    writeFileSync(ended, ''); // what is looked for below fails with ENOTDIR
    await killServer(mount);
    assert.equal(await mount.run(runsOn), running);
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(runsOn), running);
    assert.match(await mount.log(), /nf-types\/host\/ended does not run, and what it left cannot be looked at: ENOTDIR.*Mend that: ls -la/);
    rmSync(ended);
    renameSync(`${ended}.whole`, ended);
    await mount.unmount();
    await mount.mount();
    assert.match(await mount.run('cat nf-types/host/ended/status'), /^exited \(\d+\)\n$/);
  });

  test('guests are found by the copy of nfio.json when that cannot be read', { timeout: 240_000 }, async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    {
      using _ = inPlaceOf(join(mount.root, 'nfio.json'));
      await killServer(mount);
      assert.equal(await mount.run(runsOn), running);
      assert.match(await mount.log(), /nfio\.json was not to be read \(EISDIR: .*nfio\.json'\), and is made again of its copy/);
    }
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(runsOn), running);
    await mount.run('mkdir nf-types/host/new');
  });

  test('a change that fails names the file in its way, and succeeds once that is mended', { timeout: 240_000 }, async () => {
    // Nothing is cached: what stands in for a record that cannot be read is another file than the kernel knew.
    await using mount = await TestMount.start({ attrTimeoutMs: 0 });
    await mount.run(setUp);
    const record = join(mount.root, 'nf-types/host/runs/.record.json');
    {
      using _ = inPlaceOf(record);
      await mount.sh('echo 64M > nf-types/host/runs/machine/vm.memory');
      assert.match(
        await mount.run('cat nf-types/host/runs/error'),
        /could not be written \(EISDIR\)\. .*See what: ls -la .*\/nf-types\/host\/runs/,
      );
      await killServer(mount);
      assert.match(await mount.run('cat nf-types/host/{runs,ended}/status'), /^unreadable\nexited \(\d+\)\n$/);
      assert.match(await mount.log(), /nf-types\/host\/runs\/\.record\.json cannot be written \(EISDIR.*What it should hold is in /);
    }
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(runsOn), running);
    await mount.run('echo 96M > nf-types/host/runs/machine/vm.memory; [ "$(cat nf-types/host/runs/machine/vm.memory)" = 100663296 ]');
  });
});
