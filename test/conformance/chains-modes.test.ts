import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Hops that do not route, and hops of several instances. */

describe('modes of hops', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b', 'c', 'd']);
    await lab.serve(80, 81);
    await lab.chain('web', ['a', 'b', 'c'], { match: 'tcp dport 80' });
    await lab.act('web', 'activate');
  });
  after(() => lab[Symbol.asyncDispose]());

  const verify = async (): Promise<string> => (await lab.run('echo 1 > chns/web/verify; cat chns/web/verify')).split('\n')[0] ?? '';
  const ttl = async (): Promise<string | undefined> => /ttl=(\d+)/.exec(await lab.in('client', 'ping -n -c 1 10.2.0.10'))?.[1];

  for (const [what, modes, hops] of [
    ['in the middle', { a: 'routed', b: 'transparent', c: 'routed' }, 2],
    ['first', { a: 'transparent', b: 'routed', c: 'routed' }, 2],
    ['last', { a: 'routed', b: 'routed', c: 'transparent' }, 2],
    ['all but one', { a: 'transparent', b: 'routed', c: 'transparent' }, 1],
    // The plain router passes the packets on.
    ['all', { a: 'transparent', b: 'transparent', c: 'transparent' }, 1],
  ] as const) {
    test(`a bump in the wire passes packets as they are: ${what}`, async () => {
      await lab.run(
        Object.entries(modes)
          .map(([hop, mode]) => `echo ${mode} > chns/web/${hop}/mode`)
          .join('\n'),
      );
      assert.equal(await verify(), 'ok');
      const [before = 0] = await lab.counts('web', 'a');
      assert.equal(await lab.connect(80), 'port 80\n');
      const counts = await lab.counts('web', 'a', 'b', 'c');
      assert.ok((counts[0] ?? 0) >= before + 8);
      await lab.run("echo 'icmp type { echo-request, echo-reply }' > chns/web/match");
      assert.equal(await ttl(), String(64 - hops));
      await lab.run("echo 'tcp dport 80' > chns/web/match");
    });
  }

  test('a bump in the wire can still stop what passes', async () => {
    await lab.run('echo routed > chns/web/a/mode; echo routed > chns/web/c/mode');
    await lab.in(
      'b',
      "nft -f - <<'EOF'\ntable bridge stop {\n chain forward { type filter hook forward priority 0; tcp dport 80 drop\n }\n}\nEOF",
      'firewall',
    );
    assert.equal(await lab.connect(80), '');
    await lab.in('b', 'nft delete table bridge stop', 'firewall');
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('a mirror gets a copy of everything, and cannot stop it', async () => {
    await lab.run('echo mirror > chns/web/b/mode');
    await lab.in(
      'b',
      'nft -f - <<\'EOF\'\ntable netdev see {\n counter copies { }\n chain in { type filter hook ingress device "web.in" priority 0; policy drop; counter name copies\n }\n}\nEOF',
      'firewall',
    );
    const before = await lab.counts('web', 'a', 'b', 'c');
    assert.equal(await lab.connect(80), 'port 80\n');
    const after = await lab.counts('web', 'a', 'b', 'c');
    const [a = 0, b = 0, c = 0] = after.map((count, index) => count - (before[index] ?? 0));
    assert.ok(a >= 8 && a === c && b === a, `${a} ${b} ${c}`);
    assert.equal(Number(/packets (\d+)/.exec(await lab.in('b', 'nft list counter netdev see copies', 'firewall'))?.[1]), b);
    assert.equal(await verify(), 'ok');
    await lab.run('echo stop > nf-types/firewall/b/action');
    assert.deepEqual(await lab.values('web', 'status', 'error'), [
      'degraded',
      'hop b: nf-types/firewall/b is exited; nobody gets its copies',
    ]);
    assert.equal(await lab.connect(80), 'port 80\n');
    await lab.run('echo start > nf-types/firewall/b/action; echo routed > chns/web/b/mode');
    assert.equal(await verify(), 'ok');
  });

  test('a mode that there is not is refused', async () => {
    assert.equal(errnoText(await lab.sh('echo sideways > chns/web/a/mode')), 'Invalid argument');
    assert.match((await lab.values('web', 'error'))[0] ?? '', /^mode: "sideways" is not one of routed, transparent, mirror/);
  });

  test('several instances share a hop, each flow with one of them in both directions', async () => {
    await lab.run(`echo 'tcp dport { 80, 81 }' > chns/web/match; ln -s ${lab.vnf('d')} chns/web/b/`);
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → {b,d} → c → wan']);
    // A firewall that lets nothing in but answers loses each flow whose answers come by the other instance.
    for (const name of ['b', 'd']) {
      await lab.run(`cat > nf-types/firewall/${name}/config/nf_conf <<'EOF'
table inet stateful {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "web.in" accept
  }
}
EOF`);
    }
    const answers = await lab.in(
      'client',
      `for i in $(seq 40); do timeout 2 bash -c 'exec 3<>/dev/tcp/10.2.0.10/80 && cat <&3'; done 2>/dev/null | sort | uniq -c`,
    );
    assert.match(answers, /^ *40 port 80$/m);
    const seen = await Promise.all(['b', 'd'].map(async (name) => Number(await lab.run(`cat nf-types/firewall/${name}/stats/rx_packets`))));
    for (const packets of seen) assert.ok(packets > 40, `both have their share: ${seen}`);
  });

  test('replicas makes clones of the first instance, and removes them again', async () => {
    await lab.run('cd chns/web; test "$(cat a/replicas)" = 1; echo 3 > a/replicas; test "$(cat a/replicas)" = 3');
    assert.equal(await lab.run('ls nf-types/firewall; readlink chns/web/a/a-2'), 'a\na-2\na-3\nb\nc\nd\n../../../nf-types/firewall/a-2\n');
    assert.deepEqual(await lab.values('web', 'path', 'status'), ['lan → {a,a-2,a-3} → {b,d} → c → wan', 'active']);
    assert.equal(
      await lab.run('cat chns/web/a/*/status; cmp nf-types/firewall/a/config/nf_conf nf-types/firewall/a-3/config/nf_conf'),
      'running\n'.repeat(3),
    );
    for (let i = 0; i < 6; i += 1) assert.equal(await lab.connect(80), 'port 80\n');
    for (const wrong of ['0', '99', 'many', '-1'])
      assert.equal(errnoText(await lab.sh(`echo ${wrong} > chns/web/a/replicas`)), 'Invalid argument');
    assert.equal(errnoText(await lab.sh('echo 1 > chns/web/b/replicas')), 'Invalid argument');
    assert.match((await lab.values('web', 'error'))[0] ?? '', /^replicas: 2 of its instances were not made by replicas\./);
    await lab.run('echo 1 > chns/web/a/replicas');
    assert.equal(await lab.run('ls nf-types/firewall'), 'a\nb\nc\nd\n');
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('an instance that ends leaves its share to the others, and gets it back', async () => {
    await lab.run('echo stop > nf-types/firewall/d/action');
    assert.match(
      (await lab.values('web', 'status', 'error')).join(' '),
      /^degraded hop b: nf-types\/firewall\/d is exited; the others have its share/,
    );
    for (let i = 0; i < 8; i += 1) assert.equal(await lab.connect(80), 'port 80\n');
    await lab.run('echo start > nf-types/firewall/d/action; rm chns/web/b/b');
    assert.deepEqual(await lab.values('web', 'path', 'status'), ['lan → a → d → c → wan', 'active']);
    assert.equal(await lab.connect(80), 'port 80\n');
  });
});
