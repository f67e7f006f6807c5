import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';
import { testVnfImage } from '../support/vnf-image.ts';

/** A client and a server in namespaces, with one function at a time between them. */
const surroundings = `
mkdir networks/lan networks/wan
echo 10.1.0.0/24 > networks/lan/subnet; echo 10.2.0.0/24 > networks/wan/subnet
mkdir hosts/here; echo netns > hosts/here/hypervisor; echo localhost > hosts/here/address
mkdir -p nf-types/host/client/ports/eth0 nf-types/host/server/ports/eth0; cd nf-types/host
echo lan > client/ports/eth0/network; echo 10.1.0.10/24 > client/ports/eth0/address
echo wan > server/ports/eth0/network; echo 10.2.0.10/24 > server/ports/eth0/address
for each in client server; do echo here > $each/machine/ip; echo activate > $each/action; done`;

const between = (type: string, image: string): string => `
mkdir -p nf-types/${type}/vm/ports/lan nf-types/${type}/vm/ports/wan; cd nf-types/${type}/vm
echo lan > ports/lan/network; echo 10.1.0.1/24 > ports/lan/address
echo wan > ports/wan/network; echo 10.2.0.1/24 > ports/wan/address
echo ${image} > machine/vm.image
echo activate > action || { cat error; exit 1; }`;

describe('types on virtual machines, with the nf_conf they have elsewhere', {
  skip: whyNoLibvirt() ?? false,
  timeout: patient(360_000),
}, () => {
  let daemon: LibvirtDaemon;
  let mount: TestMount;
  const commandIn = (vnf: string, text: string): string => {
    const path = join(mount.path, 'nf-types', vnf, 'command');
    writeFileSync(path, text);
    return readFileSync(path, 'utf8');
  };
  /** Makes one, saves its nf_conf, has it tested, and removes it. */
  const trying = async (type: string, configuration: string, examine: () => void): Promise<void> => {
    await mount.run(between(type, await testVnfImage()), { timeoutMs: 60_000 });
    writeFileSync(join(mount.path, `nf-types/${type}/vm/config/nf_conf`), configuration);
    // Another machine had these addresses a moment ago.
    for (const host of ['client', 'server']) commandIn(`host/${host}`, 'ip neigh flush all');
    examine();
    await mount.run(`cd nf-types/${type}; echo destroy > vm/action; rmdir vm`);
  };

  before(async () => {
    daemon = await LibvirtDaemon.start();
    mount = await TestMount.start({ hypervisor: 'libvirt', libvirtUri: daemon.uri });
    await mount.run(surroundings);
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  it('nat', async () => {
    const rules = 'table inet nat {\n chain out {\n type nat hook postrouting priority srcnat;\n oifname "wan" counter masquerade\n }\n}\n';
    await trying('nat', rules, () => {
      assert.match(commandIn('host/client', 'ping -c 1 -W 2 10.2.0.10'), /1 received/);
      assert.equal(commandIn('nat/vm', 'cat /proc/sys/net/ipv4/ip_forward'), '1\n');
      assert.match(commandIn('nat/vm', 'nft list ruleset'), /oifname "wan" counter packets [1-9]\d* bytes \d+ masquerade/);
    });
  });

  it('router', async () => {
    await trying('router', '10.9.0.0/24 via 10.2.0.10\nblackhole 192.0.2.0/24\n', () => {
      const routes = commandIn('router/vm', 'ip route');
      for (const route of [/^10\.9\.0\.0\/24 via 10\.2\.0\.10 dev wan/m, /^blackhole 192\.0\.2\.0\/24/m]) assert.match(routes, route);
      assert.match(commandIn('host/client', 'ping -c 1 -W 2 10.2.0.10'), /1 received/);
    });
  });

  it('shaper', async () => {
    await trying('shaper', 'qdisc add dev wan root tbf rate 8mbit burst 32kbit latency 50ms\n', () => {
      assert.match(commandIn('shaper/vm', 'tc qdisc show dev wan'), /tbf.*rate 8Mbit/);
      assert.match(commandIn('host/client', 'ping -c 1 -W 2 10.2.0.10'), /1 received/);
    });
  });
});
