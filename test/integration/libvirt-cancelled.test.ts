import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cancel, isWhole, prepare, vnf } from '../support/cancelled-verbs.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { TestMount } from '../support/mount.ts';
import { testVnfImage } from '../support/vnf-image.ts';

describe('verbs on a virtual machine that are cancelled', { skip: whyNoLibvirt() ?? false, timeout: 420_000 }, () => {
  let daemon: LibvirtDaemon;
  let mount: TestMount;

  before(async () => {
    daemon = await LibvirtDaemon.start();
    mount = await TestMount.start({ hypervisor: 'libvirt', libvirtUri: daemon.uri });
    await mount.run(`${prepare}; echo ${await testVnfImage()} > ${vnf}/machine/vm.image
      echo 'table inet f { chain forward { type filter hook forward priority 0; policy accept; }; }' > ${vnf}/config/nf_conf`);
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  test('activate is taken back, or done, restart is finished, destroy too', async () => {
    const back = /^activate: interrupted by its caller; the VNF is as it was before\n$/;
    for (const [index, seconds] of [0.3, 2].entries()) {
      const state = await cancel(mount, 'activate', { signal: ['INT', 'KILL'][index] ?? '', seconds });
      assert.match(state, /^(undeployed|running)$/, `after ${seconds} s`);
      assert.match(await mount.run(`cat ${vnf}/error`), state === 'running' ? /^$/ : back);
      if (state === 'running') await mount.run(`echo destroy > ${vnf}/action`);
    }
    await mount.run(`echo activate > ${vnf}/action || { cat ${vnf}/error; exit 1; }`, { timeoutMs: 180_000 });
    assert.equal(await cancel(mount, 'restart', { signal: 'KILL', seconds: 1 }), 'running');
    await isWhole(mount);
    assert.equal(await cancel(mount, 'destroy', { signal: 'KILL', seconds: 0.05 }), 'undeployed');
  });
});
