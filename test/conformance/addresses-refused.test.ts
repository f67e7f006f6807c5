import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Addresses that cannot be a host's, and hardware addresses that two ports on a network would share. */

describe('addresses', { skip: whyNoGuests() ?? false, timeout: 240_000 }, () => {
  let mount: TestMount;
  const ports = 'nf-types/host';
  const refused = async (script: string, errno: string, error: RegExp, vnf = 'b'): Promise<void> => {
    const { status, stderr } = await mount.sh(script);
    assert.notEqual(status, 0, script);
    assert.match(stderr, new RegExp(`${errno}\n$`), script);
    assert.match(await mount.run(`cat ${ports}/${vnf}/error`), error, script);
  };

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir networks/lan networks/p2p networks/other; echo 10.1.0.0/24 fd00:1::/64 > networks/lan/subnet; echo 10.9.0.0/31 > networks/p2p/subnet
      mkdir nf-types/host; cd nf-types/host; for v in a b; do mkdir -p $v/ports/eth0; echo lan > $v/ports/eth0/network; done
      echo 10.1.0.10/24 > a/ports/eth0/address; echo 10.1.0.11/24 > b/ports/eth0/address`);
  });
  after(() => mount[Symbol.asyncDispose]());

  test('of a network itself, and of all its hosts, are no host’s', async () => {
    const address = `${ports}/b/ports/eth0/address`;
    await refused(
      `echo 10.1.0.0/24 > ${address}`,
      'Invalid argument',
      /10\.1\.0\.0 is the address of the network 10\.1\.0\.0\/24 itself: choose another/,
    );
    await refused(`echo 10.1.0.255/24 > ${address}`, 'Invalid argument', /10\.1\.0\.255 is the broadcast address of 10\.1\.0\.0\/24/);
    await refused(`echo 10.1.0.255/32 > ${address}`, 'Invalid argument', /broadcast address of 10\.1\.0\.0\/24/);
    await refused(`echo fd00:1::/64 > ${address}`, 'Invalid argument', /fd00:1:: is the address of the network/);
    assert.equal(await mount.run(`cat ${address}`), '10.1.0.11/24\n');
    await mount.run(
      `mkdir ${ports}/b/ports/p; echo p2p > ${ports}/b/ports/p/network; echo 10.9.0.0/31 > ${ports}/b/ports/p/address; rmdir ${ports}/b/ports/p`,
    );
    const { stderr } = await mount.sh('echo 10.1.0.8/30 > networks/lan/subnet');
    assert.match(stderr, /Invalid argument/, 'a subnet that makes an address one of these');
  });

  test('of hardware are one port’s on a network', async () => {
    const mac = '02:00:00:00:00:aa';
    // Two that are not deployed may have one, as a VNF and its copy do.
    await mount.run(`cd ${ports}; for v in a b; do echo ${mac} > $v/ports/eth0/mac; done; echo activate > a/action`);
    await refused(
      `echo activate > ${ports}/b/action`,
      'Address already in use',
      /02:00:00:00:00:aa is the hardware address of a\/ports\/eth0 on network lan/,
    );
    assert.equal(await mount.run(`cat ${ports}/b/status`), 'undeployed\n');
    await mount.run(`echo > ${ports}/b/ports/eth0/mac; echo activate > ${ports}/b/action`);
    const own = (await mount.run(`cat ${ports}/b/ports/eth0/mac`)).trim();
    await refused(`echo ${mac} > ${ports}/b/ports/eth0/mac`, 'Address already in use', /hardware address of a\/ports\/eth0/);
    await refused(`echo ${own} > ${ports}/a/ports/eth0/mac`, 'Address already in use', /hardware address of b\/ports\/eth0/, 'a');
    assert.equal(await mount.run(`cat ${ports}/b/ports/eth0/mac ${ports}/a/ports/eth0/mac`), `${own}\n${mac}\n`);
    // On another network it is nobody's.
    await mount.run(
      `echo > ${ports}/b/ports/eth0/address; echo other > ${ports}/b/ports/eth0/network; echo ${mac} > ${ports}/b/ports/eth0/mac`,
    );
    await refused(`echo lan > ${ports}/b/ports/eth0/network`, 'Address already in use', /hardware address of a\/ports\/eth0/);
    assert.equal(await mount.run(`echo 'cat /sys/class/net/eth0/address' > ${ports}/b/command; cat ${ports}/b/command`), `${mac}\n`);
  });

  test('of hardware: what another port has by default is taken, and told when both are on one network', async () => {
    await mount.run(
      `mkdir -p ${ports}/c/ports/eth0 ${ports}/c/ports/eth1 ${ports}/d/ports/eth0; cd ${ports}; for p in c/ports/eth0 c/ports/eth1 d/ports/eth0; do echo lan > $p/network; done`,
    );
    const macOf = async (port: string): Promise<string> => (await mount.run(`cat ${ports}/${port}/mac`)).trim();
    const theirs = await macOf('d/ports/eth0');
    const own = await macOf('c/ports/eth0');
    await mount.run(`echo ${theirs} > ${ports}/c/ports/eth0/mac; echo activate > ${ports}/d/action`);
    assert.equal(await macOf('c/ports/eth0'), theirs);
    await refused(`echo activate > ${ports}/c/action`, 'Address already in use', /hardware address of d\/ports\/eth0 on network lan/, 'c');
    await mount.run(`cat ${ports}/c/ports/eth1/mac > ${ports}/c/ports/eth0/mac`);
    await refused(`echo activate > ${ports}/c/action`, 'Address already in use', /hardware address of c\/ports\/eth1 on network lan/, 'c');
    await mount.run(`echo ${own} > ${ports}/c/ports/eth0/mac; echo activate > ${ports}/c/action`);
    await refused(`echo ${own} > ${ports}/c/ports/eth1/mac`, 'Address already in use', /hardware address of c\/ports\/eth0/, 'c');
    assert.equal(await macOf('c/ports/eth0'), own);
    await mount.run(`echo destroy > ${ports}/c/action; mv ${ports}/c ${ports}/e`);
    assert.notEqual(await macOf('e/ports/eth0'), own, 'what a port has by default goes by its names');
  });
});
