import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Counters of a VNF are sums over its interfaces: those go, and what they counted stays. */

const names = ['rx_packets', 'tx_packets', 'rx_bytes', 'tx_bytes', 'pkt_drops'];

/** Reads the counters in its arguments all the time, until its input ends; prints those that ever went back. */
const watcher = `import select, sys
last = {name: 0 for name in sys.argv[1:]}
print('begun', flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for name in last:
        now = int(open(name).read())
        if now < last[name]: print(name, last[name], now)
        last[name] = now
print('done')`;

describe('the counters of a VNF that runs', { skip: whyNoGuests() ?? false, timeout: 240_000 }, () => {
  let lab: ChainLab;
  const stats = 'nf-types/firewall/a/stats';

  before(async () => {
    lab = await ChainLab.start(['a', 'b']);
    await lab.chain('web', ['a', 'b']);
    await lab.act('web', 'activate');
  });
  after(() => lab[Symbol.asyncDispose]());

  const count = async (name: string): Promise<number> => Number(await lab.run(`cat ${stats}/${name}`));
  /** What a reader saw go back while a script ran. */
  const wentBack = (script: string): Promise<string> =>
    lab.run(`coproc python3 -c "${watcher}" ${names.map((name) => `${stats}/${name}`).join(' ')}
      read -u \${COPROC[0]} begun; ${script}
      exec 4<&\${COPROC[0]}; eval "exec \${COPROC[1]}>&-"; cat <&4`);

  test('never go back when a service chain takes its ports away and gives others', async () => {
    assert.equal(await lab.ping(50), 50);
    const before = await count('rx_packets');
    assert.ok(before >= 100, String(before));
    assert.equal(await wentBack('for n in 1 2 3 4; do ln -sfn b chns/web/start; ln -sfn a chns/web/start; done'), 'done\n');
    assert.ok((await count('rx_packets')) >= before);
    assert.equal(await lab.ping(50), 50);
    assert.ok((await count('rx_packets')) >= before + 100, 'those of new ports count besides');
    assert.equal(await wentBack('echo stop > chns/web/action'), 'done\n');
    assert.ok((await count('rx_packets')) >= before + 100);
    assert.ok((await count('rx_bytes')) >= 200 * 84);
  });

  test('nor when a port of its own is removed, nor after the server was replaced', async () => {
    await lab.run(`cd nf-types/firewall/a; mkdir ports/lan; echo lan > ports/lan/network; echo 10.1.0.77/24 > ports/lan/address`);
    assert.equal(await lab.ping(20, '-i 0.02 -W 1', '10.1.0.77'), 20);
    const before = await count('rx_packets');
    assert.equal(await wentBack('rmdir nf-types/firewall/a/ports/lan'), 'done\n');
    const after = await count('rx_packets');
    assert.ok(after >= before);
    await lab.mount.unmount();
    await lab.mount.mount();
    assert.equal(await count('rx_packets'), after);
  });

  test('begin anew with it', async () => {
    await lab.run('echo restart > nf-types/firewall/a/action');
    assert.equal(await count('rx_bytes'), 0);
    await lab.mount.unmount();
    await lab.mount.mount();
    assert.equal(await count('rx_bytes'), 0);
  });
});
