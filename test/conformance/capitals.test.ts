import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Names with capitals, as labs of other tools have them, of everything but types. */

describe('names with capitals', { skip: whyNoGuests() ?? false, timeout: 120_000 }, () => {
  let mount: TestMount;

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir -p nf-types/host networks/LAN networks/lan nf-types/firewall/FW/ports/In nf-types/firewall/FW/ports/Out
      echo 10.1.0.0/24 > networks/LAN/subnet; echo 10.2.0.0/24 > networks/lan/subnet
      host() { mkdir -p nf-types/host/$1/ports/Eth0; echo $2 > nf-types/host/$1/ports/Eth0/network; echo $3 > nf-types/host/$1/ports/Eth0/address; echo activate > nf-types/host/$1/action; }
      host PC1 LAN 10.1.0.11/24; host pc1 lan 10.2.0.12/24`);
  });
  after(() => mount[Symbol.asyncDispose]());

  test('differ from those without, in the tree and in guests', async () => {
    assert.equal(await mount.run('ls nf-types/host networks'), 'networks:\nLAN\nlan\n\nnf-types/host:\nPC1\npc1\n');
    assert.equal(await mount.run('cd nf-types/host/PC1; echo "hostname; ls /sys/class/net" > command; cat command'), 'PC1\nEth0\nlo\n');
    assert.equal(await mount.run('cat networks/LAN/subnet; readlink networks/LAN/ports/* | xargs -n1 basename'), '10.1.0.0/24\nEth0\n');
  });

  test('are those of chains, hops and interfaces in rules', async () => {
    await mount.run(`cd nf-types/firewall/FW; echo LAN > ports/In/network; echo 10.1.0.1/24 > ports/In/address
      echo lan > ports/Out/network; echo 10.2.0.1/24 > ports/Out/address
      printf 'table inet filter {\\nchain forward { type filter hook forward priority 0; policy drop; iif In oif Out accept; iif Out oif In accept; }\\n}\\n' > config/nf_conf
      echo activate > action`);
    await mount.run(
      'cd nf-types/host/PC1; echo \'ping -c 1 -W 5 10.2.0.12 > /dev/null && echo there\' > command; test "$(cat command)" = there',
    );
    await mount.run(`mkdir chns/Web; echo LAN > chns/Web/ingress; echo lan > chns/Web/egress; mkdir chns/Web/Fw; ln -s ../../../nf-types/firewall/FW chns/Web/Fw/FW
      ln -s Fw chns/Web/start; echo activate > chns/Web/action`);
    assert.equal(await mount.run('cat chns/Web/status; ls chns/Web | grep Fw'), 'active\nFw\n');
    await mount.run('echo stop > chns/Web/action; ln -sfn Fw chns/Web/start;');
    assert.equal(await mount.run('ls chns/Web | grep -c Cu || true'), '0\n');
  });

  test('are none of types', async () => {
    const { status } = await mount.sh('mkdir nf-types/Host');
    assert.notEqual(status, 0);
    assert.match(await mount.run('tail -n 1 events'), /types have lower-case names/);
  });
});
