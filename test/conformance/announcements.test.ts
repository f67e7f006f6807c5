import { equal, match } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

describe('addresses are announced', { skip: whyNoGuests() ?? false, timeout: 300_000 }, () => {
  let mount: TestMount;

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir networks/lan nf-types/host; echo '10.1.0.0/24 fd00:1::/64' > networks/lan/subnet
      ${host('client', '10.1.0.10/24 fd00:1::10/64')}`);
  });
  after(() => mount[Symbol.asyncDispose]());

  const host = (name: string, addresses: string): string => `mkdir -p nf-types/host/${name}/ports/eth0
      echo lan > nf-types/host/${name}/ports/eth0/network; echo '${addresses}' > nf-types/host/${name}/ports/eth0/address
      echo activate > nf-types/host/${name}/action`;

  /** The client's first packet finds them: it has known another hardware address for them until now. */
  const isFound = async (): Promise<void> => {
    for (const address of ['10.1.0.20', 'fd00:1::20']) {
      const said = await mount.run(`echo 'ping -n -c 1 -W 3 ${address}' > nf-types/host/client/command; cat nf-types/host/client/command`);
      match(said, / 1 received/, address);
    }
  };
  const remove = (name: string): string => `echo destroy > nf-types/host/${name}/action; rmdir nf-types/host/${name}`;
  const both = '10.1.0.20/24 fd00:1::20/64';

  it('when a VNF with another hardware address takes them over', async () => {
    await mount.run(host('one', both));
    await isFound();
    await mount.run(`${remove('one')}; ${host('two', both)}`);
    await isFound();
  });

  it('when its hardware address changes', async () => {
    await mount.run('echo 02:00:00:00:00:99 > nf-types/host/two/ports/eth0/mac');
    await isFound();
  });

  it('when a hardware address moves to another port', async () => {
    await mount.run(`${host('three', '')}; echo > nf-types/host/two/ports/eth0/mac
      echo > nf-types/host/two/ports/eth0/address
      echo 02:00:00:00:00:99 > nf-types/host/three/ports/eth0/mac; echo '${both}' > nf-types/host/three/ports/eth0/address`);
    await isFound();
  });

  it('when they move to another VNF', async () => {
    await mount.run(`echo > nf-types/host/three/ports/eth0/address; echo '${both}' > nf-types/host/two/ports/eth0/address`);
    await isFound();
  });

  it('and a VNF that is made anew under its name keeps its hardware address', async () => {
    const mac = 'cat nf-types/host/two/ports/eth0/mac';
    const was = await mount.run(mac);
    await mount.run(`${remove('two')}; ${host('two', both)}`);
    equal(await mount.run(mac), was);
    await isFound();
  });

  it('in frames that everyone hears, each once', async () => {
    const filter = 'arp[6:2] = 1 or (icmp6 and ip6[40] = 136)';
    const heard = await mount.run(`cd nf-types/host
      echo 'timeout 3 tcpdump -l -n -i eth0 "${filter}" > /tmp/heard 2>/dev/null & until grep -q 0003 /proc/net/packet; do sleep 0.05; done' > client/command
      echo restart > two/action; echo 'sleep 3; cat /tmp/heard' > client/command; cat client/command`);
    equal(heard.match(/Request who-has 10\.1\.0\.20 (\(.*\) )?tell 10\.1\.0\.20/g)?.length, 1, heard);
    equal(heard.match(/neighbor advertisement, tgt is fd00:1::20/g)?.length, 1, heard);
  });
});
