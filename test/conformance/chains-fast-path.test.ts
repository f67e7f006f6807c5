import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Packets that go past the rules of nft: what users see of them is the same. */

const transfers = 5;

describe('the fast path of service chains', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b', 'c'], { families: [4, 6] });
    await lab.serve(80);
    await lab.chain('web', ['a', 'b'], { match: 'tcp dport 80' });
    await lab.act('web', 'activate');
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Some connections; how many packets left hops, as their stats tell and as the counters of nft do. */
  async function connections(address: string = lab.server): Promise<{ left: number; byNft: number }> {
    const before = await leftHops();
    for (let count = 0; count < transfers; count++) assert.equal(await lab.connect(80, address), 'port 80\n');
    const now = await leftHops();
    return { left: now.left - before.left, byNft: now.byNft - before.byNft };
  }

  async function leftHops(): Promise<{ left: number; byNft: number }> {
    const stats = (await lab.values('web', ...['a', 'b'].map((hop) => `${hop}/stats/out_packets`))).map(Number);
    const listed = await lab.run(`nsenter --net=/run/netns/nfio-${await mountId()} nft list counters table netdev nfio_chains`);
    const byNft = [...listed.matchAll(/counter from_\w+ \{\s+packets (\d+)/g)].map(([, packets]) => Number(packets));
    return { left: sum(stats), byNft: sum(byNft) };
  }

  async function mountId(): Promise<string> {
    const header = JSON.parse(await lab.run(`cat ${lab.mount.root}/nfio.json`)) as { readonly mountId: string };
    return header.mountId;
  }

  const address6 = 'fd00:2::10';

  test('packets of both versions of IP pass hops and leave the service chain past nft, and are counted', async () => {
    for (const address of [lab.server, address6]) {
      const { left, byNft } = await connections(address);
      assert.ok(left >= transfers * 2 * 6, `${left} packets left the hops`); // at least six packets a connection, through two hops
      assert.equal(byNft, 0, `${byNft} of ${left} packets to ${address} were passed on by nft`);
    }
    const [inside, outside, drops] = await lab.values('web', 'stats/in_packets', 'stats/out_packets', 'stats/drops');
    assert.deepEqual([outside, drops], [inside, '0']);
    const [bytesIn, bytesOut] = await lab.values('web', 'a/stats/in_bytes', 'b/stats/out_bytes');
    assert.equal(bytesOut, bytesIn);
  });

  test('the counters of the network see what comes to its ports so', async () => {
    const sent = async (): Promise<number> => Number(await lab.run('cat networks/wan/stats/tx_packets'));
    const received = async (): Promise<number> => Number(await lab.run('cat nf-types/host/server/stats/rx_packets'));
    const before = [await sent(), await received()] as const;
    await connections();
    const [packets, atServer] = [(await sent()) - before[0], (await received()) - before[1]];
    assert.ok(atServer >= transfers * 3, `${atServer} packets came to the server`);
    assert.ok(packets >= atServer, `the network sent ${packets} packets to its ports, the server got ${atServer}`);
  });

  test('what is traced goes by nft, which looks at it, and past it afterwards', async () => {
    await lab.run(`echo 'tcp 10.1.0.10 ${lab.server}:80' > chns/web/trace`);
    const traced = await connections();
    assert.equal(traced.byNft, traced.left);
    await lab.run('echo > chns/web/trace');
    assert.equal((await connections()).byNft, 0);
  });

  test('what a mirror or several instances are ahead of goes by nft', async () => {
    await lab.run(`cd chns/web; ln -s ${lab.vnf('c')} c; echo mirror > c/mode; ln -s ../b c/next; ln -sfn ../c a/next`);
    const mirrored = await connections();
    assert.ok(mirrored.byNft > 0 && mirrored.byNft < mirrored.left, `${mirrored.byNft} of ${mirrored.left}`);
    await lab.run(`cd chns/web; ln -sfn ../b a/next; rm -r c; ln -s ${lab.vnf('c')} b/`);
    const shared = await connections();
    assert.ok(shared.byNft > 0 && shared.byNft < shared.left, `${shared.byNft} of ${shared.left}`);
    await lab.run('rm chns/web/b/c');
    assert.equal((await connections()).byNft, 0);
  });

  test('a port with a rate is reached by its queue', async () => {
    await lab.run('echo 50000000 > nf-types/host/server/ports/eth0/rate');
    const limited = await connections();
    assert.ok(limited.byNft > 0 && limited.byNft < limited.left, `${limited.byNft} of ${limited.left}`);
    await lab.run('echo > nf-types/host/server/ports/eth0/rate');
    assert.equal((await connections()).byNft, 0);
  });

  test('a host that was started anew is reached as before', async () => {
    await lab.run('echo restart > nf-types/host/server/action');
    await lab.serve(80);
    assert.equal((await connections()).byNft, 0);
  });

  test('what offers ways may die: all of them are offered again at the next change', async () => {
    const before = await leftHops();
    await lab.run(`pkill -KILL -f '^nfio-fast-path ${await mountId()} '`);
    await lab.run('echo 99 > chns/web/priority; echo "ip protocol tcp" > chns/web/match');
    assert.ok((await leftHops()).left >= before.left);
    assert.equal((await connections()).byNft, 0);
  });

  test('counts go on after nf.io was killed, and packets past nft', async () => {
    const before = await leftHops();
    process.kill(await lab.mount.server(), 'SIGKILL');
    await lab.until(async () => (await lab.sh('cat chns/web/status')).stdout === 'active\n', 'the service chain is active');
    assert.ok((await leftHops()).left >= before.left);
    assert.equal((await connections()).byNft, 0);
  });
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
