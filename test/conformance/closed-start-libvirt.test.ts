import { equal } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { acceptAll, ForbiddenLab } from '../support/forbidden-lab.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { patient } from '../support/patience.ts';
import { testVnfImage } from '../support/vnf-image.ts';

/** A machine that is emulated boots for a while. */
const bootTimeoutMs = 180_000;

describe('a firewall in a virtual machine that drops everything', { skip: whyNoLibvirt() ?? false, timeout: patient(420_000) }, () => {
  let daemon: LibvirtDaemon;
  let lab: ForbiddenLab;

  before(async () => {
    daemon = await LibvirtDaemon.start();
    const image = await testVnfImage();
    const prepare = `mkdir ../../../hosts/vms; echo libvirt > ../../../hosts/vms/hypervisor; echo localhost > ../../../hosts/vms/address
      echo vms > machine/ip; echo ${image} > machine/vm.image`;
    lab = await ForbiddenLab.start({ libvirtUri: daemon.uri, prepare });
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  const act = (verb: string): Promise<string> =>
    lab.run(`echo ${verb} > ${lab.guard}/action || { cat ${lab.guard}/error; exit 1; }`, bootTimeoutMs);
  const rulesAreThere = (): Promise<string> => {
    const list = `echo 'nft list ruleset' > ${lab.guard}/command && cat ${lab.guard}/command`;
    return lab.run(`until { ${list}; } 2>/dev/null | grep -q 'policy drop'; do sleep 0.2; done`, bootTimeoutMs);
  };

  it('lets nothing through while it is activated, restarted, stopped and destroyed', async () => {
    equal(
      await lab.answered(() => ['activate', 'restart', 'stop'].reduce((done, verb) => done.then(() => act(verb)), Promise.resolve(''))),
      0,
    );
  });

  it('lets nothing through when it begins anew by itself, and is configured then', async () => {
    await act('start');
    // As one that boots again: its agent goes, its rules are gone, and its agent comes.
    const anew =
      '(sleep 1; chmod a-x /etc/nfio-agent; kill $(pidof qemu-ga); sleep 3; nft flush ruleset; chmod a+x /etc/nfio-agent) >/dev/null 2>&1 &';
    const begin = async (): Promise<void> => {
      await lab.run(`printf '%s\\n' '${anew}' > ${lab.guard}/command; sleep 6`);
      await rulesAreThere();
    };
    equal(await lab.answered(begin), 0);
    await lab.run(`printf '%s\\n' '${acceptAll}' > ${lab.guard}/config/nf_conf`, bootTimeoutMs);
    await lab.run(`echo 'ping -c 1 -W 5 10.2.0.10' > nf-types/host/client/command; grep ' 1 received' nf-types/host/client/command`);
  });
});
