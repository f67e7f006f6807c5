import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* Who may put ports on a network, and connect one to the machine. */

const alice = 12345;
const bob = 12346;
let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  await mount.run(`mkdir -p nf-types/host/hers/ports/p nf-types/host/late/ports/p networks/hers networks/lan networks/hidden
    chmod 700 networks/hidden; chmod 777 networks/hidden/ports
    chown -R ${alice} nf-types/host/hers nf-types/host/late networks/hers`);
});

after(() => mount[Symbol.asyncDispose]());

async function refused(script: string, uid: number): Promise<void> {
  const { status, stderr } = await mount.sh(script, { uid });
  assert.notEqual(status, 0, script);
  assert.match(stderr, /not permitted/, script);
}

test('a port joins a network whose ports/ its caller may write, and no other', async () => {
  const port = 'nf-types/host/hers/ports/p/network';
  for (const name of ['lan', 'hidden']) await refused(`echo ${name} > ${port}`, alice);
  assert.match(await mount.run('cat nf-types/host/hers/error'), /you may not put ports on network hidden/);
  assert.equal(await mount.run(`cat ${port}`), '');
  await mount.run(`echo hers > ${port}`, { uid: alice });
});

test('chgrp and chmod of ports/ share a network with a group, as supplementary group too', async () => {
  await mount.run('chgrp 54321 networks/lan; chgrp 54321 networks/lan/ports; chmod 2775 networks/lan/ports');
  const port = 'nf-types/host/hers/ports/p/network';
  await refused(`echo lan > ${port}`, alice);
  await mount.run(`setpriv --reuid ${alice} --regid ${alice} --groups 54321 bash -c 'echo lan > ${port}'`);
  assert.equal(await mount.run(`cat ${port}`), 'lan\n');
});

test('a network that is closed, or made by another after its name was written, is not joined by starting', async () => {
  await mount.run('chmod 777 networks/lan/ports');
  await mount.run('echo lan > nf-types/host/late/ports/p/network', { uid: alice });
  await mount.run('chmod 755 networks/lan/ports');
  await refused('echo activate > nf-types/host/late/action', alice);
  assert.equal(await mount.run('cat nf-types/host/late/status'), 'undeployed\n');
});

test('only root connects a network to an interface of the machine', async () => {
  await refused('echo lo > networks/hers/uplink', alice);
  assert.match(await mount.run('cat networks/hers/error'), /only root may connect a network/);
  assert.notEqual((await mount.sh('echo lo > networks/hers/uplink', { uid: bob })).status, 0);
});
