import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { mapBounded } from '../../src/domain/bounded.ts';
import { isAbsence, unlessAbsent } from '../../src/errors/index.ts';
import { budgetOf } from '../../src/vfs/descriptor-limit.ts';
import { DescriptorShares } from '../../src/vfs/descriptor-shares.ts';

const failing = (code: string) => (): never => {
  throw Object.assign(new Error(code), { code });
};

test('only what says that something is not there is absence', () => {
  for (const code of ['ENOENT', 'ESRCH', 'ENXIO', 'ENODEV']) assert.equal(unlessAbsent(failing(code)), undefined);
  for (const code of ['EMFILE', 'ENFILE', 'EIO', 'EACCES', 'EPERM', 'ENOMEM', 'ELOOP'])
    assert.throws(() => unlessAbsent(failing(code)), { code });
  assert.equal(isAbsence(undefined), false);
  assert.equal(
    unlessAbsent(() => readFileSync('/proc/0/stat')),
    undefined,
  );
});

test('shares never come to more than the limit, and each leaves something to the others', () => {
  for (const limit of [256, 1024, 20_000, 1_048_576]) {
    const { users, perUser, holds, roots } = budgetOf(limit);
    assert.ok(users + holds <= limit - Math.min(256, limit / 2), `${limit}`);
    assert.ok(perUser > 0 && perUser < users && holds > 0 && roots >= 2, `${limit}`);
  }
});

test('who has a limit of their own gets EMFILE at that, and others do not', () => {
  const shares = new DescriptorShares(
    () => ({ users: 9, perUser: 5, holds: 0, roots: 0 }),
    (uid) => (uid === 1 ? 2 : 100),
  );
  let fd = 100;
  const open = (uid: number): number => {
    fd += 1;
    return shares.open(uid, () => ({ fd })).fd;
  };
  const first = open(1);
  open(1);
  assert.throws(() => open(1), { code: 'EMFILE' });
  for (let count = 0; count < 5; count += 1) open(2);
  assert.throws(() => open(2), { code: 'EMFILE' });
  shares.closed(first);
  open(1);
});

test('who uses up a share gets EMFILE, others do not; what is closed may be opened again', () => {
  const shares = new DescriptorShares(() => ({ users: 5, perUser: 3, holds: 0, roots: 0 }));
  let next = 10;
  const open = (uid: number): number => {
    next += 1;
    return shares.open(uid, () => ({ fd: next })).fd;
  };
  const [first = 0] = [open(1), open(1), open(1)];
  assert.throws(() => open(1), { code: 'EMFILE' });
  open(2);
  open(3);
  assert.throws(() => open(4), { code: 'EMFILE' });
  shares.closed(first);
  shares.closed(first);
  open(1);
  assert.throws(() => open(1), { code: 'EMFILE' });
  assert.throws(() => shares.open(2, failing('EACCES')), { code: 'EMFILE' });
});

test('of bounded work so much is under way at a time, in any order; what it gives keeps its place', async () => {
  let running = 0;
  let most = 0;
  const work = async (item: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    for (let turns = item % 5; turns >= 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return 2 * item;
  };
  const items = Array.from({ length: 100 }, (_, index) => index);
  assert.deepEqual(
    await mapBounded(items, work, 7),
    items.map((item) => 2 * item),
  );
  assert.equal(most, 7);
  assert.deepEqual(await mapBounded([], work), []);
  await assert.rejects(mapBounded(items, failing('EIO'), 2), { code: 'EIO' });
});
