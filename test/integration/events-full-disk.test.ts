import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';
import { SmallDisk } from '../support/small-disk.ts';

/* A full disk loses events, never half of one: programs that read JSON line by line stop at a line that is none. */
test('events are whole lines after a disk was full, and go on', { timeout: 120_000 }, async () => {
  using disk = new SmallDisk({ blockBytes: 4096 });
  await using mount = await TestMount.start({ root: join(disk.path, 'root') });
  await mount.run('mkdir -p nf-types/host/a; sync nf-types');
  const ballast = join(disk.path, 'ballast');
  const untilFull = (size: number): void => {
    for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
  };
  for (const size of [1 << 20, 4096]) assert.throws(() => untilFull(size), { code: 'ENOSPC' });
  // Refused changes of root's are all told, and need no room for anything else. Line by line, so that one is at the end of a block.
  await mount.sh('for i in $(seq 40); do echo "fly $i" > nf-types/host/a/action; sleep 0.05; done');
  rmSync(ballast);
  for (const deadline = Date.now() + patient(10_000); !(await mount.run('cat events')).includes('land failed'); await delay(50)) {
    assert.ok(Date.now() < deadline, 'events do not go on');
    await mount.sh('echo land > nf-types/host/a/action');
  }
  const lines = (await mount.run('cat events')).trimEnd().split('\n');
  const told = lines.map((line) => (JSON.parse(line) as { readonly what: string }).what);
  const flights = told.filter((what) => what.startsWith('fly'));
  assert.ok(flights.length > 0 && flights.length < 40, `${flights.length} were told`);
});
