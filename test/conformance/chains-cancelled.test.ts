import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* What is cancelled of service chains, by Ctrl-C (INT), kill -9 or timeout(1), at any moment: taken back or finished, and nothing is left of it. */

const signals = ['INT', 'KILL', 'TERM'] as const;

describe('cancelled', { skip: whyNoGuests() ?? false, timeout: 300_000 }, () => {
  let lab: ChainLab;
  let fabric: string;

  before(async () => {
    lab = await ChainLab.start(['a', 'b']);
    await lab.chain('web', ['a', 'b']);
    const { mountId } = JSON.parse(await readFile(join(lab.mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
    fabric = `nfio-${mountId}`;
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Writes to a file and cancels that after so long. What is under way has ended when this resolves. */
  async function cancel(
    text: string,
    file: string,
    { signal, seconds }: { readonly signal: string; readonly seconds: number },
  ): Promise<void> {
    await lab.sh(`timeout -s ${signal} ${seconds} dash -c 'echo ${text} > ${file}'`);
    await lab.until(async () => (await lab.run('cat chns/web/error')).includes('still being') === false, 'it is taken back or finished');
    await lab.run('echo > chns/web/trace'); // comes after what is under way
  }

  /** Interfaces in the fabric, and nft chains that are of probes alone. */
  const inFabric = (): Promise<string> =>
    lab.run(
      `ip -netns ${fabric} -o link | cut -d: -f2 | cut -d@ -f1 | sort; ip netns exec ${fabric} nft list chains | grep -c quiet || true`,
    );

  test('activate and stop: the service chain steers, or it does not, and is all there, or gone', async () => {
    const outcomes = new Set<string>();
    const idle = await inFabric();
    for (const seconds of [0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8]) {
      for (const signal of signals) {
        await cancel('activate', 'chns/web/action', { signal, seconds });
        const status = await lab.run('cat chns/web/status');
        outcomes.add(status);
        assert.match(status, /^(in)?active\n$/);
        const ports = await lab.in('a', 'ls /sys/class/net | grep -c web; true', 'firewall');
        assert.equal(ports, status === 'active\n' ? '2\n' : '0\n', `${signal} after ${seconds} s`);
        assert.equal(await lab.ping(1), 1);
        if (status === 'inactive\n') continue;
        await cancel('stop', 'chns/web/action', { signal, seconds });
        if ((await lab.run('cat chns/web/status')) === 'active\n') await lab.act('web', 'stop');
      }
    }
    assert.ok(outcomes.has('active\n'), 'some were finished');
    assert.equal(await inFabric(), idle);
  });

  test('verify: the service chain goes on as before, and the next one tells the truth', async () => {
    await lab.act('web', 'activate');
    await lab.run('echo 1 > chns/web/verify');
    const told = await lab.run('cat chns/web/verify');
    const idle = await inFabric();
    for (const seconds of [0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2]) {
      for (const signal of signals) {
        await cancel('1', 'chns/web/verify', { signal, seconds });
        assert.equal(await inFabric(), idle, `${signal} after ${seconds} s`);
        assert.equal(await lab.run('cat chns/web/status'), 'active\n');
      }
    }
    assert.equal(await lab.ping(3), 3);
    await lab.run('echo 1 > chns/web/verify');
    assert.equal((await lab.run('cat chns/web/verify')).replaceAll(/\d/g, ''), told.replaceAll(/\d/g, ''));
    assert.equal(await lab.run('cat chns/web/error'), '');
  });

  test('replicas: each clone is whole, runs and is steered to, or is not there', async () => {
    for (const seconds of [0.02, 0.1, 0.3, 0.7, 1.5]) {
      for (const signal of signals) {
        for (const count of [5, 1]) {
          await cancel(String(count), 'chns/web/a/replicas', { signal, seconds });
          await lab.until(async () => !(await lab.run('cat nf-types/firewall/*/action')).includes('\n\n'), 'no verb is under way');
          const [links, clones, states] = (
            await lab.run(`cd chns/web/a; find . -type l ! -name next | wc -l; ls -d ../../../nf-types/firewall/a* | wc -l
              cat ../../../nf-types/firewall/*/status | sort -u; cat replicas`)
          ).split('\n');
          assert.deepEqual([links, states], [clones, 'running'], `${count}, ${signal} after ${seconds} s`);
          assert.equal(await lab.ping(2), 2);
        }
      }
    }
    await lab.run('echo 1 > chns/web/a/replicas');
    assert.equal(await lab.run('ls nf-types/firewall'), 'a\nb\n');
  });
});
