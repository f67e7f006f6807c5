import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Service chains that change, fail and survive while packets pass. */

/** The first hop marks packets, the last one marks those that are marked: one that avoided either shows at the server. */
const marks = {
  a: 'ip dscp set cs1',
  c: 'ip dscp cs1 ip dscp set cs2',
} as const;

const pings = 'icmp type { echo-request, echo-reply }';

describe('service chains under way', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b', 'c', 'd']);
    for (const [name, rule] of Object.entries(marks)) {
      await lab.run(`cat > nf-types/firewall/${name}/config/nf_conf <<'EOF'
table inet marks {
  chain forward {
    type filter hook forward priority filter; policy accept;
    icmp type echo-request ${rule}
  }
}
EOF`);
    }
    await lab.in(
      'server',
      `nft -f - <<'EOF'
table inet seen {
  counter bypassed { }
  chain input { type filter hook input priority filter; icmp type echo-request ip dscp != cs2 counter name bypassed
  }
}
EOF`,
    );
    await lab.serve(80);
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Packets that reached the server without the marks of both hops. */
  const bypassed = async (): Promise<number> =>
    Number(/packets (\d+)/.exec(await lab.in('server', 'nft list counter inet seen bypassed'))?.[1] ?? 'NaN');

  /** Pings while something is done. @returns how many were sent and how many were answered. */
  async function under(count: number, change: () => Promise<void>): Promise<{ sent: number; answered: number }> {
    const answered = lab.ping(count, '-i 0.004 -W 1');
    await delay(100);
    await change();
    return { sent: count, answered: await answered };
  }

  test('hops come, go and change places under traffic, and no packet avoids one that stays', async () => {
    await lab.chain('web', ['a', 'b', 'c'], { match: pings });
    await lab.act('web', 'activate');
    assert.equal(await lab.ping(3), 3);
    const [before, ids] = [await bypassed(), await lab.run('cat nf-types/firewall/*/machine/vm.id')];
    const paths: string[] = [];
    const step = async (script: string): Promise<void> => {
      await lab.run(`cd chns/web; ${script}`);
      paths.push(...(await lab.values('web', 'path')));
    };
    const { sent, answered } = await under(900, async () => {
      await step('ln -sfn ../c a/next; rm -r b');
      await step(`ln -s ${lab.vnf('b')} b; ln -s ../c b/next; ln -sfn ../b a/next`);
      await step(`ln -s ${lab.vnf('d')} d; ln -s ../b d/next; ln -sfn ../d a/next`);
      await step('rm -r d');
      await step(`ln -s ${lab.vnf('d')} d; ln -s d CuAbCdEf; ln -s ../a d/next; mv -T CuAbCdEf start`);
      await step('rm -r d');
      await step('mv b bee; ln -sfn ../bee a/next');
    });
    assert.deepEqual(paths, [
      'lan → a → c → wan',
      'lan → a → b → c → wan',
      'lan → a → d → b → c → wan',
      'lan → a → b → c → wan',
      'lan → d → a → b → c → wan',
      'lan → a → b → c → wan',
      'lan → a → b → c → wan',
    ]);
    assert.equal(await bypassed(), before);
    assert.ok(answered >= sent - 7, `${answered} of ${sent} pings were answered`);
    assert.equal(await lab.run('cat nf-types/firewall/*/machine/vm.id'), ids);
    assert.deepEqual(await lab.values('web', 'status', 'error'), ['active']);
  });

  test('an edit of several steps steers nothing until it is whole', async () => {
    const [path] = await lab.values('web', 'path');
    await lab.run('cd chns/web; rm bee/next');
    assert.deepEqual(await lab.values('web', 'path', 'error'), [
      path,
      'nothing leads to hop c: the chain would have two starts; link it from the hop before it, or remove it. Until then traffic goes as path says',
    ]);
    const before = await bypassed();
    assert.equal(await lab.ping(5), 5);
    assert.equal(await bypassed(), before);
    await lab.run('cd chns/web; ln -s ../c bee/next');
    assert.equal(await lab.run('cat chns/web/error'), '');
  });

  test('values change what is steered at once, and one that cannot be is refused', async () => {
    const count = async (): Promise<number> => (await lab.counts('web', 'a'))[0] ?? 0;
    const first = await count();
    await lab.run("echo 'tcp dport 80' > chns/web/match");
    assert.equal(await lab.ping(3), 3);
    assert.equal(await count(), first);
    assert.equal(await lab.connect(80), 'port 80\n');
    assert.ok((await count()) >= first + 8);
    for (const [file, value] of [
      ['match', 'nonsense'],
      ['egress', 'nosuch'],
      ['egress', 'lan'],
      ['ingress', ''],
      ['match', 'tcp dport 80 drop'],
    ] as const) {
      const { status } = await lab.sh(`echo '${value}' > chns/web/${file}`);
      assert.notEqual(status, 0, `${file} ${value}`);
      assert.match((await lab.values('web', 'error'))[0] ?? '', new RegExp(`^${file}: .`));
    }
    assert.deepEqual(await lab.values('web', 'match', 'ingress', 'egress', 'status'), ['tcp dport 80', 'lan', 'wan', 'active']);
    assert.equal(await lab.connect(80), 'port 80\n');
    await lab.run(`echo '${pings}' > chns/web/match`);
  });

  test('a dead hop stops traffic, which goes on when it is back', async () => {
    await lab.run('echo stop > nf-types/firewall/b/action');
    assert.deepEqual(await lab.values('web', 'status', 'error'), [
      'degraded',
      'hop bee: nf-types/firewall/b is exited; traffic stops there (policy/failure is closed)',
    ]);
    assert.equal(await lab.ping(3, '-i 0.02 -W 0.2'), 0);
    assert.ok(Number((await lab.values('web', 'stats/drops'))[0]) >= 3);
    await lab.run('echo start > nf-types/firewall/b/action');
    assert.deepEqual(await lab.values('web', 'status'), ['active']);
    assert.equal(await lab.ping(3), 3);
    assert.match(await lab.run('grep chns/web/bee events'), /"what":"dead".*\n.*"what":"back"/);
  });

  test('with policy open traffic goes around a hop that is killed under load, and through it again', async () => {
    await lab.run('echo open > chns/web/policy/failure');
    const before = await bypassed();
    const { answered } = await under(900, async () => {
      await lab.run('kill -9 $(cat nf-types/firewall/b/machine/vm.id)');
      await lab.until(async () => (await lab.values('web', 'status'))[0] === 'degraded', 'the dead hop is noticed');
    });
    assert.ok(answered > 400, `${answered} of 900 pings were answered`);
    assert.equal(await lab.ping(3), 3);
    assert.equal(await bypassed(), before, 'only the dead hop is gone around');
    assert.match(
      await lab.run('grep chns/web/bee events | tail -n 1'),
      /"what":"bypassed","why":"hop bee: nf-types\/firewall\/b is exited; traffic goes around it/,
    );
    await lab.run('echo start > nf-types/firewall/b/action');
    const [through = 0] = await lab.counts('web', 'bee');
    assert.equal(await lab.ping(3), 3);
    assert.ok(((await lab.counts('web', 'bee'))[0] ?? 0) >= through + 6);
    await lab.run('echo closed > chns/web/policy/failure');
  });

  test('a VNF that is destroyed leaves the service chain degraded, and one made anew takes its place', async () => {
    await lab.run('echo destroy > nf-types/firewall/b/action; rmdir nf-types/firewall/b');
    assert.match(
      (await lab.values('web', 'status', 'error')).join(' '),
      /^degraded hop bee: its instance has been removed; traffic stops there/,
    );
    assert.equal(await lab.ping(2, '-i 0.02 -W 0.2'), 0);
    await lab.run(`mkdir nf-types/firewall/b; echo activate > nf-types/firewall/b/action; ln -sfn ${lab.vnf('b')} chns/web/bee/b`);
    assert.deepEqual(await lab.values('web', 'status'), ['active']);
    assert.equal(await lab.ping(3), 3);
  });

  test('traffic flows on while nf.io is killed, and while it is not there at all', async () => {
    const { mount } = lab;
    const before = await bypassed();
    await lab.in('client', 'setsid sh -c "ping -n -q -i 0.01 -c 800 10.2.0.10 > /pings" >/dev/null 2>&1 &');
    process.kill(await mount.server(), 'SIGKILL');
    await lab.until(async () => (await lab.values('web', 'status'))[0] === 'active', 'the new server knows the service chain');
    await mount.unmount();
    await mount.mount();
    await lab.until(async () => (await lab.in('client', 'cat /pings')).includes('packets transmitted'), 'all pings are sent');
    assert.match(await lab.in('client', 'cat /pings'), /800 received/);
    assert.equal(await bypassed(), before);
    assert.deepEqual(await lab.values('web', 'status', 'path'), ['active', 'lan → a → b → c → wan']);
    await lab.run(`ln -sfn ../c chns/web/a/next; rm -r chns/web/bee`);
    assert.equal(await lab.ping(3), 3);
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → c → wan']);
  });
});
