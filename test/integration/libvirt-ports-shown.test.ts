import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { TestMount } from '../support/mount.ts';
import { testVnfImage } from '../support/vnf-image.ts';

const timeoutMs = 120_000;

describe('state and mtu of a port of a virtual machine', { skip: whyNoLibvirt() ?? false, timeout: 400_000 }, () => {
  let daemon: LibvirtDaemon;
  let mount: TestMount;
  const vnf = 'nf-types/host/h';
  const port = `${vnf}/ports/lan`;
  const run = (script: string): Promise<string> => mount.run(script, { timeoutMs });
  const is = (): Promise<string> => run(`cat ${port}/state ${port}/mtu; grep -r '' ${port}/mtu`);
  const inGuest = (command: string): Promise<string> => run(`echo '${command}' > ${vnf}/command; cat ${vnf}/command`);

  before(async () => {
    daemon = await LibvirtDaemon.start();
    mount = await TestMount.start({ hypervisor: 'libvirt', libvirtUri: daemon.uri });
    await run(`mkdir networks/lan; echo 10.1.0.0/24 > networks/lan/subnet; mkdir -p ${port}; echo lan > ${port}/network
      echo 10.1.0.1/24 > ${port}/address; echo ${await testVnfImage()} > ${vnf}/machine/vm.image; echo activate > ${vnf}/action`);
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  test('are what it is, and are set back where that is asked for', async () => {
    assert.equal(await is(), 'up\n1500\n1500\n');
    await inGuest('ip link set lan mtu 1300');
    assert.equal(await is(), 'up\n1300\n1300\n');
    await inGuest('ip link set lan down mtu 1280');
    await run(`echo 1500 > ${port}/mtu`);
    assert.equal(await is(), 'down\n1500\n1500\n');
    await run(`echo up > ${port}/state`);
    assert.equal(await is(), 'up\n1500\n1500\n');
    assert.match(await inGuest('ip -o link show lan'), /[<,]UP[,>].* mtu 1500 /);
    await run(`echo stop > ${vnf}/action`);
    assert.equal(await is(), 'up\n1500\n1500\n');
  });
});
