import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { BoundedWork } from '../../src/domain/bounded-work.ts';

test('so much at once, the rest in the order in which it came, also after what failed', async () => {
  const bounded = new BoundedWork(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const results = ends.map(({ promise }, index) =>
    bounded.run(() => {
      begun.push(index);
      return promise;
    }),
  );
  const settled = Promise.allSettled(results);
  await turn();
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.reject(new Error('no'));
  await turn();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const [index, { resolve }] of ends.entries()) resolve(index);
  assert.deepEqual(
    (await settled).map((result) => (result.status === 'fulfilled' ? result.value : result.status)),
    [0, 'rejected', 2, 3, 4],
  );
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
});
