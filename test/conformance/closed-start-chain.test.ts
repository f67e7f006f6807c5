import { equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { acceptAll, dropAll } from '../support/forbidden-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

describe('a firewall that drops everything, as a hop of a service chain', { skip: whyNoGuests() ?? false, timeout: 400_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b']);
    await lab.run(`printf '%s\\n' '${dropAll}' > nf-types/firewall/a/config/nf_conf`);
    await lab.chain('web', ['a', 'b'], { match: 'icmp type { echo-request, echo-reply }' });
    await lab.act('web', 'activate');
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Pings that were answered while something was done. */
  const answered = async (what: () => Promise<unknown>): Promise<number> => {
    await lab.in('client', `setsid ping -n -q -i 0.002 ${lab.server} > /tmp/pings 2>&1 & echo $! > /tmp/pinger`);
    await what();
    await lab.in('client', 'kill -INT $(cat /tmp/pinger); while kill -0 $(cat /tmp/pinger) 2>/dev/null; do sleep 0.02; done');
    const said = await lab.in('client', 'cat /tmp/pings');
    const [, sent = '0', received = 'NaN'] = /(\d+) packets transmitted, (\d+) received/.exec(said) ?? [];
    return Number(sent) < 20 ? Number.NaN : Number(received);
  };
  const act = (...verbs: readonly string[]): Promise<string> =>
    lab.run(verbs.map((verb) => `echo ${verb} > nf-types/firewall/a/action`).join('\n'));
  const times = async (count: number, what: () => Promise<unknown>): Promise<void> => {
    for (let round = 0; round < count; round += 1) await what();
  };

  it('lets nothing through while it is stopped, started and restarted', async () => {
    equal(await answered(() => times(8, () => act('stop', 'start', 'restart', 'reload', 'pause', 'unpause'))), 0);
  });

  it('lets nothing through while it is destroyed and activated', async () => {
    equal(await answered(() => times(8, () => act('destroy', 'activate'))), 0);
  });

  it('lets nothing through while it is killed and started', async () => {
    const kill = 'cd nf-types/firewall/a; kill -KILL $(cat machine/vm.id); until [ "$(cat status)" != running ]; do sleep 0.02; done';
    equal(await answered(() => times(8, () => lab.run(kill).then(() => act('start')))), 0);
  });

  it('lets nothing through while other hops come, go and change places', async () => {
    const edit = 'cd chns/web; ln -sfn ../a b/next; ln -sfn b start; rm a/next; ln -sfn a start; ln -s ../b a/next; rm b/next';
    equal(await answered(() => times(4, () => lab.sh(edit))), 0);
  });

  it('lets the same pings through when its rules do', async () => {
    await lab.run(`printf '%s\\n' '${acceptAll}' > nf-types/firewall/a/config/nf_conf`);
    ok((await answered(() => lab.run('sleep 0.5'))) > 0);
  });
});
