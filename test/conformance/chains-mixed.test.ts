import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { loadTestImages, testImage } from '../support/guest-image.ts';

/* One service chain over namespaces and containers. */

describe('a service chain through namespaces and a container', { skip: whyNoEngine() ?? false, timeout: 170_000 }, () => {
  let engine: TestEngine;
  let lab: ChainLab;

  before(async () => {
    engine = await TestEngine.start();
    await loadTestImages(engine.socket);
    lab = await ChainLab.start(['a', 'c'], { dockerSocket: engine.socket });
    await lab.run(`mkdir hosts/box; echo docker > hosts/box/hypervisor; echo 127.0.0.1 > hosts/box/address
      mkdir nf-types/host/b; cd nf-types/host/b; echo box > machine/ip; echo ${testImage} > machine/vm.image; echo activate > action`);
    await lab.serve(80);
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]().finally(() => engine[Symbol.asyncDispose]());
  });

  test('is steered, verified and changed as any other', async () => {
    await lab.run(`mkdir chns/web; cd chns/web; ln -s ../../nf-types/firewall/a a; ln -s ../../nf-types/host/b b; ln -s ../../nf-types/firewall/c c
      ln -s a start; ln -s ../b a/next; ln -s ../c b/next; echo lan > ingress; echo wan > egress; echo 'tcp dport 80' > match
      echo activate > action`);
    assert.equal(await lab.run('cat chns/web/path; echo 1 > chns/web/verify; head -n 1 chns/web/verify'), 'lan → a → b → c → wan\nok\n');
    assert.equal(await lab.connect(80), 'port 80\n');
    const [a = 0, b = 0, c = 0] = await lab.counts('web', 'a', 'b', 'c');
    assert.ok(a >= 8 && a === b && b === c, `${a} ${b} ${c}`);
    await lab.run('echo restart > nf-types/host/b/action');
    assert.equal(await lab.connect(80), 'port 80\n');
    await lab.run('echo transparent > chns/web/b/mode');
    assert.equal(await lab.run('echo 1 > chns/web/verify; head -n 1 chns/web/verify'), 'ok\n');
    await lab.run('rm -r chns/web/b');
    assert.equal(await lab.run('cat chns/web/path'), 'lan → a → c → wan\n');
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('stops at a container that is killed, and goes on when it is back', async () => {
    await lab.run('cd chns/web; ln -s ../../nf-types/host/b b; ln -s ../c b/next; ln -sfn ../b a/next');
    assert.equal(await lab.connect(80), 'port 80\n');
    await lab.run('echo stop > nf-types/host/b/action');
    assert.equal(await lab.run('cat chns/web/status'), 'degraded\n');
    assert.equal(await lab.connect(80), '');
    await lab.run('echo start > nf-types/host/b/action');
    assert.equal(await lab.connect(80), 'port 80\n');
  });
});
