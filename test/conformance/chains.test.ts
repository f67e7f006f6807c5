import assert from 'node:assert/strict';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Service chains as files and as packets: what links mean, and which way traffic goes. */

describe('service chains', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['fw-a', 'ids-a', 'p', 'other']);
    await lab.serve(80, 81, 82);
  });
  after(() => lab[Symbol.asyncDispose]());

  test('links make hops, and read as they were written', async () => {
    const { mount } = lab;
    await lab.run(`mkdir chns/web; cd chns/web
      ln -s ${lab.vnf('fw-a')} fw; ln -s ${lab.vnf('ids-a')} ids; ln -s ../../nf-types/firewall/p px
      ln -s fw start; ln -s ../ids fw/next; ln -s ../px ids/next`);
    assert.equal(
      await lab.run('cd chns/web; ls'),
      'action\negress\nerror\nfw\nids\ningress\nlatency\nmatch\npath\npolicy\npriority\npx\nstart\nstats\nstatus\ntrace\nverify\n',
    );
    assert.equal(
      await lab.run('cd chns/web; stat -c "%F %n" fw ids px start fw/fw-a fw/next'),
      ['directory fw', 'directory ids', 'directory px', 'symbolic link start', 'symbolic link fw/fw-a', 'symbolic link fw/next', ''].join(
        '\n',
      ),
    );
    assert.equal(await readlink(join(mount.path, 'chns/web/fw/fw-a')), lab.vnf('fw-a'));
    assert.equal(await readlink(join(mount.path, 'chns/web/start')), 'fw');
    assert.equal(await readlink(join(mount.path, 'chns/web/ids/next')), '../px');
    // Written for the directory above, so it leads as far from the hop.
    assert.equal(await readlink(join(mount.path, 'chns/web/px/p')), '../../../nf-types/firewall/p');
    assert.equal(await lab.run('cat chns/web/px/p/status chns/web/start/fw-a/status chns/web/fw/next/ids-a/status'), 'running\n'.repeat(3));
    assert.equal(await lab.run('stat -c %s chns/web/fw/next'), `${'../ids'.length}\n`);
  });

  test('path and error tell how far it is right before it is active', async () => {
    assert.deepEqual(await lab.values('web', 'path', 'status', 'action', 'error'), [
      '? → fw-a → ids-a → p → ?',
      'inactive',
      'activate',
      'there is no ingress. Run, in the chain: echo NETWORK > ingress',
    ]);
    await lab.run("cd chns/web; echo lan > ingress; echo wan > egress; echo 'tcp dport { 80, 81 }' > match");
    assert.deepEqual(await lab.values('web', 'path'), ['lan → fw-a → ids-a → p → wan']);
    assert.equal(await lab.run('cat chns/web/error'), '');
  });

  test('matching traffic passes every hop in order, both ways, and the rest takes the plain way', async () => {
    await lab.act('web', 'activate');
    assert.deepEqual(await lab.values('web', 'status', 'action', 'path'), ['active', 'stop', 'lan → fw-a → ids-a → p → wan']);
    const before = await lab.counts('web', 'fw', 'ids', 'px');
    assert.equal(await lab.connect(80), 'port 80\n');
    const after = await lab.counts('web', 'fw', 'ids', 'px');
    assert.ok((after[0] ?? 0) >= (before[0] ?? 0) + 8, `a connection is 8 packets or more, not ${after[0]}`);
    assert.equal(new Set(after).size, 1, `each hop has seen the same packets: ${after}`);
    // Three hops, or the router: 64 less one for each.
    assert.equal(await lab.ping(2), 2);
    assert.match(await lab.in('client', 'ping -n -c 1 10.2.0.10'), /ttl=63/);
    assert.equal(await lab.connect(82), 'port 82\n');
    assert.deepEqual(await lab.counts('web', 'fw', 'ids', 'px'), after);
    assert.deepEqual(
      await lab.values('web', 'stats/in_packets', 'stats/out_packets', 'stats/drops', 'fw/stats/out_packets'),
      [after[0], after[0], 0, after[0]].map(String),
    );
  });

  test('each hop’s own rules hold, on the way out and on the way back', async () => {
    await lab.run(`cat > nf-types/firewall/ids-a/config/nf_conf <<'EOF'
table inet filter {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "web.in" oifname "web.out" tcp dport 81 drop
  }
}
EOF`);
    assert.equal(await lab.connect(81), '');
    assert.equal(await lab.connect(80), 'port 80\n');
    const [fw = 0, px = 0, drops = 0] = (await lab.values('web', 'fw/stats/in_packets', 'px/stats/in_packets', 'ids/stats/drops')).map(
      Number,
    );
    assert.ok(drops > 0);
    assert.equal(fw - px, drops);
    await lab.run('echo > nf-types/firewall/ids-a/config/nf_conf');
    assert.equal(await lab.connect(81), 'port 81\n');
  });

  test('a guest keeps its rules and its steering when it is configured anew', async () => {
    await lab.run('echo reload > nf-types/firewall/fw-a/action');
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('the examples of the original work as written', async () => {
    const { path } = lab.mount;
    const total = await lab.run(
      `find -L ${path}/chns/web -name pkt_drops ! -path "*/next/*" ! -path "*/start/*" | xargs cat | awk '{total += $1} END {print total}'`,
    );
    assert.match(total, /^\d+\n$/);
    assert.equal(await lab.run(`find ${path}/chns -lname ${lab.vnf('fw-a')}`), `${path}/chns/web/fw/fw-a\n`);
    assert.match(await lab.run("grep -R '10.1.0.10' nf-types"), /nf-types\/host\/client\/ports\/eth0\/address:10\.1\.0\.10\/24/);
    const { status, stderr } = await lab.sh(`grep -r . chns >/dev/null; find -L chns >/dev/null; tar cf - chns | tar tf - >/dev/null`);
    assert.equal(status, 0, stderr);
    await lab.run('mkdir nf-types/firewall/asleep; ln -s ../../nf-types/firewall/asleep chns/web/spare');
    await lab.run('echo 10.0.0.15 > chns/web/spare/asleep/machine/ip; test "$(cat nf-types/firewall/asleep/machine/ip)" = 10.0.0.15');
    await lab.run('rm -r chns/web/spare; rmdir nf-types/firewall/asleep');
  });

  test('rm -r of an active service chain is refused, and takes nothing of it', async () => {
    const before = await lab.run('find chns/web -printf "%P %l\\n"; cat chns/web/path');
    const { status, stderr } = await lab.sh('rm -r chns/web');
    assert.notEqual(status, 0);
    assert.match(stderr, /chns\/web\/fw\/fw-a.*Device or resource busy/);
    assert.equal(await lab.run('find chns/web -printf "%P %l\\n"; cat chns/web/path'), before);
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('one VNF in several service chains keeps them apart, by priority where both want a packet', async () => {
    await lab.chain('ping', ['other', 'fw-a'], { match: 'icmp type { echo-request, echo-reply }' });
    await lab.act('ping', 'activate');
    const [web = 0] = await lab.counts('web', 'fw');
    assert.equal(await lab.ping(4), 4);
    assert.match(await lab.in('client', 'ping -n -c 1 10.2.0.10'), /ttl=62/);
    assert.deepEqual(await lab.counts('ping', 'other', 'fw-a'), [10, 10]);
    assert.deepEqual(await lab.counts('web', 'fw'), [web]);

    await lab.chain('all', ['other'], {});
    const refused = await lab.sh('echo activate > chns/all/action');
    assert.equal(errnoText(refused), 'File exists');
    assert.match(await lab.run('cat chns/all/error'), /chns\/(web|ping) has priority 100 too and can match the same packets/);
    assert.deepEqual(await lab.values('all', 'status'), ['inactive']);
    await lab.run('echo 200 > chns/all/priority; echo activate > chns/all/action');
    assert.equal(await lab.connect(82), 'port 82\n');
    const [first = 0] = await lab.counts('all', 'other');
    assert.ok(first >= 8, `what no other service chain wants: ${first}`);
    assert.equal(await lab.connect(80), 'port 80\n');
    assert.deepEqual(await lab.counts('all', 'other'), [first]);
    // The first of all now.
    await lab.run('echo 50 > chns/all/priority');
    assert.equal(await lab.connect(80), 'port 80\n');
    assert.ok(((await lab.counts('all', 'other'))[0] ?? 0) > first);
    for (const name of ['all', 'ping']) await lab.run(`echo stop > chns/${name}/action; rm -r chns/${name}`);
    assert.equal(await lab.run('ls chns'), 'web\n');
  });

  test('the gateway of the hosts can be a hop as well', async () => {
    await lab.run(`cd chns/web; ln -s ${lab.vnf('r', 'router')} gw; ln -s ../fw gw/next; ln -sfn gw start`);
    assert.deepEqual(await lab.values('web', 'path', 'error'), ['lan → r → fw-a → ids-a → p → wan']);
    assert.equal(await lab.connect(80), 'port 80\n');
    assert.equal((await lab.run('echo 1 > chns/web/verify; cat chns/web/verify')).split('\n')[0], 'ok');
    // Pings and the router's own answers go the plain way.
    assert.equal(await lab.ping(2), 2);
    assert.match(await lab.in('client', 'ping -n -c 1 -W 1 10.2.0.1'), /1 received/);
    await lab.run('rm -r chns/web/gw');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → fw-a → ids-a → p → wan']);
    assert.equal(await lab.run('readlink chns/web/start'), 'fw\n');
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('what hops say of packets finds its way back', async () => {
    await lab.in(
      'client',
      `nft -f - <<'EOF'
table ip low {
  counter answers { }
  chain out { type filter hook output priority 0; tcp dport 80 ip ttl set 2
  }
  chain in { type filter hook input priority 0; icmp type time-exceeded ip saddr 169.254.0.0/16 counter name answers
  }
}
EOF`,
    );
    assert.equal(await lab.connect(80), '');
    const [, answers] = /packets (\d+)/.exec(await lab.in('client', 'nft list counter ip low answers; nft delete table ip low')) ?? [];
    assert.ok(Number(answers) > 0, 'the second hop has told that the time to live was over');
  });

  test('a stopped service chain leaves nothing behind in guests and gives the traffic back', async () => {
    const links = 'ip -o link show; ip rule; ip route show table all type unreachable';
    assert.match(await lab.in('fw-a', links, 'firewall'), /web\.in/);
    await lab.act('web', 'stop');
    assert.deepEqual(await lab.values('web', 'status', 'action'), ['inactive', 'activate']);
    assert.doesNotMatch(await lab.in('fw-a', links, 'firewall'), /web|unreachable|10737/);
    assert.equal(await lab.connect(80), 'port 80\n');
    assert.equal(await lab.run('cat chns/web/stats/in_packets chns/web/fw/stats/drops'), '');
    await lab.act('web', 'activate');
    assert.equal(await lab.connect(80), 'port 80\n');
    assert.ok(((await lab.counts('web', 'fw'))[0] ?? 0) >= 8);
  });
});
