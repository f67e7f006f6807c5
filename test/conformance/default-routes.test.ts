import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Which way hosts go that no gateway was named for: by what forwards on their network and runs. */

describe('default routes', { skip: whyNoGuests() ?? false, timeout: 240_000 }, () => {
  let mount: TestMount;
  const inHost = (command: string): Promise<string> =>
    mount.run(`echo '${command}' > nf-types/host/h/command; cat nf-types/host/h/command`, { timeoutMs: 40_000 });
  const routes = async (): Promise<string> => (await inHost('ip route show default; true')).trim();
  const forwarder = (name: string, address: string): string => `mkdir -p nf-types/firewall/${name}/ports/lan
    echo lan > nf-types/firewall/${name}/ports/lan/network; echo ${address} > nf-types/firewall/${name}/ports/lan/address`;
  const act = (verb: string, name: string): Promise<string> => mount.run(`echo ${verb} > nf-types/firewall/${name}/action`);

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir networks/lan; echo 10.1.0.0/24 > networks/lan/subnet; mkdir -p nf-types/host/h/ports/eth0 nf-types/firewall
      echo lan > nf-types/host/h/ports/eth0/network; echo 10.1.0.10/24 > nf-types/host/h/ports/eth0/address
      ${forwarder('a', '10.1.0.1/24')}
      for v in host/h firewall/a; do echo activate > nf-types/$v/action; done`);
  });
  after(() => mount[Symbol.asyncDispose]());

  test('lead to the one that runs, whatever else is described', async () => {
    assert.equal(await routes(), 'default via 10.1.0.1 dev eth0');
    await mount.run(forwarder('b', '10.1.0.2/24'));
    assert.equal(await routes(), 'default via 10.1.0.1 dev eth0', 'what is not deployed takes no route');
    assert.equal(await mount.run('cat networks/lan/error'), '');
    assert.equal((await inHost('ping -c 1 -W 2 10.1.0.1 >/dev/null && echo yes')).trim(), 'yes');
  });

  test('that are not clear are told, and a named gateway makes them so', async () => {
    await act('activate', 'b');
    assert.equal(await routes(), '');
    const error = await mount.run('cat networks/lan/error');
    assert.match(
      error,
      /firewall\/a \(10\.1\.0\.1\) and nf-types\/firewall\/b \(10\.1\.0\.2\).*echo 10\.1\.0\.1 > networks\/lan\/gateway\n$/,
    );
    assert.match(await mount.run('grep \'"path":"networks/lan"\' events'), /"what":"default route unclear","why":".*firewall\/b/);
    await mount.run('echo 10.1.0.2 > networks/lan/gateway');
    assert.equal(await routes(), 'default via 10.1.0.2 dev eth0');
    assert.equal(await mount.run('cat networks/lan/error'), '');
    await mount.run('echo > networks/lan/gateway');
    assert.equal(await routes(), '');
  });

  test('follow when one stops, ends by itself, and is destroyed', async () => {
    await act('stop', 'a');
    assert.equal(await routes(), 'default via 10.1.0.2 dev eth0');
    assert.equal(await mount.run('cat networks/lan/error'), '');
    await act('start', 'a');
    assert.equal(await routes(), '');
    await act('destroy', 'b');
    assert.equal(await routes(), 'default via 10.1.0.1 dev eth0');
    await act('restart', 'a');
    assert.equal(await routes(), 'default via 10.1.0.1 dev eth0');
    assert.equal((await inHost('ping -c 1 -W 2 10.1.0.1 >/dev/null && echo yes')).trim(), 'yes');
    await mount.run('kill -9 $(cat nf-types/firewall/a/machine/vm.id)');
    for (const deadline = Date.now() + 15_000; (await routes()) !== ''; await delay(50))
      assert.ok(Date.now() < deadline, 'a dead guest keeps its route');
    await act('destroy', 'a');
  });

  test('are the same after nf.io was away', async () => {
    await act('activate', 'a');
    await act('activate', 'b');
    await mount.unmount();
    await mount.mount();
    assert.match(await mount.run('cat networks/lan/error'), /more than one VNF forwards there/);
    await act('destroy', 'b');
    assert.equal(await routes(), 'default via 10.1.0.1 dev eth0');
    const guest = (await mount.run('cat nf-types/firewall/a/machine/vm.id')).trim();
    await mount.unmount();
    process.kill(Number(guest), 'SIGKILL');
    await mount.mount();
    assert.equal(await routes(), '', 'what ended meanwhile forwards nothing');
  });
});
