import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cancel, isWhole, prepare, vnf } from '../support/cancelled-verbs.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { testImage } from '../support/guest-image.ts';
import { TestMount } from '../support/mount.ts';

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
