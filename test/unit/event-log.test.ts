import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventLog } from '../../src/orchestrator/event-log.ts';
import { patient } from '../support/patience.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: assert.fail };

describe('the file of events', () => {
  it('has all events in their order, in a file of that name also after somebody removed it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nfio-events-'));
    const path = join(directory, 'events.jsonl');
    try {
      const log = new EventLog(path, { logger: quiet, now: () => new Date(0) });
      log.add({ path: 'a', what: 'one' });
      log.add({ path: 'a', what: 'two' });
      await log[Symbol.asyncDispose]();
      assert.deepEqual(wordsIn(path), ['one', 'two']);
      await using again = new EventLog(path, { logger: quiet, now: () => new Date(0) });
      again.add({ path: 'a', what: 'three' });
      await until(() => wordsIn(path).length === 3);
      rmSync(path);
      again.add({ path: 'a', what: 'four' });
      await until(() => wordsIn(path).length === 1);
      assert.deepEqual(wordsIn(path), ['four']);
      assert.equal(statSync(path).mode & 0o777, 0o600);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('drops its older half when it is too large, and goes on', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nfio-events-'));
    const path = join(directory, 'events.jsonl');
    try {
      await using log = new EventLog(path, { logger: quiet, now: () => new Date(0) });
      const why = 'x'.repeat(1024 * 1024);
      for (let number = 0; number < 9; number += 1) {
        log.add({ path: 'a', what: `large ${number}`, why });
        await until(() => wordsIn(path).at(-1) === `large ${number}`);
      }
      log.add({ path: 'a', what: 'last' });
      await until(() => wordsIn(path).at(-1) === 'last');
      assert.deepEqual(wordsIn(path), ['large 5', 'large 6', 'large 7', 'large 8', 'last']);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + patient(5000);
  while (!isSo()) {
    assert.ok(performance.now() < end, 'the file is not as it should be');
    await sleep(5);
  }
}

/** What happened, event by event. */
function wordsIn(path: string): string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { what: string }).what);
}
