import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';

/* nf.io goes to the machines in hosts/ with root's keys. */

test('who owns an entry of hosts/ does not say where root’s keys are used', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir hosts/b; echo 192.0.2.1 > hosts/b/address; chown -R 12345 hosts/b');
  const { status, stderr } = await mount.sh('echo 192.0.2.66 > hosts/b/address', { uid: 12345 });
  assert.notEqual(status, 0);
  assert.match(stderr, /not permitted/);
  assert.match(await mount.run('cat hosts/b/error'), /only root may say where/);
  assert.equal(await mount.run('cat hosts/b/address'), '192.0.2.1\n');
});

/* What a truncation means is carried out when the file is closed for the last time, which the kernel tells as if root did it. */
test('nor does she take the address away by truncating it, also when the server is killed before she closes it', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/pc hosts/b; echo 192.0.2.1 > hosts/b/address; chown -R 12345 hosts/b nf-types/host/pc');
  // Nobody waits for what a last close does.
  const until = async (fits: RegExp, file: string): Promise<void> => {
    for (const deadline = Date.now() + patient(10_000); !fits.test(await mount.run(`cat ${file}`)); await delay(20))
      assert.ok(Date.now() < deadline, `${file} is not as it should be`);
  };
  await mount.run(': > hosts/b/address', { uid: 12345 });
  await until(/only root may say where/, 'hosts/b/error');
  assert.equal(await mount.run('cat hosts/b/address'), '192.0.2.1\n');
  const holds = mount.run(
    `exec 3> hosts/b/address; cd nf-types/host/pc/machine; echo 64M > vm.memory
    until grep -q ${65 * 1024 * 1024} vm.memory; do sleep 0.1; done; exec 3>&-`,
    { uid: 12345, timeoutMs: 60_000 },
  );
  while ((await mount.run('cat nf-types/host/pc/machine/vm.memory')) === '') await delay(20);
  process.kill(await mount.server(), 'SIGKILL');
  await mount.run('echo 192.0.2.1 > hosts/b/address');
  assert.doesNotMatch(await mount.run('cat hosts/b/error'), /only root/);
  await mount.run('echo 65M > nf-types/host/pc/machine/vm.memory');
  await holds;
  await until(/^address: only root may say where/, 'hosts/b/error');
  assert.equal(await mount.run('cat hosts/b/address'), '192.0.2.1\n');
  await mount.run(': > hosts/b/address');
  await until(/^$/, 'hosts/b/address');
});

test('who owns a VNF does not have nf.io go to a machine that root did not enter in hosts/', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host; chmod 1777 nf-types/host; mkdir hosts/b; echo 192.0.2.1 > hosts/b/address');
  await mount.run('mkdir nf-types/host/pc; echo 192.0.2.66 > nf-types/host/pc/machine/ip', { uid: 12345 });
  const { status, stderr } = await mount.sh('echo activate > nf-types/host/pc/action', { uid: 12345 });
  assert.notEqual(status, 0);
  assert.match(stderr, /not permitted/);
  assert.match(
    await mount.run('cat nf-types/host/pc/error'),
    /only root may name a machine that is not in hosts.* mkdir hosts\/NAME && echo 192\.0\.2\.66/,
  );
});

test('who owns a VNF has no virtual machine on another machine start from a file that cannot be looked at from here', async () => {
  await using mount = await TestMount.start();
  await mount.run(`mkdir -p nf-types/host; chmod 1777 nf-types/host
    mkdir hosts/b; echo libvirt > hosts/b/hypervisor; echo qemu+tls://192.0.2.1/system > hosts/b/address`);
  const asUser = { uid: 12345 };
  const refused = async (name: string, said: RegExp): Promise<void> => {
    const { status, stderr } = await mount.sh(`echo activate > nf-types/host/${name}/action`, asUser);
    assert.notEqual(status, 0);
    assert.match(stderr, /not permitted/);
    assert.match(await mount.run(`cat nf-types/host/${name}/error`), said);
  };
  await mount.run('cd nf-types/host; mkdir one; echo b > one/machine/ip; echo /root/secret > one/machine/vm.image', asUser);
  await refused('one', /only root may have a guest start from \/root\/secret on b, .* chown root machine\/vm.image/);
  await mount.run("cd nf-types/host; mkdir two; echo b > two/machine/ip; echo 'initrd=/root/secret' > two/config/boot.conf", asUser);
  await refused('two', /start from \/root\/secret on b, .* chown root config config\/boot.conf/);
});
