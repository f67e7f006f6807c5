import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { unlessAbsent } from '../../src/errors/index.ts';
import { TestMount } from '../support/mount.ts';
import { killServer } from '../support/over-kills.ts';

const rules = (port: number, elements: number): string =>
  `table inet filter { set many { type inet_service; elements = { ${Array.from({ length: elements }, (_, index) => index + 1).join(', ')} }; }
   chain forward { type filter hook forward priority filter; tcp dport ${port} drop; }; }`;

/** The program that loads rules into the network of a guest. */
function loading(guest: string): number | undefined {
  const network = readlinkSync(`/proc/${guest}/ns/net`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      const [program = '', first] = (unlessAbsent(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '').split('\0');
      return program.endsWith('nft') && first === '-f' && unlessAbsent(() => readlinkSync(`/proc/${pid}/ns/net`)) === network;
    });
}

test('rules that a killed server was loading are not loaded into those that the next one has applied', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/firewall/fw; echo activate > nf-types/firewall/fw/action');
  const guest = (await mount.run('cat nf-types/firewall/fw/machine/vm.id')).trim();
  const saved = mount.run(`echo '${rules(1001, 20_000)}' > nf-types/firewall/fw/config/nf_conf`, { timeoutMs: 60_000 });
  let late: number | undefined;
  while (late === undefined) {
    late = loading(guest);
    await delay(1);
  }
  process.kill(late, 'SIGSTOP'); // as on a machine that has no time for it
  await killServer(mount);
  await saved;
  await mount.run(`echo '${rules(1002, 1)}' > nf-types/firewall/fw/config/nf_conf`, { timeoutMs: 60_000 });
  await mount.run(`kill -CONT ${late} 2> /dev/null || true; while [ -e /proc/${late} ]; do sleep 0.1; done`, { timeoutMs: 30_000 });
  assert.deepEqual((await mount.run(`nsenter --net --target ${guest} nft list ruleset`)).match(/dport \d+/g), ['dport 1002']);
});
