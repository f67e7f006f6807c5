import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* What a service chain says is what it does: hops that come to run later, counters, and the way it shows. */

describe('what service chains say', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b', 'c', 'd']);
    await lab.chain('web', ['a', 'b', 'c']);
    await lab.act('web', 'activate');
  });
  after(() => lab[Symbol.asyncDispose]());

  const allCounters = async (): Promise<string> => lab.run('cd chns/web; cat stats/* */stats/*_packets */stats/drops');

  test('its counters count traffic, and no probes of nf.io’s own', async () => {
    await lab.run(`cd chns/web; echo mirror > c/mode; ln -s ${lab.vnf('d')} b/`);
    const before = await allCounters();
    await lab.run('cd chns/web; echo 1 > verify; echo 1 > latency');
    assert.match(await lab.run('cat chns/web/verify'), /^ok\n/);
    assert.match(await lab.run('cat chns/web/latency'), /^a \d+\.\d \d+\.\d$/m);
    assert.equal(await allCounters(), before);
    assert.equal(await lab.ping(3), 3);
    assert.deepEqual(
      await lab.values('web', 'stats/in_packets', 'stats/out_packets', 'stats/drops', 'a/stats/in_packets', 'c/stats/in_packets'),
      ['6', '6', '0', '6', '6'],
    );
    // Also what is lost on the way is no drop of the traffic.
    await lab.run(
      "echo 'table inet f { chain f { type filter hook forward priority 0; policy drop; }; }' > nf-types/firewall/a/config/nf_conf; echo 1 > chns/web/verify",
    );
    assert.match(await lab.run('cat chns/web/verify'), /^lost in a, from lan to wan: 3 of 3 probes\n/);
    assert.deepEqual(await lab.values('web', 'stats/drops', 'a/stats/drops'), ['0', '0']);
    await lab.run('echo > nf-types/firewall/a/config/nf_conf; rm chns/web/b/d');
  });

  test('its path shows who only gets copies', async () => {
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b (copies to c) → wan']);
    await lab.run('cd chns/web; echo stop > action');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b (copies to c) → wan']);
    await lab.run('cd chns/web; echo mirror > a/mode; echo activate > action');
    assert.deepEqual(await lab.values('web', 'path'), ['lan (copies to a) → b (copies to c) → wan']);
    await lab.run('cd chns/web; echo routed > a/mode; echo routed > c/mode');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b → c → wan']);
  });

  test('a hop that was linked before it ran is one from when it runs', async () => {
    await lab.run(`mkdir nf-types/firewall/late; cd chns/web; ln -s ${lab.vnf('late')} late; ln -sfn ../late c/next`);
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b → c → wan']);
    assert.match(
      (await lab.values('web', 'error'))[0] ?? '',
      /^hop late: nf-types\/firewall\/late is undeployed\. Run: echo activate > nf-types\/firewall\/late\/action\. Until then traffic goes as path says$/,
    );
    assert.equal(await lab.ping(2), 2);
    await lab.run('echo activate > nf-types/firewall/late/action');
    assert.deepEqual(await lab.values('web', 'path', 'status'), ['lan → a → b → c → late → wan', 'active']);
    assert.equal(await lab.run('cat chns/web/error'), '');
    assert.equal(await lab.ping(2), 2);
    assert.deepEqual(await lab.counts('web', 'late'), [4]);
  });

  test('also when nf.io was started anew meanwhile, and when the link came before the instance', async () => {
    await lab.run(
      'cd chns/web; rm c/next; rmdir late; echo destroy > ../../nf-types/firewall/late/action; rmdir ../../nf-types/firewall/late',
    );
    await lab.run(`cd chns/web; ln -s ${lab.vnf('late')} late; ln -sfn ../late c/next`);
    assert.match((await lab.values('web', 'error'))[0] ?? '', /^hop late: late leads to .*, which is no instance\. Until then/);
    await lab.run('mkdir nf-types/firewall/late');
    assert.match((await lab.values('web', 'error'))[0] ?? '', /^hop late: nf-types\/firewall\/late is undeployed/);
    await lab.mount.unmount();
    await lab.mount.mount();
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b → c → wan']);
    assert.match((await lab.values('web', 'error'))[0] ?? '', /^hop late: nf-types\/firewall\/late is undeployed/);
    await lab.run('echo activate > nf-types/firewall/late/action');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b → c → late → wan']);
    assert.equal(await lab.ping(2), 2);
  });

  test('a hop that is being taken apart does not come in again when something else starts', async () => {
    await lab.run('cd chns/web; rm c/next');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b → c → late → wan']);
    await lab.run('echo restart > nf-types/firewall/d/action; echo restart > nf-types/firewall/a/action');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b → c → late → wan']);
    await lab.run('rmdir chns/web/late');
    assert.deepEqual(await lab.values('web', 'path', 'status'), ['lan → a → b → c → wan', 'active']);
    assert.equal(await lab.ping(2), 2);
  });
});
