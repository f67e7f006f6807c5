import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { loadTestImages, testImage } from '../support/guest-image.ts';
import { patient } from '../support/patience.ts';

/* One IPv6 service chain over namespaces and containers. */

describe('an IPv6 service chain through namespaces and a container', { skip: whyNoEngine() ?? false, timeout: patient(360_000) }, () => {
  let engine: TestEngine;
  let lab: ChainLab;

  before(async () => {
    engine = await TestEngine.start();
    await loadTestImages(engine.socket);
    lab = await ChainLab.start(['a'], { dockerSocket: engine.socket, families: [6] });
    await lab.run(`mkdir hosts/box; echo docker > hosts/box/hypervisor; echo 127.0.0.1 > hosts/box/address
      mkdir nf-types/host/b; cd nf-types/host/b; echo box > machine/ip; echo ${testImage} > machine/vm.image; echo activate > action`);
    await lab.serve(80);
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]().finally(() => engine[Symbol.asyncDispose]());
  });

  const verify = (): Promise<string> => lab.run('echo 1 > chns/web/verify; head -n 1 chns/web/verify');

  test('is steered, verified and changed as any other, and the container has IPv6 on its ports alone', async () => {
    await lab.run(`mkdir chns/web; cd chns/web; ln -s ../../nf-types/firewall/a a; ln -s ../../nf-types/host/b b; ln -s ../b a/next; ln -s a start
      echo lan > ingress; echo wan > egress; echo 'tcp dport 80' > match; echo activate > action`);
    assert.equal(await verify(), 'ok\n');
    assert.equal(await lab.connect(80), 'port 80\n');
    const [a = 0, b = 0] = await lab.counts('web', 'a', 'b');
    assert.ok(a >= 8 && a === b, `${a} ${b}`);
    assert.equal(await lab.in('b', 'cat /proc/sys/net/ipv6/conf/default/disable_ipv6'), '1\n');
    await lab.run('echo restart > nf-types/host/b/action');
    assert.equal(await lab.connect(80), 'port 80\n');
    await lab.run('echo transparent > chns/web/b/mode');
    assert.equal(await verify(), 'ok\n');
    await lab.run('echo routed > chns/web/b/mode; echo stop > nf-types/host/b/action');
    assert.equal(await lab.connect(80), '');
    await lab.run('echo start > nf-types/host/b/action');
    assert.equal(await lab.connect(80), 'port 80\n');
  });
});
