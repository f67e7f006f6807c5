import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Networks with subnets of both versions of IP, and a service chain between them. */

describe('a service chain of both versions of IP', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b'], { families: [4, 6] });
    await lab.serve(80);
    await lab.chain('web', ['a', 'b'], { match: 'tcp dport 80' });
  });
  after(() => lab[Symbol.asyncDispose]());

  const [four, six] = ['10.2.0.10', 'fd00:2::10'];
  const match = (text: string): Promise<string> => lab.run(`echo '${text}' > chns/web/match`);
  const pings = (address: string): Promise<number> => lab.ping(2, '-i 0.02 -W 0.5', address);
  const verify = async (): Promise<string[]> => (await lab.run('echo 1 > chns/web/verify; cat chns/web/verify')).trimEnd().split('\n');
  const counted = async (): Promise<number> => (await lab.counts('web', 'b'))[0] ?? 0;

  test('a network has one subnet of each, a port addresses in both, and a host routes by both', async () => {
    assert.equal(await lab.run('cat networks/lan/subnet'), '10.1.0.0/24\nfd00:1::/64\n');
    assert.match(await lab.in('client', 'ip route; ip -6 route'), /^default via 10\.1\.0\.1 [\s\S]*^default via fd00:1::1 /m);
    for (const [path, value] of [
      ['networks/lan/subnet', '10.1.0.0/24 10.3.0.0/24'],
      ['networks/lan/subnet', '10.1.0.0/24, fd00:1::/64, fd00:3::/64'],
      ['networks/lan/subnet', '10.1.0.0/24 fd00:2::/64'],
      ['networks/lan/gateway', '10.1.0.1 10.1.0.2'],
      ['networks/lan/gateway', '10.1.0.1 fd00:2::1'],
      ['nf-types/host/client/ports/eth0/address', '10.1.0.10/24 fd00:9::10/64'],
    ] as const)
      assert.equal(errnoText(await lab.sh(`echo '${value}' > ${path}`)), 'Invalid argument', value);
    assert.equal(await pings(four), 2);
    // A router cannot ask for neighbours before its own link-local addresses are found to be nobody else's.
    await lab.until(async () => (await pings(six)) === 2, 'the router passes IPv6 on');
  });

  test('takes what matches of both', async () => {
    await lab.act('web', 'activate');
    for (const address of [four, six]) {
      const before = await counted();
      assert.equal(await lab.connect(80, address), 'port 80\n');
      assert.ok((await counted()) >= before + 8, address);
    }
  });

  for (const [text, taken, other] of [
    ['icmp type { echo-request, echo-reply }', four, six],
    ['icmpv6 type { echo-request, echo-reply }', six, four],
    ['ip saddr 10.1.0.10', four, six],
    ['ip6 saddr fd00:1::10', six, four],
  ] as const) {
    test(`takes of one version what matches that only: ${text}`, async () => {
      await match(text);
      const before = await counted();
      assert.equal(await pings(other), 2);
      assert.equal(await counted(), before);
      assert.equal(await pings(taken), 2);
      assert.equal(await counted(), before + 4);
      assert.equal((await verify())[0], 'ok');
    });
  }

  test('is verified and measured for each', async () => {
    await match('tcp dport 80');
    const both = (direction: string, hops: readonly string[]): string[] => hops.map((hop) => `${direction} ${hop} in 3 out 3`);
    const one = [...both('forward', ['a', 'b']), ...both('backward', ['b', 'a'])];
    assert.deepEqual(await verify(), ['ok', ...one.map((line) => `IPv4 ${line}`), ...one.map((line) => `IPv6 ${line}`)]);
    await lab.run(
      "printf 'table inet f {\\n chain forward {\\n type filter hook forward priority 0;\\n meta nfproto ipv6 drop\\n }\\n}\\n' > nf-types/firewall/b/config/nf_conf",
    );
    assert.equal((await verify())[0], 'IPv6 lost in b, from lan to wan: 3 of 3 probes');
    await lab.run('echo > nf-types/firewall/b/config/nf_conf');
    assert.match(
      await lab.run('echo 1 > chns/web/latency; cat chns/web/latency'),
      /^IPv4 a \S+ \S+\nIPv4 b \S+ \S+\nIPv6 a \S+ \S+\nIPv6 b \S+ \S+\n$/,
    );
  });

  test('goes on for one version when a network loses the other, and has it back at once', async () => {
    await match('');
    await lab.run('echo 10.1.0.0/24 > networks/lan/subnet');
    let before = await counted();
    assert.equal(await pings(six), 2);
    assert.equal(await counted(), before);
    assert.equal(await pings(four), 2);
    assert.equal(await counted(), before + 4);
    assert.doesNotMatch(await lab.in('a', 'ip -6 rule', 'firewall'), /web/);
    await lab.run('echo 10.1.0.0/24 fd00:1::/64 > networks/lan/subnet');
    before = await counted();
    assert.equal(await pings(six), 2);
    assert.equal(await pings(four), 2);
    assert.equal(await counted(), before + 8);
    assert.deepEqual(await lab.values('web', 'status'), ['active']);
  });

  test('passes both by bumps in the wire', async () => {
    await lab.run('echo transparent > chns/web/a/mode');
    for (const address of [four, six]) assert.equal(await pings(address), 2);
    assert.equal((await verify())[0], 'ok');
  });
});
