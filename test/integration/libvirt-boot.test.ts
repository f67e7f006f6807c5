import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';
import { testVnfImage } from '../support/vnf-image.ts';

/** Activates in the background, as a user who wants to watch it, and looks as soon as the machine boots. */
const activate = `
echo activate > action & activation=$!
until [ "$(cat status)" = 'running (booting)' ]; do
  kill -0 $activation || { cat status error; exit 1; }
  sleep 0.05
done
echo "booting: $(cat action)"
echo start > action 2>/dev/null || echo 'refused'
wait $activation
echo "$(cat status): $(cat action)"
`;

describe('a virtual machine that boots', { skip: whyNoLibvirt() ?? false, timeout: patient(360_000) }, () => {
  let daemon: LibvirtDaemon;
  let mount: TestMount;

  before(async () => {
    daemon = await LibvirtDaemon.start();
    mount = await TestMount.start({ hypervisor: 'libvirt', libvirtUri: daemon.uri });
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  it('says so in status, and no verb is offered before it has booted', async () => {
    const image = await testVnfImage();
    await mount.run(`mkdir -p nf-types/host/vm; echo ${image} > nf-types/host/vm/machine/vm.image`);
    const told = await mount.run(`cd nf-types/host/vm; ${activate}`, { timeoutMs: 150_000 });
    assert.equal(told, 'booting: \nrefused\nrunning: stop restart pause reload destroy\n');
  });
});
