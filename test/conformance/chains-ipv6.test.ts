import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Service chains between IPv6 networks. */

const pings = 'icmpv6 type { echo-request, echo-reply }';

/** The first hop marks packets, the last one marks those that are marked: one that avoided either shows at the server. */
const marks = { a: 'ip6 dscp set cs1', c: 'ip6 dscp cs1 ip6 dscp set cs2' } as const;

describe('service chains of IPv6', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b', 'c', 'd'], { families: [6] });
    await lab.serve(80, 81);
    await lab.chain('web', ['a', 'b', 'c'], { match: 'tcp dport 80' });
  });
  after(() => lab[Symbol.asyncDispose]());

  const verify = async (): Promise<string[]> => (await lab.run('echo 1 > chns/web/verify; cat chns/web/verify')).trimEnd().split('\n');
  const match = (text: string): Promise<string> => lab.run(`echo '${text}' > chns/web/match`);
  const configure = (name: string, rules: string): Promise<string> =>
    lab.run(`cat > nf-types/firewall/${name}/config/nf_conf <<'EOF'\n${rules}\nEOF`);
  const forwarding = (rules: string, policy = 'accept'): string =>
    `table inet filter {\n chain forward {\n type filter hook forward priority filter; policy ${policy};\n ${rules}\n }\n}`;

  test('take packets through every hop, both ways, from the first one on, and leave the rest', async () => {
    await lab.act('web', 'activate');
    assert.equal(await lab.connect(80), 'port 80\n');
    const counts = await lab.counts('web', 'a', 'b', 'c');
    assert.ok((counts[0] ?? 0) >= 8 && new Set(counts).size === 1, `${counts}`);
    assert.doesNotMatch(await lab.in('a', 'ip -6 addr', 'firewall'), /tentative|mngtmpaddr/);
    assert.equal(await lab.connect(81), 'port 81\n');
    assert.equal(await lab.ping(2), 2);
    assert.deepEqual(await lab.counts('web', 'a', 'b', 'c'), counts);
    assert.deepEqual(await lab.values('web', 'path', 'status', 'error', 'stats/drops'), ['lan → a → b → c → wan', 'active', '', '0']);
  });

  for (const text of [pings, 'meta l4proto ipv6-icmp', 'ip6 saddr fd00:1::10 ip6 daddr fd00:2::/64', '']) {
    test(`match "${text}", turned round on the way back`, async () => {
      await match(text);
      const [before = 0] = await lab.counts('web', 'b');
      assert.equal(await lab.ping(3), 3);
      assert.deepEqual(await lab.counts('web', 'b'), [before + 6]);
      assert.match(await lab.in('client', `ping -n -c 1 ${lab.server}`), /ttl=61/);
      assert.equal((await verify())[0], 'ok');
    });
  }

  test('take whole packets that come in fragments', async () => {
    const [before = 0] = await lab.counts('web', 'c');
    assert.equal(await lab.ping(2, '-s 4000 -i 0.02 -W 1'), 2);
    assert.deepEqual(await lab.counts('web', 'c'), [before + 12]);
    await match('tcp dport 80');
  });

  test('are not for what is of IPv4 only', async () => {
    for (const text of ['ip saddr 10.1.0.1', 'icmp type echo-request', 'meta protocol ip tcp dport 80']) {
      assert.equal(errnoText(await lab.sh(`echo '${text}' > chns/web/match`)), 'Invalid argument');
      assert.match((await lab.values('web', 'error'))[0] ?? '', /is about packets that are not on lan and wan, which both have IPv6$/);
    }
    assert.deepEqual(await lab.values('web', 'match'), ['tcp dport 80']);
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('reach what is beyond the gateway of the egress, and leave neighbours alone', async () => {
    await lab.run(`mkdir nf-types/host/outer; cd nf-types/host/outer; mkdir ports/eth0; echo wan > ports/eth0/network
      echo fd00:2::fe/64 > ports/eth0/address; echo activate > action`);
    await lab.in('outer', 'ip addr add fd00:9::1/128 dev lo nodad; ip route replace fd00:1::/64 via fd00:2::1');
    await lab.run('echo fd00:2::fe > networks/wan/gateway');
    await match('');
    const [before = 0] = await lab.counts('web', 'a');
    const answers = await lab.in('client', 'ip -6 neigh flush dev eth0; ping -n -q -c 3 -i 0.02 fd00:9::1');
    const [counted = 0] = await lab.counts('web', 'a');
    await lab.run('echo > networks/wan/gateway; echo destroy > nf-types/host/outer/action; rmdir nf-types/host/outer');
    await match('tcp dport 80');
    assert.match(answers, /3 received/);
    assert.equal(counted, before + 6);
  });

  test('have hops whose errors find their way back, from an address that routers pass on', async () => {
    await match(pings);
    const said = await lab.in('client', `for hops in 1 2 3; do ping -n -c 1 -t $hops -W 1 ${lab.server}; done`);
    assert.equal(said.match(/^From fd[0-9a-f]{2}:\S+ icmp_seq=1 Time exceeded/gm)?.length, 3, said);
    assert.equal(new Set(said.match(/^From \S+/gm)).size, 3);
    await match('tcp dport 80');
  });

  test('change under traffic, and no packet avoids a hop that stays', async () => {
    for (const [name, rule] of Object.entries(marks)) await configure(name, forwarding(`icmpv6 type echo-request ${rule}`));
    await lab.in(
      'server',
      "nft -f - <<'EOR'\ntable inet seen {\n counter bypassed { }\n chain input { type filter hook input priority filter; icmpv6 type echo-request ip6 dscp != cs2 counter name bypassed\n }\n}\nEOR",
    );
    await match(pings);
    assert.equal(await lab.ping(3), 3);
    const answered = lab.ping(800, '-i 0.004 -W 1');
    await delay(100);
    for (const step of [
      'ln -sfn ../c a/next; rm -r b',
      `ln -s ${lab.vnf('d')} d; ln -s ../c d/next; ln -sfn ../d a/next`,
      'rm -r d',
      `ln -s ${lab.vnf('b')} b; ln -s ../c b/next; ln -sfn ../b a/next`,
    ])
      await lab.run(`cd chns/web; ${step}`);
    const received = await answered;
    assert.ok(received >= 795, `${received} of 800 pings were answered`);
    assert.match(await lab.in('server', 'nft list counter inet seen bypassed; nft delete table inet seen'), /packets 0 /);
    assert.deepEqual(await lab.values('web', 'path', 'status'), ['lan → a → b → c → wan', 'active']);
    for (const name of Object.keys(marks)) await configure(name, '');
  });

  test('stop at a dead hop or go around it, as their policy says, and are whole at once when it is back', async () => {
    await lab.run('echo stop > nf-types/firewall/b/action');
    assert.equal(await lab.ping(3, '-i 0.02 -W 0.2'), 0);
    await lab.run('echo open > chns/web/policy/failure');
    assert.equal(await lab.ping(3), 3);
    await lab.run('echo start > nf-types/firewall/b/action; echo closed > chns/web/policy/failure');
    assert.equal(await lab.ping(3, '-i 0.02 -W 0.2'), 3);
  });

  test('go on while nf.io is killed, and are known to the next', async () => {
    process.kill(await lab.mount.server(), 'SIGKILL');
    assert.equal(await lab.ping(3), 3);
    await lab.until(async () => (await lab.values('web', 'status'))[0] === 'active', 'the new server knows the service chain');
    await lab.run(
      `ln -sfn ../c chns/web/a/next; rm -r chns/web/b; cd chns/web; ln -s ${lab.vnf('b')} b; ln -s ../c b/next; ln -sfn ../b a/next`,
    );
    assert.equal(await lab.ping(3), 3);
    await match('tcp dport 80');
  });

  test('follow networks that change their version of IP, and steer nothing between two of them', async () => {
    await match('');
    await lab.run('echo 10.1.0.0/24 > networks/lan/subnet');
    assert.deepEqual(await lab.values('web', 'status', 'error'), [
      'degraded',
      'its networks have no subnets of one version of IP that it matches: traffic is not steered',
    ]);
    assert.equal(await lab.ping(2), 2);
    await lab.run('echo 10.2.0.0/24 > networks/wan/subnet');
    assert.deepEqual(await lab.values('web', 'status'), ['active']);
    assert.doesNotMatch(await lab.in('a', 'ip -6 rule; ip -6 route show table all', 'firewall'), /10737/);
    await lab.run('echo fd00:1::/64 > networks/lan/subnet; echo fd00:2::/64 > networks/wan/subnet');
    const [before = 0] = await lab.counts('web', 'b');
    assert.equal(await lab.ping(3, '-i 0.02 -W 0.2'), 3);
    assert.deepEqual(await lab.counts('web', 'b'), [before + 6]);
    await match('tcp dport 80');
  });

  test('verify, measure and trace', async () => {
    assert.deepEqual(await verify(), [
      'ok',
      ...['a', 'b', 'c'].map((hop) => `forward ${hop} in 3 out 3`),
      ...['c', 'b', 'a'].map((hop) => `backward ${hop} in 3 out 3`),
    ]);
    assert.match(
      await lab.run('echo 1 > chns/web/latency; cat chns/web/latency'),
      /^a \d+\.\d \d+\.\d\nb \d+\.\d \d+\.\d\nc \d+\.\d \d+\.\d\n$/,
    );
    await lab.run('echo tcp FD00:1:0::10 [fd00:2::10]:80 > chns/web/trace');
    assert.equal(await lab.connect(80), 'port 80\n');
    const trace = await lab.run('cat chns/web/trace');
    const [, count = '0'] = /^forward tcp fd00:1::10 \[fd00:2::10\]:80\nlan: (\d+) seen/.exec(trace) ?? [];
    assert.ok(Number(count) >= 4, trace);
    assert.match(
      trace,
      new RegExp(`^b: ${count} in, ${count} out\nc: ${count} in, ${count} out\nwan: ${count} out\nbackward tcp \\[`, 'm'),
    );
    await configure('b', forwarding('iifname "web.in" tcp dport 80 drop'));
    assert.equal((await verify())[0], 'lost in b, from lan to wan: 3 of 3 probes');
    await lab.run('echo > nf-types/firewall/b/config/nf_conf; echo > chns/web/trace');
    for (const flow of [
      'tcp fd00:1::10 10.2.0.10',
      'icmp [fd00:1::10]:1 fd00:2::10',
      'tcp fe80::1%eth0 fd00:2::10',
      'tcp [10.1.0.10]:1 10.2.0.10',
    ])
      assert.equal(errnoText(await lab.sh(`echo '${flow}' > chns/web/trace`)), 'Invalid argument');
    await match(pings);
    await lab.run('echo icmp fd00:1::10 fd00:2::10 > chns/web/trace');
    assert.equal(await lab.ping(3), 3);
    assert.match(await lab.run('cat chns/web/trace; echo > chns/web/trace'), /^lan: 3 seen, 3 taken\na: 3 in, 3 out\n/m);
  });

  test('share a hop among instances, each flow with one of them in both directions', async () => {
    await match('tcp dport 80');
    await lab.run(`ln -s ${lab.vnf('d')} chns/web/b/`);
    const stateful = forwarding('ct state established,related accept\n iifname "web.in" accept', 'drop');
    for (const name of ['b', 'd']) await configure(name, stateful);
    const answers = await lab.in(
      'client',
      `for i in $(seq 40); do timeout 2 bash -c 'exec 3<>/dev/tcp/${lab.server}/80 && cat <&3'; done 2>/dev/null | sort | uniq -c`,
    );
    assert.match(answers, /^ *40 port 80$/m);
    for (const name of ['b', 'd'])
      assert.ok(Number(await lab.run(`cat nf-types/firewall/${name}/stats/rx_packets`)) > 40, `${name} has its share`);
    for (const name of ['b', 'd']) await configure(name, '');
    await lab.run('rm chns/web/b/d');
  });

  for (const [what, modes, hops] of [
    ['in the middle', { a: 'routed', b: 'transparent', c: 'routed' }, 2],
    ['at both ends', { a: 'transparent', b: 'routed', c: 'transparent' }, 1],
    // The plain router passes the packets on.
    ['everywhere', { a: 'transparent', b: 'transparent', c: 'transparent' }, 1],
  ] as const) {
    test(`pass bumps in the wire as they are: ${what}`, async () => {
      for (const [hop, mode] of Object.entries(modes)) await lab.run(`echo ${mode} > chns/web/${hop}/mode`);
      await match('tcp dport 80');
      assert.equal((await verify())[0], 'ok');
      assert.equal(await lab.connect(80), 'port 80\n');
      await match(pings);
      assert.match(await lab.in('client', `ping -n -c 1 -W 1 ${lab.server}`), new RegExp(`ttl=${64 - hops}`));
    });
  }

  test('have the gateway of the hosts as a hop as well', async () => {
    await lab.run(`for hop in a b c; do echo routed > chns/web/$hop/mode; done
      cd chns/web; ln -s ${lab.vnf('r', 'router')} gw; ln -s ../a gw/next; ln -sfn gw start`);
    assert.deepEqual(await lab.values('web', 'path'), ['lan → r → a → b → c → wan']);
    assert.match(await lab.in('client', `ping -n -c 1 -W 1 ${lab.server}`), /ttl=60/);
    assert.equal((await verify())[0], 'ok');
    await lab.run('rm -r chns/web/gw');
    assert.equal(await lab.ping(2), 2);
  });

  test('give mirrors copies', async () => {
    await lab.run('for hop in a c; do echo routed > chns/web/$hop/mode; done; echo mirror > chns/web/b/mode');
    const before = await lab.counts('web', 'a', 'b', 'c');
    assert.equal(await lab.ping(3), 3);
    assert.deepEqual(
      await lab.counts('web', 'a', 'b', 'c'),
      before.map((count) => count + 6),
    );
    await lab.run('echo routed > chns/web/b/mode');
    assert.equal(await lab.ping(3), 3);
  });

  test('leave nothing behind in guests when they are stopped', async () => {
    await lab.act('web', 'stop');
    assert.doesNotMatch(
      await lab.in('a', 'ip -o link; ip -6 addr; ip -6 rule; ip -6 route show table all', 'firewall'),
      /web|unreachable|10737|fe80/,
    );
    assert.equal(await lab.in('a', 'cat /proc/sys/net/ipv6/conf/default/disable_ipv6', 'firewall'), '1\n');
    assert.equal(await lab.ping(2), 2);
  });
});
