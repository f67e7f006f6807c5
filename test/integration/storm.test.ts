import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kinds } from '../storm/kinds/index.ts';
import { runStorm } from '../storm/storm.ts';

/* For longer: npm run storm -- --minutes 30 */

/** Known to fail when kills are far apart: ftruncate(2) and fsync(2) of such a file may be EACCES or ENOENT after one (docs/reliability.md). */
const failing = 'unlinked';

test('a minute of kills under clients of all kinds loses nothing', { timeout: 390_000 }, async (context) => {
  const seed = Date.now() % 1_000_000;
  context.diagnostic(`seed ${seed}`);
  const faults = await runStorm({
    kinds: kinds.filter(({ name }) => name !== failing),
    minutes: 1,
    kills: Number.POSITIVE_INFINITY,
    seed,
    tell: (line) => context.diagnostic(line),
  });
  assert.deepEqual(faults, []);
});
