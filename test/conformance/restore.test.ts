import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { needs } from '../support/needs.ts';

/* An instance is taken out of the tree and put back with the tools that people have for files. Each must end with status 0 and say nothing. */

let mount: TestMount;
let outside: string;

before(async () => {
  mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/firewall networks/lan networks/wan; echo 10.1.0.0/24 > networks/lan/subnet');
});

afterEach(() => rm(outside, { recursive: true, force: true }));

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'nfio-copies-'));
  await mount.run(`cd nf-types/firewall; for i in *; do [ ! -d $i ] || { echo destroy > $i/action || true; rmdir $i; }; done 2> /dev/null; mkdir fw-a; cd fw-a
    mkdir ports/lan ports/wan; echo lan > ports/lan/network; echo 10.1.0.1/24 > ports/lan/address; echo 1400 > ports/wan/mtu; echo wan > ports/wan/network
    echo 64M > machine/vm.memory; echo 0.5 > machine/vm.vcpu; mkdir config/rules.d; echo '# mine' >> config/nf_conf; echo 'add' > config/rules.d/10; ln -s nf_conf config/current; chown 7:8 machine/ip`);
});

after(() => mount[Symbol.asyncDispose]());

const kept = [
  'ports/lan/network',
  'ports/lan/address',
  'ports/wan/mtu',
  'ports/wan/network',
  'machine/vm.memory',
  'machine/vm.vcpu',
  'config/nf_conf',
  'config/rules.d/10',
  'config/current',
];

/** What must be the same in a copy, and that it is one that can be activated. */
async function isCopy(copy: string): Promise<void> {
  const facts = (name: string): Promise<string> =>
    mount.run(
      `cd nf-types/firewall/${name}; for f in ${kept.join(' ')}; do echo "$f: $(cat $f)"; done; readlink config/current; ls ports machine`,
    );
  assert.equal(await facts(copy), await facts('fw-a'));
  assert.equal(await mount.run(`cat nf-types/firewall/${copy}/{status,error,log}`), 'undeployed\n');
  const macs = await mount.run(`cat nf-types/firewall/{fw-a,${copy}}/ports/*/mac | sort | uniq -d`);
  assert.equal(macs, '', 'a copy has MAC addresses of its own');
}

async function quietly(script: string): Promise<void> {
  const { status, stdout, stderr } = await mount.sh(`cd nf-types/firewall; ${script}`, { env: { out: outside, HOME: outside } });
  assert.deepEqual({ script, status, stdout, stderr }, { script, status: 0, stdout: '', stderr: '' });
}

describe('copies of an undeployed instance', () => {
  for (const script of [
    'cp -r fw-a fw-b',
    'cp -a fw-a fw-b',
    'cp -r fw-a $out/; cp -r $out/fw-a fw-b',
    'tar c fw-a | tar x --transform s/fw-a/fw-b/',
    'tar cf $out/a.tar fw-a; mkdir fw-b; tar xf $out/a.tar --strip-components=1 -C fw-b; tar xf $out/a.tar --strip-components=1 -C fw-b',
  ]) {
    test(script, async () => {
      await quietly(script);
      await isCopy('fw-b');
      await quietly('echo 128M > fw-b/machine/vm.memory');
      assert.equal(await mount.run('cat nf-types/firewall/fw-a/machine/vm.memory'), '67108864\n');
    });
  }

  for (const script of [
    'rsync -a fw-a/ fw-b/',
    'rsync -a fw-a $out/; rsync -a $out/fw-a/ fw-b',
    'rsync -a fw-a $out/; rsync -a --inplace $out/fw-a/ fw-b; rsync -a --checksum $out/fw-a/ fw-b',
  ]) {
    test(script, async (context) => {
      if (!(await needs('rsync', context))) return;
      await quietly(script);
      await isCopy('fw-b');
      if (!script.includes('inplace')) assert.equal(await mount.run('stat -c %u:%g nf-types/firewall/fw-b/machine/ip'), '7:8\n');
    });
  }

  test('git checkout and git restore', async (context) => {
    if (!(await needs('git', context))) return;
    await quietly(`cp -r fw-a $out/fw-b; cd $out; git init -q; git add .; git -c user.name=a -c user.email=a@b commit -qm one`);
    await quietly(`git --git-dir=$out/.git --work-tree=. checkout -q HEAD -- fw-b`);
    await isCopy('fw-b');
    await quietly(`echo 128M > fw-b/machine/vm.memory; echo x > fw-b/config/nf_conf; git --git-dir=$out/.git --work-tree=. restore fw-b`);
    await isCopy('fw-b');
  });
});

describe('copies of a running instance', () => {
  for (const script of ['cp -r fw-a fw-b', 'tar c fw-a | tar x --transform s/fw-a/fw-b/', 'cp -a fw-a $out/; cp -a $out/fw-a fw-b']) {
    test(script, async () => {
      await quietly('echo activate > fw-a/action');
      await quietly(script);
      await isCopy('fw-b');
      assert.equal(await mount.run('cat nf-types/firewall/fw-a/status'), 'running\n');
    });
  }

  test('what the guest wrote comes along; its sockets, FIFOs and devices are not for others', async (context) => {
    if (!(await needs('python3', context))) return;
    await quietly(
      `echo activate > fw-a/action; echo 'cd /var; echo x > file; ln -s file link; mkfifo fifo; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\\"sock\\")"' > fw-a/command`,
    );
    await quietly('cp -r fw-a fw-b');
    assert.equal(await mount.run('cd nf-types/firewall/fw-b/rfs/var; ls; cat file link; grep -r x .'), 'file\nlink\nx\nx\n./file:x\n');
    await quietly('rm -r fw-b');
  });

  test('a copy can be activated once it has addresses of its own', async () => {
    await quietly('echo activate > fw-a/action; cp -r fw-a fw-b');
    assert.equal((await mount.sh('echo activate > nf-types/firewall/fw-b/action')).status, 1);
    assert.match(
      await mount.run('cat nf-types/firewall/fw-b/{error,status}'),
      /^activate: 10\.1\.0\.1 is the address of fw-a\/ports\/lan .*\nundeployed\n$/,
    );
    await quietly('echo 10.1.0.2/24 > fw-b/ports/lan/address; echo activate > fw-b/action');
    assert.equal(await mount.run('cat nf-types/firewall/fw-b/status'), 'running\n');
  });
});

test('restoring over a running instance changes its settings and refuses its live files', async () => {
  await quietly('cp -r fw-a $out/; echo activate > fw-a/action; echo 128M > fw-a/machine/vm.memory');
  const { status } = await mount.sh('cd nf-types/firewall; cp -r $out/fw-a .', { env: { out: outside } });
  assert.equal(status, 1);
  assert.equal(await mount.run('cat nf-types/firewall/fw-a/{status,machine/vm.memory}'), 'running\n67108864\n');
});
