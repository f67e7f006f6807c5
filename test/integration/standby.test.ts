import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';

/* A server that dies or hangs is followed by one that stood by, loaded. */

const setUp = 'mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action';

/** The processes of a mount's daemon besides the supervisor: the server, and what stands by once it is loaded. */
async function servers(mount: TestMount): Promise<number[]> {
  const children = await readFile(`/proc/${mount.supervisor}/task/${mount.supervisor}/children`, 'utf8');
  return children.trim().split(' ').filter(Boolean).map(Number);
}

/** Waits until a second server stands by, loaded: it sleeps then. */
async function standby(mount: TestMount): Promise<number> {
  for (let tries = 0; tries < 600; tries += 1, await delay(100)) {
    const [, second] = await servers(mount);
    if (second !== undefined && (await isLoaded(second))) return second;
  }
  throw new Error('no server stands by');
}

/** The kernel thread waits for its order, and the main thread for messages. */
async function isLoaded(pid: number): Promise<boolean> {
  const ticks = async (): Promise<string> =>
    (await readFile(`/proc/${pid}/stat`, 'latin1'))
      .replace(/^.*\) /s, '')
      .split(' ')
      .slice(11, 13)
      .join();
  const before = await ticks();
  await delay(1000);
  return (await ticks()) === before;
}

async function killed(mount: TestMount, server: number): Promise<void> {
  process.kill(server, 'SIGKILL');
  await mount.ended(server);
}

async function oomScore(pid: number): Promise<number> {
  return Number(await readFile(`/proc/${pid}/oom_score_adj`, 'latin1'));
}

describe('a second server', { timeout: 180_000 }, () => {
  test('stands by, touches nothing, takes over, and is followed by another', async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    for (let turn = 0; turn < 3; turn += 1) {
      const [server = 0] = await servers(mount);
      const second = await standby(mount);
      const files = await Promise.all(
        (await readdir(`/proc/${second}/fd`)).map((fd) => readlink(`/proc/${second}/fd/${fd}`).catch(() => '')),
      );
      assert.deepEqual(
        files.filter((path) => path.startsWith(mount.root) && !/(lock|daemon\.log)$/.test(path)),
        [],
      );
      const waits = mount.sh('echo "sleep 1; echo $((6 * 7))" > nf-types/host/h/command; cat nf-types/host/h/status');
      await delay(300);
      await killed(mount, server);
      assert.equal(await mount.run('cat nf-types/host/h/status'), 'running\n');
      assert.match((await waits).stdout, /^running\n$/);
      assert.equal((await servers(mount))[0], second);
    }
  });

  test('ends with the mount, and with its supervisor', async () => {
    await using mount = await TestMount.start();
    const first = await standby(mount);
    await mount.unmount();
    await mount.ended(first);
    await mount.mount();
    const second = await standby(mount);
    const [server = 0] = await servers(mount);
    process.kill(mount.supervisor, 'SIGKILL');
    await mount.ended(second);
    assert.equal(await mount.run('ls nf-types'), '');
    process.kill(server, 'SIGKILL');
    await mount.ended(server);
    await mount.unmount({ lazy: true });
    await mount.mount();
  });

  test('that was killed is replaced, as is a server that dies before one stands by', async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    for (let kills = 0; kills < 2; kills += 1) {
      await killed(mount, await mount.server());
      assert.equal(await mount.run('cat nf-types/host/h/status'), 'running\n');
    }
    const [[server = 0], second] = [await servers(mount), await standby(mount)];
    for (const pid of [second, server]) process.kill(pid, 'SIGKILL');
    await mount.ended(server);
    assert.equal(await mount.run('cat nf-types/host/h/status'), 'running\n');
    await standby(mount);
  });
});

test('a server that hangs is replaced, and its clients wait and no more', { timeout: 180_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run(setUp);
  const [[server = 0], second] = [await servers(mount), await standby(mount)];
  process.kill(server, 'SIGSTOP');
  assert.equal(
    await mount.run('cat nf-types/host/h/status; mkdir nf-types/host/i; ls nf-types/host', { timeoutMs: 90_000 }),
    'running\nh\ni\n',
  );
  await mount.ended(server);
  assert.equal((await servers(mount))[0], second);
  assert.match(await mount.log(), /the server \(process \d+\) did not answer for 20 s and was killed: another takes over/);
});

test('a server that works is left alone, however long', { timeout: 180_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run(setUp);
  const before = await mount.server();
  await mount.run('echo "sleep 30" > nf-types/host/h/command', { timeoutMs: 90_000 });
  assert.equal(await mount.server(), before);
});

test('SIGHUP ends none of the processes, whoever gets it', { timeout: 120_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run(setUp);
  await standby(mount);
  const before = [mount.supervisor, ...(await servers(mount))];
  for (const pid of before) process.kill(pid, 'SIGHUP');
  await delay(500);
  assert.equal(await mount.run('cat nf-types/host/h/status'), 'running\n');
  assert.deepEqual([mount.supervisor, ...(await servers(mount))], before);
});

test('when memory runs out the daemon goes last, its standby and the guests before it', { timeout: 120_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run(setUp);
  const [[server = 0], second] = [await servers(mount), await standby(mount)];
  const own = await oomScore(mount.supervisor);
  const spare = String(Math.max(0, own + 300));
  assert.deepEqual([await oomScore(server), await oomScore(second)], [own, Number(spare)]);
  const look = 'cat /proc/1/oom_score_adj /proc/self/oom_score_adj';
  assert.equal(await mount.run(`echo "${look}" > nf-types/host/h/command; cat nf-types/host/h/command`), `${spare}\n${spare}\n`);
  await killed(mount, server);
  await mount.run('ls');
  assert.equal(await oomScore(second), own);
});
