import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';

/* All processes of a mount are killed in the middle of a verb: the next mount finishes it, or takes it back, and says so. */

let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/warm nf-types/host/h; echo activate > nf-types/host/warm/action');
});

after(async () => {
  await mount[Symbol.asyncDispose]();
});

/** Waits until a script of the mount succeeds. */
async function until(script: string): Promise<void> {
  const deadline = Date.now() + patient(30_000);
  while ((await mount.sh(script)).status !== 0) {
    if (Date.now() > deadline)
      assert.fail(`in time: ${script}\n${await mount.run('tail -n +1 nf-types/host/h/{status,error}; tail events')}`);
    await delay(50);
  }
}

/** The process that starts guests: one that is stopped keeps a verb where it is. */
async function launcher(): Promise<number> {
  const server = await mount.server();
  for (const thread of await readdir(`/proc/${server}/task`)) {
    for (const pid of (await readFile(`/proc/${server}/task/${thread}/children`, 'utf8')).split(' ').filter(Boolean))
      if ((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('nfio-launcher')) return Number(pid);
  }
  return assert.fail('there is no launcher');
}

/** Kills supervisor and server while a verb waits for the launcher, and mounts again. */
async function cutShort(verb: string, meanwhile?: () => Promise<void>): Promise<void> {
  const stopped = await launcher();
  const [supervisor, server] = [mount.supervisor, await mount.server()];
  process.kill(stopped, 'SIGSTOP');
  try {
    const asked = mount.sh(`echo ${verb} > nf-types/host/h/action`);
    await until('[ -z "$(cat nf-types/host/h/action)" ]');
    await delay(1500); // on its way to the launcher
    for (const pid of [supervisor, server]) process.kill(pid, 'SIGKILL');
    await mount.ended(server);
    assert.notEqual((await asked).status, 0);
  } finally {
    process.kill(stopped, 'SIGKILL');
  }
  await mount.unmount({ lazy: true });
  await meanwhile?.();
  await mount.mount();
}

for (const verb of ['activate', 'restart']) {
  test(`${verb} is finished by the next mount`, { timeout: 300_000 }, async () => {
    await cutShort(verb);
    await until(`grep -q "^${verb}: nf.io was killed while it was under way; it has been finished" nf-types/host/h/error`);
    assert.equal(
      await mount.run('cat nf-types/host/h/status; echo "echo here" > nf-types/host/h/command; cat nf-types/host/h/command'),
      'running\nhere\n',
    );
    await until(`grep -q "${verb} goes on.*killed while it was under way" events && grep -q "${verb}.*it has been finished" events`);
  });
}

test('what cannot be finished any more is taken back, and told', { timeout: 300_000 }, async () => {
  await mount.run('echo destroy > nf-types/host/h/action');
  const spoil = (): Promise<void> => writeFile(join(mount.root, 'nf-types/host/h/config/boot.conf'), 'nonsense\n');
  await cutShort('activate', spoil);
  await until('grep -q "^activate: nf.io was killed while it was under way, and it cannot be finished: .*boot.conf" nf-types/host/h/error');
  assert.equal(await mount.run('cat nf-types/host/h/status'), 'undeployed\n');
});
