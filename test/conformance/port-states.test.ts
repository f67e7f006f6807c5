import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* What ports are, also where their guests changed them: state and mtu. */

describe('state and mtu of a port', { skip: whyNoGuests() ?? false, timeout: 240_000 }, () => {
  let mount: TestMount;
  const port = 'nf-types/host/h/ports/eth0';
  const inGuest = async (command: string): Promise<string> =>
    (await mount.run(`echo '${command}' > nf-types/host/h/command; cat nf-types/host/h/command`)).trim();
  const is = (): Promise<string> => mount.run(`cat ${port}/state ${port}/mtu`);
  const becomes = async (wanted: string): Promise<void> => {
    for (const deadline = Date.now() + 15_000; (await is()) !== wanted; await delay(20))
      assert.ok(Date.now() < deadline, `${wanted} is not shown: ${await is()}`);
  };

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir networks/lan; echo 10.1.0.0/24 > networks/lan/subnet; mkdir nf-types/host; mkdir -p ${port}
      echo lan > ${port}/network; echo 10.1.0.10/24 > ${port}/address; echo activate > nf-types/host/h/action`);
  });
  after(() => mount[Symbol.asyncDispose]());

  test('are what was asked for, at once', async () => {
    assert.equal(await is(), 'up\n1500\n');
    assert.equal(await mount.run(`echo 1400 > ${port}/mtu; cat ${port}/mtu; echo down > ${port}/state; cat ${port}/state`), '1400\ndown\n');
    assert.equal(await mount.run(`echo > ${port}/mtu; cat ${port}/mtu; echo up > ${port}/state; cat ${port}/state`), '1500\nup\n');
    await delay(300);
    assert.equal(await is(), 'up\n1500\n');
  });

  test('are what the guest made of them, and are set back by writing', async () => {
    await inGuest('ip link set eth0 mtu 1300');
    await becomes('up\n1300\n');
    await inGuest('ip link set eth0 down');
    await becomes('down\n1300\n');
    assert.equal(await mount.run(`tar c ${port} | tar xO ${port}/mtu`), '1300\n');
    assert.equal(await mount.run(`echo up > ${port}/state; cat ${port}/state; echo 1500 > ${port}/mtu; cat ${port}/mtu`), 'up\n1500\n');
    assert.match(await inGuest('ip -o link show eth0'), /[<,]UP[,>].* mtu 1500 /);
    await becomes('up\n1500\n');
  });

  test('are known after nf.io was away, or what watches died', async () => {
    const guest = (await mount.run('cat nf-types/host/h/machine/vm.id')).trim();
    await mount.unmount();
    await mount.run(`nsenter --net=/proc/${guest}/ns/net ip link set eth0 mtu 1200`);
    await mount.mount();
    await becomes('up\n1200\n');
    const { mountId } = JSON.parse(await readFile(join(mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
    await mount.run(`pkill -KILL -f '^nfio-links ${mountId} '`);
    await inGuest('ip link set eth0 mtu 1100');
    await becomes('up\n1100\n');
  });

  test('are watched by one process, which stays', async () => {
    const { mountId } = JSON.parse(await readFile(join(mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
    const watcher = (): Promise<string> => mount.run(`pgrep -f '^nfio-links ${mountId} '`);
    const [first] = [await watcher(), await delay(5000)]; // it is asked for a sign of life each second
    assert.match(first, /^\d+\n$/);
    assert.equal(await watcher(), first);
  });

  test('are what is wanted, of a guest that is not there', async () => {
    await mount.run('echo destroy > nf-types/host/h/action');
    assert.equal(await is(), 'up\n1500\n');
    await mount.run('echo activate > nf-types/host/h/action');
    assert.equal(await is(), 'up\n1500\n');
  });
});
