import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { unlessAbsent } from '../../src/errors/index.ts';
import { TestMount } from '../support/mount.ts';
import { killServer } from '../support/over-kills.ts';

const mostPorts = 15_000;

/** Rules that drop a port, and have a set of ports that takes its time. */
const rules = (dropped: number, ports: number): string =>
  `table inet filter { set many { type inet_service; elements = { ${Array.from({ length: ports }, (_, index) => index + 1).join(', ')} }; }
   chain forward { type filter hook forward priority filter; tcp dport ${dropped} drop; }; }`;

/** How much a program has read, as proc_pid_io(5) says. */
function bytesRead(pid: number): number {
  return Number(/^rchar: (\d+)/.exec(unlessAbsent(() => readFileSync(`/proc/${pid}/io`, 'latin1')) ?? '')?.[1] ?? 0);
}

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
  const slow = rules(1001, mostPorts);
  const { length } = slow;
  await writeFile(`${mount.root}/slow`, slow);
  const saved = mount.run(`cat ${mount.root}/slow > nf-types/firewall/fw/config/nf_conf`, { timeoutMs: 60_000 });
  let late: number | undefined;
  // All of the rules have been read, and are worked on.
  for (let before = -1, now = 0; late === undefined || now < length || now > before; await delay(2)) {
    late = loading(guest);
    [before, now] = [now, late === undefined ? 0 : bytesRead(late)];
  }
  process.kill(late, 'SIGSTOP'); // as on a machine that has no time for it
  await killServer(mount);
  const stat = unlessAbsent(() => readFileSync(`/proc/${late}/stat`, 'latin1')) ?? ') X';
  assert.match(stat, /\) [XZ]/, 'it has ended before the next server serves');
  await saved;
  await mount.run(`echo '${rules(1002, 1)}' > nf-types/firewall/fw/config/nf_conf`, { timeoutMs: 60_000 });
  assert.deepEqual((await mount.run(`nsenter --net --target ${guest} nft list ruleset`)).match(/dport \d+/g), ['dport 1002']);
});
