import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { testImage } from '../support/guest-image.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';
import { testVnfImage } from '../support/vnf-image.ts';

/** A network from a client in namespaces, through a firewall that is a virtual machine, to a server in a container. */
const build = (image: string): string => `
for each in vms:libvirt containers:docker; do
  mkdir hosts/\${each%:*}; echo \${each#*:} > hosts/\${each%:*}/hypervisor; echo localhost > hosts/\${each%:*}/address
done
mkdir networks/lan networks/wan
echo 10.1.0.0/24 > networks/lan/subnet; echo 10.2.0.0/24 > networks/wan/subnet
cd nf-types
mkdir -p host/client/ports/eth0 host/server/ports/eth0 firewall/fw/ports/lan firewall/fw/ports/wan
attach() { echo $2 > $1/network; echo $3 > $1/address; }
attach host/client/ports/eth0 lan 10.1.0.10/24
attach host/server/ports/eth0 wan 10.2.0.10/24
attach firewall/fw/ports/lan lan 10.1.0.1/24
attach firewall/fw/ports/wan wan 10.2.0.1/24
echo containers > host/server/machine/ip
echo ${testImage} > host/server/machine/vm.image
echo 'command=busybox httpd -f -p 80 -h /etc' > host/server/config/boot.conf
echo vms > firewall/fw/machine/ip
echo ${image} > firewall/fw/machine/vm.image
echo 'table inet filter { chain forward { type filter hook forward priority 0; tcp dport 23 drop; }; }' > firewall/fw/config/nf_conf
for each in host/client host/server firewall/fw; do echo activate > $each/action || { cat $each/error; exit 1; }; done`;

/** Fetches a page of the server's. */
const fetch = `bash -c 'exec 3<>/dev/tcp/10.2.0.10/80; printf "GET /passwd HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'`;
/** Tries to connect, and says whether that took too long: 124. */
const connect = (port: number): string => `timeout 1 bash -c 'exec 3<>/dev/tcp/10.2.0.10/${port}'; echo status $?`;

