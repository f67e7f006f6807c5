import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Service chains while other things happen: guests of their networks come and go, and someone changes the rules that steer. */

const neighbours = ['x1', 'x2', 'x3', 'y1', 'y2', 'y3'];

describe('an active service chain', { skip: whyNoGuests() ?? false, timeout: 300_000 }, () => {
  let lab: ChainLab;
  let fabric: string;

  before(async () => {
    lab = await ChainLab.start(['a', 'b', 'c']);
    for (const [index, name] of neighbours.entries()) {
      const [network, prefix] = name.startsWith('x') ? ['lan', '10.1.0'] : ['wan', '10.2.0'];
      await lab.run(`mkdir -p nf-types/host/${name}/ports/eth0; cd nf-types/host/${name}; echo ${network} > ports/eth0/network
        echo ${prefix}.${20 + index}/24 > ports/eth0/address; echo activate > action`);
    }
    await lab.chain('web', ['a', 'b', 'c']);
    await lab.act('web', 'activate');
    const { mountId } = JSON.parse(await readFile(join(lab.mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
    fabric = `nfio-${mountId}`;
  });
  after(() => lab[Symbol.asyncDispose]());

  const told = async (what: string): Promise<number> =>
    (await lab.run('cat events')).split('\n').filter((line) => line.includes('"path":"chns/web"') && line.includes(`"what":"${what}"`))
      .length;

  test('is edited, and guests of its networks stop and start, all at the same time', async () => {
    const { status, stdout, stderr } = await lab.mount.sh(
      `for v in ${neighbours.join(' ')}; do
         (cd nf-types/host/$v; for n in 1 2 3 4 5 6; do echo stop > action; echo start > action; done) &
       done
       for n in $(seq 15); do for first in b a; do ln -sfn $first chns/web/start; done; done; wait`,
      { timeoutMs: 120_000 },
    );
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
    assert.equal(await lab.ping(3), 3);
    assert.equal(await told('mended'), 0, 'nobody changed its rules');
  });

  test('has new hops that know its hosts: nobody is asked for a hardware address before the first packet passes', async () => {
    const asked = async (host: string): Promise<number> =>
      Number(/packets (\d+)/.exec(await lab.in(host, 'nft list counter netdev asked hops'))?.[1] ?? 'NaN');
    const rules = `table netdev asked { counter hops { }; chain in { type filter hook ingress device "eth0" priority 0; arp operation request arp saddr ip 169.254.0.0/16 counter name hops; }; }`;
    for (const host of ['client', 'server']) await lab.in(host, `nft '${rules}'`);
    await lab.act('web', 'stop');
    await lab.act('web', 'activate');
    assert.equal(await lab.ping(1, '-W 2'), 1);
    assert.deepEqual([await asked('client'), await asked('server')], [0, 0]);
    const known = await lab.in('a', 'ip neigh show dev web.out', 'firewall');
    assert.match(known, /^10\.2\.0\.10 lladdr \S+ (STALE|DELAY|PROBE|REACHABLE)/m);
  });

  for (const [what, command] of [
    ['flushes all rules', 'nft flush ruleset'],
    ['removes the table', 'nft delete table netdev nfio_chains'],
    ['empties the chains', 'nft flush table netdev nfio_chains'],
  ] as const) {
    test(`steers again soon after someone ${what}, says so, and can be edited at once`, async () => {
      const before = await told('mended');
      await lab.mount.sh(`ip netns exec ${fabric} ${command}`);
      await lab.until(async () => (await told('mended')) === before + 1, 'it is told');
      assert.equal(await lab.ping(3), 3);
      const [passed = 0] = await lab.counts('web', 'a');
      assert.equal(await lab.ping(3), 3);
      assert.deepEqual(await lab.counts('web', 'a'), [passed + 6]);
      await lab.run(`ip netns exec ${fabric} ${command}; ln -sfn b chns/web/start; ln -sfn a chns/web/start`);
      await lab.run(`ip netns exec ${fabric} ${command}; echo stop > nf-types/host/x1/action; echo start > nf-types/host/x1/action`);
      assert.equal(await lab.run('cat chns/web/status chns/web/error nf-types/host/x1/error'), 'active\n');
    });
  }
});
