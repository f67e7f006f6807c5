import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { TestMount } from '../support/mount.ts';
import { needs } from '../support/needs.ts';

/* All there is of a mount is copied into another one, in any order, and works there. */

let lab: ChainLab;

before(async () => {
  lab = await ChainLab.start(['fw-a', 'fw-b']);
  await lab.run(`echo 10.2.0.1 > networks/wan/gateway; mkdir hosts/b; echo docker > hosts/b/hypervisor; mkdir chns/web; cd chns/web
    ln -s ../../nf-types/firewall/fw-a one; ln -s ../../nf-types/firewall/fw-b two; ln -s one start; ln -s ../two one/next
    echo lan > ingress; echo wan > egress; echo activate > action`);
});

after(() => lab[Symbol.asyncDispose]());

/** Links and values of a mount, without what lives. */
async function facts(mount: TestMount): Promise<string> {
  return await mount.run(`find . -type l -printf '%p -> %l\\n' | sort
    grep -rH '' networks/*/{subnet,gateway,uplink} hosts/*/{address,hypervisor} nf-types/*/*/{config/*,machine/ip,ports/*/{network,address}} \\
      chns/*/{ingress,egress,match,priority,policy/failure,*/mode,*/replicas} | sort`);
}

async function quietly(mount: TestMount, script: string, out = ''): Promise<void> {
  const { status, stdout, stderr } = await mount.sh(script, { env: { from: lab.mount.path, out, HOME: out }, timeoutMs: 60_000 });
  assert.deepEqual({ script, status, stdout, stderr }, { script, status: 0, stdout: '', stderr: '' });
}

async function isRestored(mount: TestMount): Promise<void> {
  assert.equal(await facts(mount), await facts(lab.mount));
  assert.equal(await mount.run('cat {networks,hosts,chns}/*/error nf-types/*/*/error chns/*/status'), 'inactive\n');
}

describe('a whole lab is restored from a copy, at once and again', () => {
  const scripts: readonly (readonly [program: string, script: string])[] = [
    ['tar', 'tar c -C $from nf-types networks chns hosts | tar x'],
    ['tar', 'tar c -C $from chns hosts networks nf-types | tar x'],
    ['cp', 'cp -a $from/nf-types $from/networks $from/chns $from/hosts .'],
    ['cp', 'cp -r $from/chns $from/hosts $from/networks $from/nf-types .'],
    ['rsync', 'rsync -a $from/chns $from/hosts $from/networks $from/nf-types .'],
  ];
  for (const [program, script] of scripts) {
    test(script, async (context) => {
      if (!(await needs(program, context))) return;
      await using mount = await TestMount.start();
      for (const _ of ['at once', 'again']) {
        await quietly(mount, script);
        await isRestored(mount);
      }
    });
  }

  test('git', async (context) => {
    if (!(await needs('git', context))) return;
    const out = await mkdtemp(join(tmpdir(), 'nfio-copies-'));
    try {
      await using mount = await TestMount.start();
      await quietly(mount, 'cp -r $from/nf-types $from/networks $from/chns $from/hosts $out/', out);
      await quietly(mount, 'cd $out; git init -q; git add .; git -c user.name=a -c user.email=a@b commit -qm one', out);
      await quietly(mount, 'git --git-dir=$out/.git --work-tree=. checkout -q HEAD -- nf-types networks chns hosts', out);
      await isRestored(mount);
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });
});

test('what was restored is activated, and packets pass the service chain', async () => {
  await using mount = await TestMount.start();
  await quietly(mount, 'tar c -C $from nf-types networks chns hosts | tar x');
  await quietly(mount, 'for a in nf-types/*/*/action chns/*/action; do echo activate > $a; done');
  const pinged = await mount.run('cd nf-types/host/client; echo "ping -n -q -c 3 -i 0.02 -W 1 10.2.0.10" > command; cat command');
  assert.match(pinged, / 3 received/);
  assert.equal(await mount.run('cat chns/web/{one,two}/stats/in_packets'), '6\n6\n');
});

describe('what names something that is not there yet', () => {
  test('is kept, told, and right once that is there', async () => {
    await using mount = await TestMount.start();
    await quietly(mount, 'tar c -C $from chns | tar x');
    assert.equal(await mount.run('cat chns/web/error'), 'the ingress lan is no network. Run: mkdir networks/lan\n');
    await quietly(mount, 'tar c -C $from networks | tar x');
    assert.match(await mount.run('cat chns/web/error'), /^hop one: fw-a leads to .*, which is no instance\n$/);
    await quietly(mount, 'tar c -C $from nf-types | tar x');
    assert.equal(await mount.run('cat chns/web/error'), '');
  });

  test('a port is refused its activation, and a person the name', async () => {
    await using mount = await TestMount.start();
    await quietly(mount, 'mkdir nf-types/host; cp -r $from/nf-types/host/client nf-types/host/');
    assert.equal(await mount.run('cat nf-types/host/client/ports/eth0/network'), 'lan\n');
    assert.match(errnoText(await mount.sh('echo activate > nf-types/host/client/action')), /No such file/);
    assert.equal(await mount.run('cat nf-types/host/client/error'), 'activate: there is no network lan. Run: mkdir networks/lan\n');
    assert.match(errnoText(await mount.sh('echo dmz > nf-types/host/client/ports/eth0/network')), /No such file/);
    await quietly(mount, 'mkdir networks/lan; echo activate > nf-types/host/client/action; test -e networks/lan/ports/host.client.eth0');
  });
});

describe('copies of networks', () => {
  test('overlap: the copy says so', async () => {
    await using mount = await TestMount.start();
    await quietly(mount, 'cp -r $from/networks .');
    const { status, stderr } = await mount.sh('cp -r networks/wan networks/wan2');
    assert.deepEqual([status, stderr], [1, "cp: error writing 'networks/wan2/subnet': Invalid argument\n"]);
    assert.equal(
      await mount.run('cat networks/wan2/error'),
      'subnet: 10.2.0.0/24 overlaps 10.2.0.0/24, the subnet of network wan: choose another\n',
    );
    await quietly(mount, ': > networks/wan2/gateway; echo 10.3.0.0/24 > networks/wan2/subnet; test -z "$(cat networks/wan2/error)"');
  });

  test('are removed by rm -r while nobody uses them, and stay whole otherwise', async () => {
    await using mount = await TestMount.start();
    await quietly(mount, 'tar c -C $from nf-types networks | tar x; mkdir networks/dmz hosts/b; rm -r networks/dmz hosts/b');
    const files = await mount.run('find networks/lan hosts/local | sort');
    for (const used of ['networks/lan', 'hosts/local']) assert.equal((await mount.sh(`rm -r ${used}`)).status, 1, used);
    await quietly(mount, 'cp -r $from/networks/lan networks/');
    assert.equal(await mount.run('find networks/lan hosts/local | sort'), files);
  });
});
