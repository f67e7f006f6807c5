import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* `replicas` of a hop clones a VNF: it lends nobody the power of another. */

const alice = 12345;
let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  await mount.run(`mkdir -p nf-types/router/roots nf-types/router/hers chns/hers
    ln -s ../../nf-types/router/roots chns/hers/stolen; ln -s ../../nf-types/router/hers chns/hers/own
    chown -R ${alice}:${alice} nf-types/router/hers chns/hers`);
});

after(() => mount[Symbol.asyncDispose]());

test('a user clones no VNF of another', async () => {
  const { status, stderr } = await mount.sh('echo 2 > chns/hers/stolen/replicas', { uid: alice });
  assert.notEqual(status, 0);
  assert.match(stderr, /not permitted/);
  assert.equal(await mount.run('ls nf-types/router'), 'hers\nroots\n');
});

test('a clone of her own belongs to her, every file', async () => {
  await mount.run('echo hello > nf-types/router/hers/config/mine; echo 2 > chns/hers/own/replicas', { uid: alice });
  const owners = await mount.run('cd nf-types/router/hers-2; find . -not -path "./rfs*" -printf "%U %p\\n"');
  assert.deepEqual(
    owners
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith(`${alice} `)),
    [],
  );
  await mount.run('echo 1 > chns/hers/own/replicas', { uid: alice });
});

test('what only root may say takes no effect in a clone of root’s when a user wrote it', async () => {
  await mount.run(`chown ${alice} nf-types/router/roots/config nf-types/router/roots/machine/ip`);
  await mount.run('cd nf-types/router/roots; echo privileged=yes > config/boot.conf', { uid: alice });
  await mount.run('echo 2 > chns/hers/stolen/replicas');
  assert.equal(await mount.run('cd nf-types/router/roots-2; stat -c %u config config/boot.conf machine/ip'), `${alice}\n`.repeat(3));
  const { status } = await mount.sh('echo activate > nf-types/router/roots-2/action');
  assert.notEqual(status, 0);
  assert.match(await mount.run('cat nf-types/router/roots-2/error'), /only root may give privileged/);
});