describe('namespaces, containers and virtual machines on one mount', {
  skip: whyNoLibvirt() ?? whyNoEngine() ?? false,
  timeout: patient(360_000),
}, () => {
  let daemon: LibvirtDaemon;
  let engine: TestEngine;
  let mount: TestMount;
  const firewall = 'nf-types/firewall/fw';
  const commandIn = (vnf: string, text: string): string => {
    const path = join(mount.path, 'nf-types', vnf, 'command');
    writeFileSync(path, text);
    return readFileSync(path, 'utf8');
  };

  before(async () => {
    daemon = await LibvirtDaemon.start();
    engine = await TestEngine.start();
    mount = await TestMount.start({ libvirtUri: daemon.uri, dockerSocket: engine.socket });
    await mount.run(build(await testVnfImage()), { timeoutMs: 120_000 });
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  it('passes traffic between all three', async () => {
    assert.match(commandIn('host/client', fetch), /root:x:0:0/);
    assert.equal(await mount.run(`cat ${firewall}/status hosts/vms/status hosts/containers/status`), 'running\nup\nup\n');
    assert.match(await mount.run(`cat ${firewall}/machine/domain.xml`), /<title>firewall\/fw<\/title>/);
  });

  it('counts what the virtual machine passes and what its rules drop', async () => {
    const count = async (name: string): Promise<number> => Number(await mount.run(`cat ${firewall}/${name}`));
    assert.equal(await count('stats/pkt_drops'), 0);
    assert.match(commandIn('host/client', connect(23)), /status 124/);
    assert.ok((await count('stats/pkt_drops')) > 0);
    // The direction is the guest's own: what the client asked went in by lan and out by wan.
    assert.ok((await count('ports/lan/rx_bytes')) > 0 && (await count('ports/wan/tx_bytes')) > 0);
    assert.equal(await count('stats/rx_bytes'), (await count('ports/lan/rx_bytes')) + (await count('ports/wan/rx_bytes')));
    assert.ok((await count('stats/cpu_usec')) > 0 && (await count('stats/memory_bytes')) > 0);
  });

  it('has no count of dropped packets while it is paused, and who reads all there is meets no error', async () => {
    const read = `echo pause > ${firewall}/action; cat ${firewall}/stats/pkt_drops; grep -r nothing ${firewall}/stats || echo "status $?"`;
    assert.equal(await mount.run(`${read}; cat ${firewall}/error; echo unpause > ${firewall}/action`), 'status 1\n');
    assert.ok(Number(await mount.run(`cat ${firewall}/stats/pkt_drops`)) > 0);
  });

  it('takes a new rule set at once, and none that is wrong', async () => {
    const rules = (port: number): string =>
      `table inet filter { chain forward { type filter hook forward priority 0; tcp dport ${port} drop; }; }`;
    await mount.run(`echo '${rules(80)}' > ${firewall}/config/nf_conf`);
    const blocked = (): string => commandIn('host/client', connect(80));
    assert.match(blocked(), /status 124/);
    assert.throws(() => writeFileSync(join(mount.path, firewall, 'config/nf_conf'), 'table inet filter { nonsense }\n'), {
      code: 'EINVAL',
    });
    assert.match(await mount.run(`cat ${firewall}/error`), /line 1/);
    assert.match(blocked(), /status 124/);
    await mount.run(`echo '${rules(23)}' > ${firewall}/config/nf_conf`);
    assert.match(blocked(), /status 0/);
  });

  it('plugs a port into the virtual machine while it runs', async () => {
    await mount.run(`mkdir networks/dmz ${firewall}/ports/dmz; echo 10.3.0.0/24 > networks/dmz/subnet`);
    await mount.run(`echo dmz > ${firewall}/ports/dmz/network; echo 10.3.0.1/24 > ${firewall}/ports/dmz/address`);
    // The guest's driver tells of the carrier in its own time.
    const shown = 'i=0; until ip -br addr show dmz | grep -q UP || [ $i = 50 ]; do i=$((i + 1)); sleep 0.1; done; ip -br addr show dmz';
    assert.match(commandIn('firewall/fw', shown), /UP\s+10\.3\.0\.1\/24/);
    await mount.run(`rmdir ${firewall}/ports/dmz networks/dmz`);
  });

  it('limits the rate of its port, and delays packets where the kernel can', async () => {
    await mount.run(`echo 8mbit > ${firewall}/ports/lan/rate`);
    commandIn('host/server', 'iperf3 --server --one-off --daemon');
    const told = commandIn('host/client', 'iperf3 --client 10.2.0.10 --time 2 --format m');
    const mbits = Number(/([\d.]+) Mbits\/sec +receiver/.exec(told)?.[1]);
    assert.ok(mbits > 0 && mbits < 9, told);
    await mount.run(`echo > ${firewall}/ports/lan/rate`);
    const { status, stderr } = await mount.sh(`echo 20ms > ${firewall}/ports/lan/delay`);
    if (status === 0) await mount.run(`echo > ${firewall}/ports/lan/delay`);
    else {
      assert.match(stderr, /Operation not supported/);
      assert.match(await mount.run(`cat ${firewall}/error ${firewall}/ports/lan/delay`), /sch_netem.*modprobe sch_netem\n\n?$/);
    }
    assert.match(commandIn('host/client', connect(80)), /status 0/);
  });

  it('is copied while it runs by cp, tar and rsync, which report nothing, and by those that put a copy over another', async () => {
    const copies = ['cp -r fw copy', 'mkdir copy; tar c -C fw . | tar x -C copy', 'rsync -a fw/ copy; rsync -a --ignore-times fw/ copy'];
    for (const copy of copies) {
      const { status, stdout, stderr } = await mount.sh(
        `set -e -o pipefail; cd nf-types/firewall; ${copy}; cat copy/status copy/machine/ip copy/machine/domain.xml`,
        { timeoutMs: 90_000 },
      );
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'undeployed\nvms\n', stderr: '' }, copy);
      assert.equal(
        await mount.run('cd nf-types/firewall; rm copy/machine/domain.xml; ls copy/machine | grep -c domain || :; rm -r copy'),
        '0\n',
      );
    }
  });

  it('is there as before when nf.io comes back, and leaves nothing when it is destroyed', async () => {
    const id = await mount.run(`cat ${firewall}/machine/vm.id`);
    const drops = Number(await mount.run(`cat ${firewall}/stats/pkt_drops`));
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(`cat ${firewall}/machine/vm.id ${firewall}/status`), `${id}running\n`);
    assert.equal(Number(await mount.run(`cat ${firewall}/stats/pkt_drops`)), drops);
    assert.match(commandIn('host/client', fetch), /root:x:0:0/);
    const [guestDir = ''] = (await mount.run(`ls -d ${mount.root}/guests/*/overlay.qcow2`)).split('/overlay');
    await mount.run(`echo destroy > ${firewall}/action; rmdir ${firewall}`);
    assert.ok(!existsSync(join(guestDir, 'overlay.qcow2')));
  });
});
