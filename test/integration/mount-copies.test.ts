import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../../src/daemon/process-alive.ts';
import { TestMount } from '../support/mount.ts';
import { nfio } from '../support/nfio-command.ts';
import { shell } from '../support/shell.ts';

/* A mount namespace that was made while nf.io was mounted has a copy of the mount, which an unmount elsewhere leaves where nothing propagates it. */

/** So soon after the last use of an unmounted mount its processes have ended, milliseconds. */
const endMs = 20_000;

const options = { timeout: 90_000, skip: process.getuid?.() === 0 ? false : 'mounting needs root' };

/** A process in a private mount namespace, with copies of all mounts, as a virtual machine has. */
class Namespace implements AsyncDisposable {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async start(): Promise<Namespace> {
    const script = 'echo ready; exec sleep 1000';
    const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(holder.stdout, 'data');
    return new Namespace(holder);
  }

  /** Starts a program in it. */
  spawn(argv: readonly string[], cwd = '/'): ChildProcess {
    const enter = ['--target', String(this.#holder.pid), '--mount', `--wdns=${cwd}`, '--'];
    return spawn('nsenter', [...enter, ...argv], { stdio: 'ignore' });
  }

  async run(script: string): Promise<string> {
    return (await shell(`nsenter --target ${this.#holder.pid} --mount -- sh -c '${script}' 2>&1`)).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#holder);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function endsSoon(...pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + endMs;
  while (pids.some(isAlive)) {
    assert.ok(Date.now() < deadline, `${pids.filter(isAlive)} are still there`);
    await delay(20);
  }
}

async function pidsOf(mount: TestMount): Promise<readonly number[]> {
  return [mount.supervisor, await mount.server()];
}

test('copies that nothing uses do not keep the processes; what was written and guests are there at the next mount', options, async () => {
  await using mount = await TestMount.start();
  await using namespace = await Namespace.start();
  const fusectl = readFileSync('/proc/self/mountinfo', 'utf8').includes(' - fusectl ');
  await mount.run('mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action');
  for (const unmount of [() => shell(`umount ${mount.path}`), () => nfio('umount', mount.path)]) {
    const pids = await pidsOf(mount);
    await mount.run('cd nf-types/host/h; date +%N > machine/ip; cat machine/ip > config/last');
    assert.equal((await unmount()).status, 0);
    await endsSoon(...pids);
    assert.match(await namespace.run(`cat ${mount.path}/events`), /Transport endpoint is not connected/);
    await mount.mount();
    assert.equal(await mount.run('cd nf-types/host/h; cat status; cmp machine/ip config/last'), 'running\n');
  }
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(' - fusectl '), fusectl);
});

test('after a lazy unmount, who has a file open or mapped is served on, copy or not; then the processes end', options, async () => {
  await using mount = await TestMount.start();
  await using _ = await Namespace.start();
  const pids = await pidsOf(mount);
  await mount.run('mkdir -p nf-types/host/h; echo 0 > nf-types/host/h/config/log; cp /bin/sleep nf-types/host/h/config/');
  const opener = mount.sh('exec 5>> nf-types/host/h/config/log; cd /; for i in $(seq 1 10); do sleep 0.5; echo $i >&5 || exit 1; done');
  // A program that runs is mapped, and not open.
  const mapper = mount.sh('program=$PWD/nf-types/host/h/config/sleep; cd /; exec $program 8');
  await delay(400);
  await mount.sh(`umount -l ${mount.path}`, { cwd: '/' });
  assert.equal((await opener).status, 0);
  assert.ok(pids.every(isAlive), 'the mapping keeps them');
  assert.equal((await mapper).status, 0);
  await endsSoon(...pids);
  await mount.mount();
  const log = readFileSync(join(mount.path, 'nf-types/host/h/config/log'), 'latin1');
  assert.equal(log, Array.from({ length: 11 }, (_, i) => `${i}\n`).join(''));
});

test('a call under way at a lazy unmount gets its answer', options, async () => {
  await using mount = await TestMount.start();
  await using _ = await Namespace.start();
  await mount.run('mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action');
  const pids = await pidsOf(mount);
  const waiting = mount.sh('echo "sleep 5; echo done > /etc/nfio-was-here" > nf-types/host/h/command');
  await delay(500);
  await shell(`umount -l ${mount.path}`);
  assert.deepEqual(await waiting, { status: 0, stdout: '', stderr: '' });
  await endsSoon(...pids);
  await mount.mount();
  assert.equal(await mount.run('cat nf-types/host/h/rfs/etc/nfio-was-here'), 'done\n');
});

test('who uses a copy is served on and named, until it ends', options, async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/h');
  await using namespace = await Namespace.start();
  const pids = await pidsOf(mount);
  const user = namespace.spawn(['sleep', '1000'], mount.path);
  await delay(200);
  const { status, err } = await nfio('umount', mount.path);
  assert.equal(status, 1);
  const who = `used in another mount namespace by ${user.pid} (sleep)`;
  assert.equal(err, `nfio: ${mount.path} is unmounted, but ${who}. End that, or cut it off with: kill ${mount.supervisor}\n`);
  assert.equal(readFileSync(`/proc/${user.pid}/cwd/nf-types/host/h/status`, 'utf8'), 'undeployed\n');
  await end(user);
  await endsSoon(...pids);
});

test('a signal to the supervisor cuts off who uses a copy', options, async () => {
  await using mount = await TestMount.start();
  await using namespace = await Namespace.start();
  const pids = await pidsOf(mount);
  const user = namespace.spawn(['sleep', '1000'], mount.path);
  await delay(200);
  assert.equal((await shell(`umount ${mount.path}`)).status, 0);
  process.kill(mount.supervisor, 'SIGTERM');
  await endsSoon(...pids);
  assert.throws(() => readFileSync(`/proc/${user.pid}/cwd/events`), { code: 'ENOTCONN' });
  await end(user);
});
