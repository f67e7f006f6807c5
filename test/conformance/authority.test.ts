import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* Ownership is authority: who owns a VNF's files acts on it, and nobody else but root. */

const alice = 12345;
const mallory = 12346;
let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  await mount.run(
    'mkdir -p nf-types/host/hers nf-types/host/roots networks/lan; mkdir nf-types/host/hers/ports/p; chown -R 12345:12345 nf-types/host/hers; chgrp 12345 networks/lan/ports; chmod 2775 networks/lan/ports',
  );
});

after(() => mount[Symbol.asyncDispose]());

async function denied(script: string, uid: number): Promise<void> {
  const { status, stderr } = await mount.sh(script, { uid });
  assert.notEqual(status, 0, script);
  assert.match(stderr, /Permission denied|not permitted/, script);
}

test('chown -R hands a VNF over, every file of it', async () => {
  const owners = await mount.run('cd nf-types/host/hers; find . -not -path "./rfs*" -printf "%U %p\\n" | grep -v "^12345 " || true');
  assert.equal(owners, '');
});

test('its owner configures, runs and destroys it', async () => {
  const script = `cd nf-types/host/hers; echo 64M > machine/vm.memory; echo lan > ports/p/network; mkdir ports/q; echo x > config/x; echo activate > action
    cat status; echo 'echo hello' > command; cat command; cat stats/rx_bytes > /dev/null; echo down > ports/q/state; rmdir ports/q; echo stop > action; echo destroy > action; cat status error`;
  assert.equal(await mount.run(script, { uid: alice }), 'running\nhello\nundeployed\n');
});

test('nobody else acts on it, or reads what ran in it', async () => {
  const there = 'nf-types/host/hers';
  for (const script of [
    'echo activate > action',
    'echo 1G > machine/vm.memory',
    'echo id > command',
    'cat command',
    'touch config/y',
    'mkdir ports/z',
    'rmdir ports/p',
    'echo up > ports/p/state',
    'chown 12346 action',
    'chmod 666 action',
    `rmdir ../hers`,
    'mv ../hers ../mine',
    `sed -i s/64/65/ machine/vm.memory`,
  ])
    await denied(`cd ${there}; ${script}`, mallory);
  assert.equal(await mount.run(`cat ${there}/{status,machine/vm.memory}`, { uid: mallory }), 'undeployed\n67108864\n');
});

test('nor does she act on others’', async () => {
  for (const script of [
    'echo activate > nf-types/host/roots/action',
    'mkdir nf-types/host/more',
    'mkdir networks/more',
    'echo 10.0.0.0/8 > networks/lan/subnet',
    'rmdir networks/lan',
    'mkdir nf-types/firewall',
    'mv nf-types/host/hers nf-types/host/mine',
    'rmdir nf-types/host/hers',
  ])
    await denied(script, alice);
});

test('who may make instances owns what he makes, by his umask', async () => {
  await mount.run('mkdir -p nf-types/router; chmod 1777 nf-types/router');
  await mount.run('umask 027; mkdir nf-types/router/mine; mkdir nf-types/router/mine/ports/p; touch nf-types/router/mine/config/f', {
    uid: alice,
  });
  assert.equal(
    await mount.run('cd nf-types/router; stat -c "%U:%u:%a" mine mine/ports/p mine/config/f mine/action mine/machine/ip'),
    'UNKNOWN:12345:750\nUNKNOWN:12345:750\nUNKNOWN:12345:640\nUNKNOWN:12345:644\nUNKNOWN:12345:644\n',
  );
  await denied('ls nf-types/router/mine', mallory);
  await denied('rmdir nf-types/router/mine', mallory);
  await mount.run('rmdir nf-types/router/mine', { uid: alice });
});

test('chmod and chgrp of one file are kept, and asked', async () => {
  await mount.run('cd nf-types/host/roots; chgrp 12345 action; chmod 664 action; chmod 600 status');
  await denied('cat nf-types/host/roots/status', alice);
  await mount.run('echo activate > nf-types/host/roots/action; echo destroy > nf-types/host/roots/action', { uid: alice });
  await mount.unmount();
  await mount.mount();
  assert.equal(
    await mount.run('cd nf-types/host; stat -c "%a %g" roots/action roots/status; stat -c %u hers/action'),
    '664 12345\n600 0\n12345\n',
  );
});
