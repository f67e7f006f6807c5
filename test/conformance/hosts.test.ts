import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
});
after(async () => await mount?.[Symbol.asyncDispose]());

const refused = async (script: string, error: string): Promise<void> => {
  const result = await mount.sh(script);
  assert.notEqual(result.status, 0, `${script} succeeded`);
  assert.match(result.stderr, new RegExp(error), script);
};

describe('hosts', () => {
  test('this machine is there, and stays as it is', async () => {
    assert.equal(await mount.run('cd hosts/local; cat address hypervisor status error'), '127.0.0.1\nnetns\nup\n');
    assert.match(await mount.run('cat hosts/local/capacity'), /^vcpu \d+\nmemory_bytes \d+\n$/);
    assert.match(await mount.run('cat hosts/local/load'), /^load1 [\d.]+\nload5 [\d.]+\nload15 [\d.]+\nmemory_free_bytes \d+\n$/);
    await refused('rmdir hosts/local', 'Operation not permitted');
    await refused('chown 1 hosts/local', 'Operation not permitted');
    await refused('mkdir hosts/local', 'File exists');
  });

  test('an entry is made, set, shown and removed', async () => {
    await mount.run('mkdir hosts/b; echo 192.0.2.7 > hosts/b/address; echo netns > hosts/b/hypervisor');
    assert.equal(
      await mount.run('cd hosts/b; ls; cat address hypervisor status'),
      'address\ncapacity\ncertificates\nerror\nhypervisor\nload\nstatus\n192.0.2.7\nnetns\nunreachable\n',
    );
    assert.match(await mount.run('cat hosts/b/error'), /on this machine only, not on 192\.0\.2\.7\. Run, in the VNF: echo > machine\/ip/);
    await refused('cat hosts/b/capacity', 'No route to host');
    await refused('echo xen > hosts/b/hypervisor', 'Invalid argument');
    assert.equal(await mount.run('cat hosts/b/error'), 'hypervisor: "xen" is not one of netns, docker, libvirt\n');
    await refused('echo certs > hosts/b/certificates', 'Invalid argument');
    assert.equal(await mount.run('chown 1000 hosts/b/address; stat -c %u hosts/b/address; rmdir hosts/b; ls hosts'), '1000\nlocal\n');
  });

  test('entries survive a restart', async () => {
    await mount.run('mkdir hosts/kept; echo 192.0.2.8 > hosts/kept/address');
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run('cat hosts/kept/address; rmdir hosts/kept; ls hosts'), '192.0.2.8\nlocal\n');
  });
});

describe('machine/ip', () => {
  const vnf = 'nf-types/host/h';

  test('a machine the hypervisor does not reach is EHOSTUNREACH, and nothing is deployed', async () => {
    await mount.run(`mkdir -p ${vnf}; echo 192.0.2.9 > ${vnf}/machine/ip`);
    await refused(`echo activate > ${vnf}/action`, 'No route to host');
    assert.match(await mount.run(`cat ${vnf}/error ${vnf}/status`), /^activate: the netns hypervisor .*\nundeployed\n$/);
  });

  test('a machine that is not in hosts/ is root’s to name', async () => {
    await mount.run(`chown 1000 ${vnf}/machine/ip`);
    await refused(`echo activate > ${vnf}/action`, 'Operation not permitted');
    assert.match(
      await mount.run(`cat ${vnf}/error`),
      /^activate: only root may name a machine that is not in hosts\/\. Run as root: mkdir /,
    );
    await mount.run(`mkdir hosts/d; echo 192.0.2.9 > hosts/d/address; echo d > ${vnf}/machine/ip`);
    await refused(`echo activate > ${vnf}/action`, 'No route to host');
    await mount.run(`rmdir hosts/d; chown 0 ${vnf}/machine/ip`);
  });

  test('an entry without an address is EINVAL', async () => {
    await mount.run(`mkdir hosts/c; echo c > ${vnf}/machine/ip`);
    await refused(`echo activate > ${vnf}/action`, 'Invalid argument');
    assert.equal(await mount.run(`cat ${vnf}/error`), 'activate: hosts/c has no address. Run: echo ADDRESS > hosts/c/address\n');
  });

  test('a guest stays where it was deployed, and its host with it', async () => {
    await mount.run(`echo 127.0.0.1 > hosts/c/address; echo activate > ${vnf}/action; echo 192.0.2.9 > ${vnf}/machine/ip`);
    assert.equal(await mount.run(`cat ${vnf}/status; echo hostname > ${vnf}/command; cat ${vnf}/command`), 'running\nh\n');
    await refused('rmdir hosts/c', 'Device or resource busy');
    assert.match(await mount.run('cat hosts/c/error'), /^rmdir: nf-types\/host\/h is deployed on c, /);
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(`cat ${vnf}/status`), 'running\n');
  });

  test('a host whose address is taken away knows nothing of its guests, and destroy forgets them', async () => {
    await mount.run('echo > hosts/c/address');
    assert.equal(await mount.run(`cat ${vnf}/status; cat ${vnf}/action`), 'unknown\nstop destroy\n');
    await mount.run('echo 127.0.0.1 > hosts/c/address');
    assert.equal(await mount.run(`cat ${vnf}/status`), 'running\n');
    await mount.run(`echo > hosts/c/address; echo destroy > ${vnf}/action`);
    assert.match(await mount.run('tail -2 events'), /"what":"forgotten","why":"hosts\/c has no address: /);
    assert.equal(await mount.run(`cat ${vnf}/status; rmdir hosts/c`), 'undeployed\n');
    const { mountId } = JSON.parse(await readFile(join(mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
    const guests = `ps -eo args | grep -c '^[n]fio-guest ${mountId} ' || true`;
    assert.equal(await mount.run(guests), '1\n');
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(guests), '0\n', 'what nobody knows is removed');
  });
});
