import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { readApplied, writeApplied } from '../../src/orchestrator/applied-configuration.ts';

describe('what is shown to run, on a full disk', () => {
  const disk = mkdtempSync('/tmp/nfio-full-');

  before(() => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]));
  after(() => {
    execFileSync('umount', [disk]);
    rmdirSync(disk);
  });

  test('is never what ran before', () => {
    writeApplied(disk, 'old');
    assert.equal(readApplied(disk), 'old');
    assert.throws(() => writeApplied(disk, 'new'.repeat(100_000)), { code: 'ENOSPC' });
    assert.equal(readApplied(disk), undefined);
    writeApplied(disk, 'new');
    assert.equal(readApplied(disk), 'new');
  });
});
