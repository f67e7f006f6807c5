import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Powers over the machine are root's to give, and stay with whom root gave them. */

const alice = 12345;

describe('a guest with powers over the machine', { skip: whyNoGuests() ?? false, timeout: 120_000 }, () => {
  test('is not given away while it is there, and is given away without them', async () => {
    await using mount = await TestMount.start();
    await mount.run(
      'mkdir -p nf-types/host/h; echo privileged=yes > nf-types/host/h/config/boot.conf; echo activate > nf-types/host/h/action',
    );
    for (const file of ['h', 'h/command', 'h/rfs', 'h/action']) {
      const { status, stderr } = await mount.sh(`chown ${alice} nf-types/host/${file}`);
      assert.notEqual(status, 0, file);
      assert.match(stderr, /busy/i);
      assert.match(await mount.run('cat nf-types/host/h/error'), /has powers over this machine, .* echo destroy/);
      assert.equal(await mount.run(`stat -c %u nf-types/host/${file}`), '0\n');
    }
    await mount.run('echo stop > nf-types/host/h/action');
    assert.notEqual((await mount.sh(`chown -R ${alice} nf-types/host/h`)).status, 0, 'a start would bring them back');
    await mount.run(`echo destroy > nf-types/host/h/action; chown -R ${alice} nf-types/host/h`);
    const { status } = await mount.sh('echo activate > nf-types/host/h/action', { uid: alice });
    assert.notEqual(status, 0);
    assert.match(await mount.run('cat nf-types/host/h/error'), /only root may give privileged/);
  });

  test('is not made for who is not root, whatever boot.conf asks for', async () => {
    await using mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host; chmod 1777 nf-types/host');
    await mount.run('mkdir nf-types/host/pc', { uid: alice });
    for (const line of ['privileged=yes', 'capabilities=sys_admin', 'mounts=/root:/mnt', 'network=bridge']) {
      await mount.run(`echo ${line} > nf-types/host/pc/config/boot.conf`, { uid: alice });
      for (const uid of [alice, 0]) {
        const { status, stderr } = await mount.sh('echo activate > nf-types/host/pc/action', { uid });
        assert.notEqual(status, 0, `${line} as ${uid}`);
        assert.match(stderr, /not permitted/);
        assert.match(await mount.run('cat nf-types/host/pc/error'), /only root may give privileged/);
      }
    }
  });

  test('that it was given when it began again is not given away either, also by another server', async () => {
    await using mount = await TestMount.start();
    await mount.run(`mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action; echo stop > nf-types/host/h/action
      echo capabilities=sys_admin > nf-types/host/h/config/boot.conf; echo start > nf-types/host/h/action`);
    await mount.unmount();
    await mount.mount();
    assert.notEqual((await mount.sh(`chown ${alice} nf-types/host/h/command`)).status, 0);
    await mount.run('chown 0:0 nf-types/host/h/command; chmod 640 nf-types/host/h/command');
  });
});
