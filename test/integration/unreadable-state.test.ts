import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { killServer } from '../support/over-kills.ts';

/* Nothing that runs is ended because something could not be read: it is told, and left. */

const setUp = `mkdir -p nf-types/host/{a,b,new}
  for vnf in a b; do echo activate > nf-types/host/$vnf/action; echo 'touch /tmp/was-here' > nf-types/host/$vnf/command; done`;
const bothRunOn = `for vnf in a b; do cat nf-types/host/$vnf/status; echo 'ls /tmp/was-here' > nf-types/host/$vnf/command; cat nf-types/host/$vnf/command; done`;
const running = 'running\n/tmp/was-here\n';

function guestsFile(mount: TestMount): string {
  const { mountId } = JSON.parse(readFileSync(join(mount.root, 'nfio.json'), 'utf8')) as { mountId: string };
  return `/run/nfio/${mountId}/guests.jsonl`;
}

async function remountAfter(mount: TestMount, damage: (path: string) => void, how: { readonly lazy?: boolean } = {}): Promise<void> {
  const path = guestsFile(mount);
  await mount.unmount(how);
  damage(path);
  await mount.mount();
}

describe('guests run on', () => {
  test('when the file of what the hypervisor knows of them is lost, and after one more start', { timeout: 240_000 }, async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    await remountAfter(mount, (path) => rmSync(path));
    assert.equal(await mount.run(bothRunOn), running.repeat(2));
    assert.match(await mount.log(), /nf-types\/host\/a runs on.*Run: echo restart > nf-types\/host\/a\/action/);
    await mount.run('echo activate > nf-types/host/new/action');
    await remountAfter(mount, () => undefined);
    assert.equal(await mount.run(bothRunOn), running.repeat(2));
    assert.equal(await mount.run('echo restart > nf-types/host/a/action; cat nf-types/host/a/status'), 'running\n');
  });

  test('when nfio.json and its copy are lost', { timeout: 240_000 }, async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    for (const pid of [mount.supervisor, await mount.server()]) process.kill(pid, 'SIGKILL');
    await mount.ended(mount.supervisor);
    await remountAfter(
      mount,
      () => {
        for (const name of ['nfio.json', 'nfio.copy.json']) rmSync(join(mount.root, name));
      },
      { lazy: true },
    );
    assert.match(mount.warnings.join(), /nfio\.json was lost, and is made again of its copy/);
    assert.equal(await mount.run(bothRunOn), running.repeat(2));
    for (const name of ['nfio.json', 'nfio.copy.json']) assert.ok(existsSync(join(mount.root, name)), name);
  });

  test('when a line of it is bad, which costs what is known of one', { timeout: 240_000 }, async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    await remountAfter(mount, (path) => {
      const lines = readFileSync(path, 'utf8').split('\n');
      writeFileSync(path, ['{"id":"', ...lines.map((line, index) => (index === 0 ? line.slice(1) : line))].join('\n'));
    });
    assert.equal(await mount.run(bothRunOn), running.repeat(2));
  });

  test('when their records cannot be read, and are back with them', { timeout: 240_000 }, async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    const record = join(mount.root, 'nf-types/host/a/.record.json');
    let whole = '';
    await remountAfter(mount, () => {
      whole = readFileSync(record, 'utf8');
      writeFileSync(record, '{"kind":');
    });
    assert.match(await mount.log(), /guest host\/a \(pid \d+\) has no record in this root that can be read: it is left as it is/);
    assert.equal(await mount.run('cat nf-types/host/b/status'), 'running\n');
    await remountAfter(mount, () => writeFileSync(record, whole));
    assert.equal(await mount.run(bothRunOn), running.repeat(2));
  });
});

test('a record that is no file any more, and was being changed at a kill, blocks no change of others', { timeout: 240_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/{a,b}');
  const record = join(mount.root, 'nf-types/host/a/.record.json');
  rmSync(record);
  mkdirSync(record);
  assert.notEqual((await mount.sh('echo 2 > nf-types/host/a/machine/vm.vcpu')).status, 0);
  await killServer(mount);
  await mount.run('echo 2 > nf-types/host/b/machine/vm.vcpu; mkdir nf-types/host/c');
  assert.equal(
    await mount.run('cat nf-types/host/{a,b,c}/status nf-types/host/b/machine/vm.vcpu'),
    'unreadable\nundeployed\nundeployed\n2\n',
  );
  assert.match(
    await mount.log(),
    /host\/a\/\.record\.json cannot be written.*What it should hold is in .*\/lost\/nf-types\.host\.a-\d+\.record\.json/,
  );
});

test('a plain file in place of a config/ is told, with what mends it', { timeout: 240_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/{host,firewall}/h');
  for (const type of ['host', 'firewall']) {
    const config = join(mount.root, `nf-types/${type}/h/config`);
    renameSync(config, `${config}.before`);
    writeFileSync(config, '');
    const refused = await mount.sh(`echo activate > nf-types/${type}/h/action`);
    assert.match(refused.stderr, /Not a directory/);
    const error = await mount.run(`cat nf-types/${type}/h/error`);
    assert.match(
      error,
      /^activate: \/.*\/h\/config cannot be read \(ENOTDIR\)\. It is no directory\. Run: mv .*config\.old; mkdir -m 700 /,
    );
    await mount.run(`${error.slice(error.indexOf('Run: ') + 5)}`);
    await mount.run(`echo activate > nf-types/${type}/h/action; cat nf-types/${type}/h/status`);
  }
});
