import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { testImage } from '../support/guest-image.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { TestMount } from '../support/mount.ts';
import { testVnfImage } from '../support/vnf-image.ts';

/* Verbs on containers and virtual machines that are cancelled by Ctrl-C (INT), kill -9 or timeout(1): taken back or finished. */

const vnf = 'nf-types/firewall/fw';

/** Cancels a verb after so long. @returns the state when nothing is under way any more. */
async function cancel(mount: TestMount, verb: string, how: { readonly signal: string; readonly seconds: number }): Promise<string> {
  const script = `timeout -s ${how.signal} ${how.seconds} dash -c 'echo ${verb} > ${vnf}/action'
    until [ -n "$(cat ${vnf}/action)" ]; do sleep 0.05; done; cat ${vnf}/status`;
  return (await mount.sh(script, { timeoutMs: 240_000 })).stdout.trim();
}

const prepare = `mkdir networks/lan; echo 10.1.0.0/24 > networks/lan/subnet; mkdir -p ${vnf}/ports/lan
  echo lan > ${vnf}/ports/lan/network; echo 10.1.0.1/24 > ${vnf}/ports/lan/address`;

/** The interface of a guest is there, and its rules. */
async function isWhole(mount: TestMount): Promise<void> {
  const script = `{ echo 'ip -o addr show lan' && echo 'nft list ruleset'; } > ${vnf}/command; cat ${vnf}/command`;
  const shown = await mount.run(script, { timeoutMs: 60_000 });
  assert.match(shown, /10\.1\.0\.1\/24/);
  assert.match(shown, /hook forward/);
}

describe('verbs on a container that are cancelled', { skip: whyNoEngine() ?? false, timeout: 400_000 }, () => {
  let engine: TestEngine;
  let mount: TestMount;

  before(async () => {
    engine = await TestEngine.start();
    mount = await TestMount.start({ hypervisor: 'docker', dockerSocket: engine.socket });
    await mount.run(`${prepare}; echo ${testImage} > ${vnf}/machine/vm.image
      echo 'table inet f { chain forward { type filter hook forward priority 0; policy accept; }; }' > ${vnf}/config/nf_conf`);
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
  });

  const containers = async (): Promise<number> => (await engine.ask<readonly unknown[]>('GET', '/containers/json?all=1')).length;

  test('activate is taken back, or done', async () => {
    for (const [index, seconds] of [0.02, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2].entries()) {
      const state = await cancel(mount, 'activate', { signal: ['INT', 'KILL', 'TERM'][index % 3] ?? '', seconds });
      assert.match(state, /^(undeployed|running)$/, `after ${seconds} s`);
      assert.equal(await containers(), state === 'running' ? 1 : 0);
      if (state !== 'running') continue;
      await isWhole(mount);
      await mount.run(`echo destroy > ${vnf}/action`);
    }
  });

  test('restart and stop are finished', async () => {
    await mount.run(`echo activate > ${vnf}/action`);
    for (const [index, seconds] of [0.05, 0.2, 0.5, 1, 2].entries()) {
      const signal = ['INT', 'KILL', 'TERM'][index % 3] ?? '';
      assert.equal(await cancel(mount, 'restart', { signal, seconds }), 'running', `after ${seconds} s`);
      await isWhole(mount);
      assert.match(await cancel(mount, 'stop', { signal, seconds }), /^(exited|running)/);
      assert.match(await cancel(mount, 'start', { signal, seconds: 60 }), /^running$/);
    }
    assert.equal(await cancel(mount, 'destroy', { signal: 'KILL', seconds: 0.1 }), 'undeployed');
    assert.equal(await containers(), 0);
  });
});

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
