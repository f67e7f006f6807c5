import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { awaitPorts, idleCommand } from '../../src/middleboxes/main-process.ts';
import { whyNoNamespaces } from '../support/network-guest.ts';

/** Runs a script in a network of its own, which /sys shows, and returns what it printed. */
function inNetwork(script: string, ports: string): string {
  const argv = ['--net', '--mount', 'sh', '-c', `mount -t sysfs sysfs /sys; ${script}`];
  const { stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8', env: { ...process.env, NFIO_PORTS: ports } });
  assert.equal(stderr, '');
  return stdout;
}

/** The state letters of the processes below one, `S` or `Z`. */
function statesBelow(pid: number): string[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return children.filter(Boolean).map((child) =>
    readFileSync(`/proc/${child}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .charAt(0),
  );
}

describe('a main process', { skip: whyNoNamespaces() ?? false, timeout: 60_000 }, () => {
  it('waits for ports that come after it', () => {
    const later = '(sleep 0.5; ip link add name late type veth peer name other) & ';
    assert.match(inNetwork(`${later}${awaitPorts}ls /sys/class/net; wait`, 'lo late'), /^late$/m);
  });

  it('does not wait for none, nor for ever', () => {
    assert.equal(inNetwork(`${awaitPorts}echo $i`, ''), '0\n');
    assert.equal(inNetwork(`${awaitPorts}echo $i`, 'never nor-this'), '100\n');
  });

  it('that only waits takes in orphans, and ends at once when it is told to', async () => {
    const [program = '', ...args] = idleCommand;
    const child = spawn('unshare', ['--pid', '--fork', '--kill-child', program, ...args], { stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    try {
      let idle = 0;
      for (let tries = 0; tries < 100 && idle === 0; tries += 1) {
        await sleep(20);
        idle = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
        if (idle > 0 && !statesBelow(idle).includes('S')) idle = 0; // it does not wait yet
      }
      const orphaning = ['-t', String(idle), '--pid', '--', 'sh', '-c', '(sleep 1 & exit); :'];
      assert.equal(spawnSync('nsenter', orphaning, { stdio: 'ignore' }).status, 0);
      assert.equal(statesBelow(idle).length, 2);
      for (let tries = 0; tries < 100 && statesBelow(idle).length > 1; tries += 1) await sleep(20);
      assert.deepEqual(statesBelow(idle), ['S']);
      process.kill(idle, 'SIGTERM');
      assert.equal(await ended, 0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
