import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findCgroupMounts } from '../../src/hypervisor/cgroup-mounts.ts';
import { TestMount } from '../support/mount.ts';

/* Guests without limits of their own do not take the machine with them. */

/** Forks until it cannot, says how often it could, and ends them all. */
const forkAll = `perl -e 'my @all; while (defined(my $pid = fork)) { if (!$pid) { sleep 100; exit } push @all, $pid; last if @all > 5000 } print scalar(@all), "\\n"; kill 9, @all'`;

test('a guest that forks without end has its share of the processes, and all together half of them', { timeout: 120_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/h; chown -R 12345 nf-types/host/h; echo activate > nf-types/host/h/action');
  const forked = await mount.run(
    `echo ${JSON.stringify(forkAll).replaceAll('$', '\\$')} > nf-types/host/h/command; cat nf-types/host/h/command`,
    {
      uid: 12345,
      timeoutMs: 60_000,
    },
  );
  assert.ok(Number(forked) > 500 && Number(forked) < 2048, forked);
  const { v1, unified } = findCgroupMounts();
  const limitOf = (controller: string, file: string): number =>
    Number(readFileSync(join(v1[controller] ?? unified ?? '', 'nfio', file), 'latin1'));
  assert.equal(limitOf('pids', 'pids.max'), Math.floor(Number(readFileSync('/proc/sys/kernel/pid_max', 'latin1')) / 2));
  const memory = limitOf('memory', v1['memory'] === undefined ? 'memory.max' : 'memory.limit_in_bytes');
  assert.ok(memory > totalmem() / 2 && memory < totalmem() * 0.9, String(memory));
});
