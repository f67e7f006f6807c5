import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* A class on one mount: nobody has more than quotas/ says. */

const [alice, bob] = [12345, 12346];

/** Refuses what a user does for a quota. */
async function refused(mount: TestMount, script: string, uid: number): Promise<void> {
  const { status, stderr } = await mount.sh(script, { uid });
  assert.notEqual(status, 0, script);
  assert.match(stderr, /quota exceeded/i, script);
}

describe('how much a user may have', () => {
  let mount: TestMount;

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir -p nf-types/host networks/hers chns/hers; chmod 1777 nf-types/host
      chown -R ${alice} networks/hers chns/hers
      mkdir quotas/${alice}; echo 3 > quotas/${alice}/vnfs; echo 4 > quotas/${alice}/ports; echo 3 > quotas/${alice}/hops`);
  });

  after(() => mount?.[Symbol.asyncDispose]());

  const lastEvent = () => mount.run('tail -n 1 events');
  const use = async (user: number | string) => {
    const lines = (await mount.run(`cat quotas/${user}/use`)).trim().split('\n');
    return Object.fromEntries(lines.map((line) => line.split(' ')));
  };

  test('is said to root in files that everybody reads, and only root writes', async () => {
    assert.equal(await mount.run(`cd quotas/${alice}; cat uid vnfs ports hops error`, { uid: alice }), `${alice}\n3\n4\n3\n`);
    const { status } = await mount.sh(`echo 100 > quotas/${alice}/vnfs`, { uid: alice });
    assert.notEqual(status, 0);
    await mount.run(`chown -R ${alice} quotas/${alice}`);
    assert.match((await mount.sh(`echo 100 > quotas/${alice}/vnfs`, { uid: alice })).stderr, /not permitted/);
    assert.match(await mount.run(`cat quotas/${alice}/error`), /only root may say how much users may have/);
    await mount.run(`chown -R 0 quotas/${alice}`);
  });

  test('bounds VNFs, also when many are made at once, and who is refused reads what root can do', async () => {
    const script = `for i in $(seq 8); do mkdir nf-types/host/a$i 2> /dev/null & done; wait; ls nf-types/host | wc -l`;
    assert.equal(await mount.run(script, { uid: alice }), '3\n');
    await refused(mount, 'mkdir nf-types/host/more', alice);
    assert.match(
      await lastEvent(),
      /"path":"nf-types\/host\/more".*user 12345 has 3 VNFs, and 1 more is over the limit\. quotas\/12345\/vnfs is 3\. Run as root: echo NUMBER > quotas\/12345\/vnfs/,
    );
    assert.equal((await use(alice))['vnfs'], '3');
  });

  test('takes nothing from others, and root may all', async () => {
    await mount.run('mkdir nf-types/host/bobs; rmdir nf-types/host/bobs', { uid: bob });
    const { vnfs } = await use(alice);
    await mount.run(`mkdir nf-types/host/roots; chown -R ${alice} nf-types/host/roots`);
    assert.equal((await use(alice))['vnfs'], String(Number(vnfs) + 1));
    await mount.run('rmdir nf-types/host/roots');
    assert.equal((await use(alice))['vnfs'], vnfs);
  });

  test('bounds ports of all her VNFs together, and the VNF tells', async () => {
    await mount.run('cd nf-types/host; set -- a*; mkdir $1/ports/{a,b,c} $2/ports/a', { uid: alice });
    await refused(mount, 'cd nf-types/host; set -- a*; mkdir $2/ports/b', alice);
    const told = await mount.run('cd nf-types/host; set -- a*; cat $2/error');
    assert.match(told, /user 12345 has 4 ports, .* quotas\/12345\/ports is 4/);
    await mount.run('cd nf-types/host; set -- a*; rmdir $1/ports/a; mkdir $2/ports/b', { uid: alice });
  });

  test('bounds hops of her service chains and the links in them, and the chain tells', async () => {
    await mount.run('mkdir chns/hers/one; ln -s one chns/hers/start; ln -s ../two chns/hers/one/next', { uid: alice });
    await refused(mount, 'mkdir chns/hers/two', alice);
    assert.match(await mount.run('cat chns/hers/error'), /user 12345 has 3 hops and links of service chains, .* quotas\/12345\/hops is 3/);
    await refused(mount, 'ln -s ../nf-types/host/a1 chns/hers/three', alice);
    const { networks, chains } = await use(alice);
    assert.deepEqual({ networks, chains }, { networks: '1', chains: '1' });
  });

  test('counts clones for the owner of what they are clones of', async () => {
    await mount.run(`echo 9 > quotas/${alice}/hops`);
    await mount.run('ln -s ../../nf-types/host/$(ls nf-types/host | head -n 1) chns/hers/fw', { uid: alice });
    await refused(mount, 'echo 2 > chns/hers/fw/replicas', alice);
    assert.match(await mount.run('cat chns/hers/error'), /^replicas: user 12345 has 3 VNFs/);
    await refused(mount, 'echo 2 > chns/hers/fw/replicas', 0);
    assert.equal((await use(alice))['vnfs'], '3');
    await mount.run('rm -r chns/hers/fw', { uid: alice });
  });

  test('bounds open files', async () => {
    await mount.run(`echo 4 > quotas/${alice}/handles`);
    const open = (vnf: string, count: number) =>
      `cd nf-types/host/${vnf}/config; for i in $(seq ${count}); do exec {fd}> file || exit 1; done`;
    await mount.run('mkdir nf-types/host/bobs', { uid: bob });
    const [hers] = (await mount.run('cd nf-types/host; ls -d a*')).split('\n');
    await mount.run(open(hers ?? '', 4), { uid: alice });
    assert.match((await mount.sh(open(hers ?? '', 5), { uid: alice })).stderr, /Too many open files/);
    await mount.run(open('bobs', 9), { uid: bob });
    await mount.run('rm -r nf-types/host/bobs', { uid: bob });
    await mount.run(`echo > quotas/${alice}/handles`);
  });

  test('goes along in a copy of the tree', async () => {
    const shown = `cat quotas/*/{vnfs,ports,hops,vcpus,memory,verbs_per_second,handles}`;
    await using other = await TestMount.start();
    await mount.run(`tar c quotas | tar x -C ${other.path}`);
    assert.equal(await other.run(shown), await mount.run(shown));
  });

  test('is what quotas/default says for who has no entry, and what the machine bears where that says nothing', async () => {
    assert.match(await mount.run('cat quotas/default/vnfs'), /^[1-9]\d*\n$/);
    await mount.run('echo 1 > quotas/default/vnfs; echo unlimited > quotas/default/ports');
    await mount.run('mkdir -p nf-types/host/b1/ports/{a,b,c,d,e}', { uid: bob });
    await refused(mount, 'mkdir nf-types/host/b2', bob);
    assert.match(await lastEvent(), /quotas\/default\/vnfs is 1\. Run as root: mkdir quotas\/12346; echo NUMBER > quotas\/12346\/vnfs/);
    await mount.run(`mkdir quotas/${bob}; echo 2 > quotas/${bob}/vnfs`);
    await mount.run('mkdir nf-types/host/b2', { uid: bob });
    assert.equal(await mount.run(`echo > quotas/${bob}/vnfs; cat quotas/${bob}/vnfs`), '1\n');
    await mount.run(`rm -r quotas/${bob}`);
    assert.match((await mount.sh('rm -r quotas/default')).stderr, /not permitted/);
    assert.equal(await mount.run('cat quotas/default/vnfs'), '1\n');
  });

  test('is known again after a restart, and after the server was killed', async () => {
    const before = await mount.run(`cat quotas/default/vnfs quotas/${alice}/{vnfs,use}`);
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(`cat quotas/default/vnfs quotas/${alice}/{vnfs,use}`), before);
    await refused(mount, 'mkdir nf-types/host/more', alice);
    process.kill(await mount.server(), 'SIGKILL');
    assert.equal(await mount.run(`cat quotas/default/vnfs quotas/${alice}/{vnfs,use}`), before);
    await mount.run('rmdir nf-types/host/b2; rmdir nf-types/host/b1', { uid: bob });
  });

  test('is for users that there are, each in one entry, and not for root', async () => {
    for (const [name, why] of [
      ['nobody-of-this-name', /there is no user nobody-of-this-name/],
      ['root', /root, who has no limits/],
      ['0', /root, who has no limits/],
    ] as const) {
      assert.notEqual((await mount.sh(`mkdir quotas/${name}`)).status, 0);
      assert.match(await lastEvent(), why);
    }
    await mount.run('mkdir quotas/daemon');
    assert.equal(await mount.run('cat quotas/daemon/uid'), await mount.run('id -u daemon'));
    assert.match((await mount.sh('mkdir quotas/$(id -u daemon)')).stderr, /File exists/);
    assert.match((await mount.sh('echo many > quotas/daemon/vnfs')).stderr, /Invalid argument/);
    assert.match(await mount.run('cat quotas/daemon/error'), /"many" is not a number such as 20, or "unlimited"/);
    await mount.run('rmdir quotas/daemon');
  });
});

describe('what guests of a user may take', { skip: whyNoGuests() ?? false, timeout: 120_000 }, () => {
  let mount: TestMount;

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir -p nf-types/host; chmod 1777 nf-types/host; mkdir quotas/${alice}; echo 512M > quotas/${alice}/memory`);
    await mount.run('mkdir nf-types/host/{a,b,c,d}', { uid: alice });
  });

  after(() => mount?.[Symbol.asyncDispose]());

  const status = () => mount.run("cat nf-types/host/*/status | sort | uniq -c | sed 's/^ *//'");

  test('is bounded together, also when many start at once', async () => {
    await mount.sh('for v in a b c d; do echo activate > nf-types/host/$v/action & done; wait', { uid: alice, timeoutMs: 60_000 });
    assert.equal(await status(), '2 running\n2 undeployed\n');
    assert.match(await mount.run(`cat quotas/${alice}/use`), /^vcpus 2\nmemory 536870912$/m);
    assert.match(
      await mount.run('cat nf-types/host/*/error'),
      /^activate: user 12345 has 536870912 bytes of memory for what is deployed, .* quotas\/12345\/memory is 536870912\. Run as root: echo NUMBER/,
    );
  });

  test('is no more than counts for each, where it says nothing itself', async () => {
    const { mountId } = JSON.parse(readFileSync(join(mount.root, 'nfio.json'), 'utf8'));
    const limits = await mount.run(
      `find /sys/fs/cgroup -path '*/nfio/${mountId}/*/*' '(' -name memory.max -o -name memory.limit_in_bytes ')' -exec cat {} +`,
    );
    assert.equal(limits, '268435456\n268435456\n');
  });

  test('can be shared out otherwise while they run, and is free again when they are gone', async () => {
    const running = (await mount.run('grep -l running nf-types/host/*/status | xargs -n 1 dirname')).trim().split('\n');
    const [one, other] = running;
    await refused(mount, `echo 300M > ${one}/machine/vm.memory`, alice);
    await mount.run(`echo 200M > ${other}/machine/vm.memory; echo 300M > ${one}/machine/vm.memory`, { uid: alice });
    await mount.run(`echo destroy > ${one}/action; for v in a b c d; do cat nf-types/host/$v/status; done`, { uid: alice });
    const asleep = (await mount.run('grep -l undeployed nf-types/host/*/status | head -n 1 | xargs -n 1 dirname')).trim();
    await mount.run(`echo activate > ${asleep}/action`, { uid: alice });
    assert.equal(await status(), '2 running\n2 undeployed\n');
  });

  test('is not asked of root', async () => {
    await mount.run('for v in $(grep -l undeployed nf-types/host/*/status | xargs -n 1 dirname); do echo activate > $v/action; done');
    assert.equal(await status(), '4 running\n');
  });

  test('verbs have a pace too, and who gives them too fast reads so', async () => {
    await mount.run(`echo 0 > quotas/${alice}/verbs_per_second`);
    await refused(mount, 'echo stop > nf-types/host/a/action', alice);
    assert.match(
      await mount.run('cat nf-types/host/a/error'),
      /^action: user 12345 gives verbs too fast; .* quotas\/12345\/verbs_per_second is 0\. Run as root: echo NUMBER/,
    );
    assert.equal(await status(), '4 running\n');
    await mount.run(`echo unlimited > quotas/${alice}/verbs_per_second; for v in a b c d; do echo stop > nf-types/host/$v/action; done`);
  });
});
