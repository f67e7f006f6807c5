import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kinds } from '../storm/kinds/index.ts';
import { runStorm } from '../storm/storm.ts';

/* For longer: npm run storm -- --minutes 30 */

test('a minute of kills under clients of all kinds loses nothing', { timeout: 390_000 }, async (context) => {
  const seed = Date.now() % 1_000_000;
  context.diagnostic(`seed ${seed}`);
  const faults = await runStorm({
    kinds,
    minutes: 1,
    kills: Number.POSITIVE_INFINITY,
    seed,
    tell: (line) => context.diagnostic(line),
  });
  assert.deepEqual(faults, []);
});
