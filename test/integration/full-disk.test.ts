import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

describe('on a full disk', { skip: whyNoGuests() ?? false, timeout: 120_000 }, () => {
  const disk = mkdtempSync('/tmp/nfio-full-');
  const host = 'nf-types/host/h';
  let mount: TestMount;

  before(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
    mount = await TestMount.start({ root: disk });
    await mount.run(`mkdir -p ${host}; echo 'command=sh -c "trap \\"exit 3\\" TERM; while :; do sleep 0.05; done"' > ${host}/config/boot.conf
      echo activate > ${host}/action; echo 'echo old' > ${host}/command`);
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    execFileSync('umount', [disk]);
    rmdirSync(disk);
  });

  const fill = (): Promise<unknown> => mount.sh(`cat /dev/zero > ${disk}/filling`);
  const empty = (): Promise<unknown> => mount.run(`rm ${disk}/filling`);

  test('who writes a command whose output is lost hears so, and its status', async () => {
    await fill();
    const { status, stdout, stderr } = await mount.sh(`cd ${host}; echo 'seq 100000' > command || cat error`);
    assert.equal(status, 0);
    assert.match(stderr, /No space left on device/);
    assert.match(stdout, /^command: exit status 0; not all of its output could be kept \(ENOSPC\)\. Make room/);
    const failed = await mount.sh(`cd ${host}; echo 'seq 100000; exit 7' > command || cat error`);
    assert.match(failed.stdout, /^command: exit status 7; not all of its output could be kept/);
    assert.doesNotMatch(await mount.run(`cat ${host}/command`), /old/);
    await empty();
    assert.equal(await mount.run(`cd ${host}; echo 'seq 100000' > command; wc -l < command; cat error`), '100000\n');
  });

  test('the status of a main process is kept', async () => {
    await fill();
    await mount.run(`echo stop > ${host}/action`);
    assert.equal(await mount.run(`cat ${host}/status`), 'exited (3)\n');
    await empty();
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(`cat ${host}/status`), 'exited (3)\n');
  });
});
