import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';

/* A helper process of the server that hangs is given up: what waits for it fails with a sentence, and the next request has another. */

let mount: TestMount;
const fw = 'nf-types/firewall/fw';

before(async () => {
  mount = await TestMount.start();
  await mount.run(`mkdir -p ${fw}/ports/lan networks/lan; echo 10.1.0.0/24 > networks/lan/subnet
    echo lan > ${fw}/ports/lan/network; echo 10.1.0.1/24 > ${fw}/ports/lan/address; echo activate > ${fw}/action; echo 10.1.0.2/24 > ${fw}/ports/lan/address`);
});

after(async () => {
  await mount[Symbol.asyncDispose]();
});

/** The one child of the server with this in its command line. */
async function helper(line: string): Promise<number> {
  const server = await mount.server();
  const threads = await readdir(`/proc/${server}/task`);
  const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${server}/task/${thread}/children`, 'utf8')));
  const found: number[] = [];
  for (const pid of lists.join(' ').split(/\s+/).filter(Boolean)) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.replaceAll('\0', ' ').includes(line)) found.push(Number(pid));
  }
  assert.equal(found.length, 1, `${line}: ${found}`);
  return found[0] as number;
}

test('a helper that waits for news stays', { timeout: 60_000 }, async () => {
  const watching = await helper('nfio-links');
  await delay(5000);
  assert.equal(await helper('nfio-links'), watching);
});

describe('a helper that was stopped', () => {
  const helpers: Readonly<Record<string, string>> = {
    'nfio-launcher': `echo restart > ${fw}/action`,
    'nfio-network': `mkdir -p networks/wan ${fw}/ports/wan; echo wan > ${fw}/ports/wan/network`,
    'ip -o -force -batch':
      'mkdir -p networks/x; mkdir -p nf-types/host/h/ports/p; echo x > nf-types/host/h/ports/p/network; echo activate > nf-types/host/h/action',
  };
  for (const [line, change] of Object.entries(helpers)) {
    test(`${line} is replaced`, { timeout: 120_000 }, async () => {
      const stopped = await helper(line);
      process.kill(stopped, 'SIGSTOP');
      const first = await mount.sh(change, { timeoutMs: 60_000 });
      assert.notEqual(first.status, 'timeout');
      assert.match(first.stderr, /: Connection timed out\n/);
      assert.match(await mount.run('cat nf-types/*/*/error'), /did not answer for 10 s and was killed; try again/);
      await mount.ended(stopped);
      const again = change.includes('restart') ? `echo start > ${fw}/action` : change;
      await mount.run(again, { timeoutMs: 60_000 });
      assert.notEqual(await helper(line), stopped);
      assert.equal(await mount.run(`cat nf-types/*/*/error; cat ${fw}/status`), 'running\n');
    });
  }
});
