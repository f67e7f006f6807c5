import { equal } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { dropAll, ForbiddenLab } from '../support/forbidden-lab.ts';
import { testImage } from '../support/guest-image.ts';

const onDocker = `mkdir ../../../hosts/box; echo docker > ../../../hosts/box/hypervisor; echo localhost > ../../../hosts/box/address
  echo box > machine/ip; echo ${testImage} > machine/vm.image`;

describe('a firewall in a container that drops everything', { skip: whyNoEngine() ?? false, timeout: 400_000 }, () => {
  let engine: TestEngine;
  let lab: ForbiddenLab;

  before(async () => {
    engine = await TestEngine.start();
    lab = await ForbiddenLab.start({ dockerSocket: engine.socket, prepare: onDocker });
    await lab.act('activate');
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
  });

  const times = async (count: number, ...verbs: readonly string[]): Promise<void> => {
    for (let round = 0; round < count; round += 1) for (const verb of verbs) await lab.act(verb);
  };

  it('lets nothing through while it is stopped, started, destroyed, activated and restarted', async () => {
    equal(await lab.answered(() => times(5, 'stop', 'start', 'destroy', 'activate', 'restart')), 0);
  });

  it('lets nothing through when it is started again while no server runs, and is configured when one does', async () => {
    const rules = `echo 'nft list ruleset' > ${lab.guard}/command && cat ${lab.guard}/command`;
    const id = (await lab.run(`cat ${lab.guard}/machine/vm.id`)).trim();
    const pings = async (): Promise<number> => {
      await lab.mount.unmount();
      execFileSync('docker', ['-H', `unix://${engine.socket}`, 'restart', '-t', '0', id], { stdio: 'ignore' });
      await lab.mount.mount();
      return await lab.answered(() => lab.run(`until { ${rules}; } 2>/dev/null | grep -q 'policy drop'; do sleep 0.05; done; sleep 1`));
    };
    equal(await pings(), 0);
    equal(await lab.run(`cat ${lab.guard}/ports/lan/state ${lab.guard}/error`), 'up\n');
    await lab.run(`echo 'ping -c 1 -W 5 10.1.0.10' > ${lab.guard}/command; grep ' 1 received' ${lab.guard}/command`);
  });

  it('lets nothing through while it is killed from outside, and is configured again when someone starts it', async () => {
    const docker = async (...words: readonly string[]): Promise<void> => {
      const id = (await lab.run(`cat ${lab.guard}/machine/vm.id`)).trim();
      execFileSync('docker', ['-H', `unix://${engine.socket}`, ...words, id], { stdio: 'ignore' });
    };
    const until = (state: string): Promise<string> => lab.run(`until [ "$(cat ${lab.guard}/status)" ${state} ]; do sleep 0.02; done`);
    const rules = `echo 'nft list ruleset' > ${lab.guard}/command && cat ${lab.guard}/command`;
    const round = async (): Promise<void> => {
      await docker('kill');
      await until('!= running');
      await docker('start');
      await until('= running');
      await lab.run(`until { ${rules}; } 2>/dev/null | grep -q 'policy drop'; do sleep 0.05; done`);
      await docker('restart', '-t', '0');
      await lab.run(`until { ${rules}; } 2>/dev/null | grep -q 'policy drop'; do sleep 0.05; done`);
    };
    equal(await lab.answered(() => round().then(round)), 0);
    // Not because nothing passes it any more.
    await lab.run(`printf '%s\\n' '${dropAll.replace('drop', 'accept')}' > ${lab.guard}/config/nf_conf`);
    await lab.run(`echo 'ping -c 1 -W 5 10.2.0.10' > nf-types/host/client/command; grep ' 1 received' nf-types/host/client/command`);
  });
});
