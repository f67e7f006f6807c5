import { equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { acceptAll, ForbiddenLab } from '../support/forbidden-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

const rounds = 15;

describe('a firewall in a namespace that drops everything', { skip: whyNoGuests() ?? false, timeout: 400_000 }, () => {
  let lab: ForbiddenLab;

  before(async () => {
    lab = await ForbiddenLab.start();
    await lab.act('activate');
  });
  after(() => lab[Symbol.asyncDispose]());

  const times = async (count: number, what: () => Promise<unknown>): Promise<void> => {
    for (let round = 0; round < count; round += 1) await what();
  };

  it('lets nothing through while it is stopped and started', async () => {
    equal(await lab.answered(() => times(rounds, () => lab.act('stop').then(() => lab.act('start')))), 0);
  });

  it('lets nothing through while it is destroyed and activated', async () => {
    equal(await lab.answered(() => times(rounds, () => lab.act('destroy').then(() => lab.act('activate')))), 0);
  });

  it('lets nothing through while it is restarted, reloaded, paused and unpaused', async () => {
    const verbs = ['restart', 'reload', 'pause', 'unpause'];
    equal(await lab.answered(() => times(4, () => verbs.reduce((done, verb) => done.then(() => lab.act(verb)), Promise.resolve('')))), 0);
  });

  it('lets nothing through while it is killed from outside and started', async () => {
    const kill = `cd ${lab.guard}; kill -KILL $(cat machine/vm.id); until [ "$(cat status)" != running ]; do sleep 0.02; done`;
    equal(await lab.answered(() => times(rounds, () => lab.run(kill).then(() => lab.act('start')))), 0);
  });

  it('lets nothing through while it gets its ports on the run', async () => {
    const again = `cd ${lab.guard}/ports; rmdir wan; mkdir wan; echo 02:00:00:00:00:02 > wan/mac; echo wan > wan/network; echo 10.2.0.1/24 > wan/address
      echo down > lan/state; echo up > lan/state; echo > wan/network; echo wan > wan/network`;
    equal(await lab.answered(() => times(4, () => lab.run(again))), 0);
  });

  it('lets the same pings through as soon as its rules do', async () => {
    await lab.run(`cat > ${lab.guard}/config/nf_conf <<'EOC'\n${acceptAll}\nEOC`);
    ok((await lab.answered(() => times(2, () => lab.act('restart').then(() => lab.run('sleep 0.3'))))) > 0);
  });
});
