import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* What a service chain tells of its traffic: verify, trace, latency and counters. */

const dropAll = (side: 'in' | 'out', what: string): string => `cat > nf-types/firewall/b/config/nf_conf <<'EOF'
table inet filter {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "web.${side}" ${what} drop
  }
}
EOF`;

describe('watching service chains', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b', 'c']);
    await lab.serve(80);
    await lab.chain('web', ['a', 'b', 'c'], { match: 'tcp dport 80' });
  });
  after(() => lab[Symbol.asyncDispose]());

  const verify = async (): Promise<string[]> => (await lab.run('echo 1 > chns/web/verify; cat chns/web/verify')).trimEnd().split('\n');

  test('probes, traces and measurements need an active service chain', async () => {
    for (const file of ['verify', 'latency', 'trace']) {
      assert.equal(errnoText(await lab.sh(`echo tcp 10.1.0.10 10.2.0.10 > chns/web/${file}`)), 'Invalid argument');
      assert.match((await lab.values('web', 'error'))[0] ?? '', new RegExp(`^${file}: the service chain is inactive`));
    }
    assert.equal(await lab.run('cat chns/web/verify chns/web/latency chns/web/trace'), '');
    await lab.act('web', 'activate');
  });

  test('verify says that probes pass every hop, both ways, and nobody else sees them', async () => {
    const before = await lab.run('cat nf-types/host/server/ports/eth0/rx_packets');
    const hops = ['a', 'b', 'c'];
    assert.deepEqual(await verify(), [
      'ok',
      ...hops.map((hop) => `forward ${hop} in 3 out 3`),
      ...hops.toReversed().map((hop) => `backward ${hop} in 3 out 3`),
    ]);
    const requests = Number(await lab.run('cat nf-types/host/server/ports/eth0/rx_packets')) - Number(before);
    assert.ok(requests <= 3, `the server was asked for its hardware address at most: ${requests} packets`);
  });

  test('verify names the hop that loses them, and the way', async () => {
    await lab.run(dropAll('in', 'tcp dport 80'));
    const [word, ...seen] = await verify();
    assert.equal(word, 'lost in b, from lan to wan: 3 of 3 probes');
    assert.deepEqual(seen.slice(0, 3), ['forward a in 3 out 3', 'forward b in 3 out 0', 'forward c in 0 out 0']);
    await lab.run(dropAll('out', 'tcp sport 80'));
    assert.equal((await verify())[0], 'lost in b, from wan to lan: 3 of 3 probes');
    await lab.run('echo > nf-types/firewall/b/config/nf_conf; echo stop > nf-types/firewall/b/action');
    assert.equal((await verify())[0], 'lost between a and b, from lan to wan: 3 of 3 probes');
    await lab.run('echo start > nf-types/firewall/b/action');
    assert.equal((await verify())[0], 'ok');
    // Reading acts on nothing.
    const counted = await lab.counts('web', 'a');
    await lab.run('grep -r . chns > /dev/null; cat chns/web/verify > /dev/null');
    assert.deepEqual(await lab.counts('web', 'a'), counted);
  });

  for (const match of ['', 'udp dport { 53, 5353 }', 'icmp type echo-request']) {
    test(`probes look like what the service chain is for: "${match}"`, async () => {
      await lab.run(`echo '${match}' > chns/web/match`);
      assert.equal((await verify())[0], 'ok');
    });
  }

  test('latency is a time for each hop and direction', async () => {
    await lab.run('echo 1 > chns/web/latency');
    const lines = (await lab.run('cat chns/web/latency')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(' ')[0]),
      ['a', 'b', 'c'],
    );
    for (const line of lines) for (const value of line.split(' ').slice(1)) assert.match(value, /^\d+\.\d$/);
  });

  test('trace follows the next packets of a flow, hop by hop', async () => {
    await lab.run("echo 'tcp dport 80' > chns/web/match; echo tcp 10.1.0.10 10.2.0.10:80 > chns/web/trace");
    const zero = await lab.run('cat chns/web/trace');
    assert.match(
      zero,
      /^forward tcp 10\.1\.0\.10 10\.2\.0\.10:80\nlan: 0 seen, 0 taken\na: 0 in, 0 out\nb: 0 in, 0 out\nc: 0 in, 0 out\nwan: 0 out\nbackward tcp 10\.2\.0\.10:80 10\.1\.0\.10\nwan: 0 seen/,
    );
    assert.equal(await lab.connect(80), 'port 80\n');
    const passed = await lab.run('cat chns/web/trace');
    const [, count] = /^lan: (\d+) seen/m.exec(passed) ?? [];
    assert.ok(Number(count) >= 4);
    assert.match(
      passed,
      new RegExp(
        `lan: ${count} seen, ${count} taken\na: ${count} in, ${count} out\nb: ${count} in, ${count} out\nc: ${count} in, ${count} out\nwan: ${count} out\n`,
      ),
    );
    await lab.run(dropAll('in', 'tcp dport 80'));
    await lab.run('echo tcp 10.1.0.10 10.2.0.10:80 > chns/web/trace');
    assert.equal(await lab.connect(80), '');
    assert.match(await lab.run('cat chns/web/trace'), /\nb: (\d+) in, 0 out: \1 dropped, answered or changed here\nc: 0 in/);
    await lab.run('echo > nf-types/firewall/b/config/nf_conf; echo icmp 10.1.0.10 10.2.0.10 > chns/web/trace');
    assert.equal(await lab.ping(3), 3);
    assert.match(await lab.run('cat chns/web/trace'), /^forward icmp .*\nlan: 3 seen, 0 taken, 3 took another way/);
    await lab.run('echo > chns/web/trace');
    assert.equal(await lab.run('cat chns/web/trace'), '');
    assert.equal(errnoText(await lab.sh('echo nonsense > chns/web/trace')), 'Invalid argument');
  });
});
