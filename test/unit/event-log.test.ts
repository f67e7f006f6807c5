import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, eventsPathOf } from '../../src/domain/event.ts';
import { EventLog } from '../../src/orchestrator/event-log.ts';
import { fairShare } from '../../src/orchestrator/fair-share.ts';
import { patient } from '../support/patience.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: assert.fail };
const [alice, bob] = [1001, 1002];

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfio-events-'));
  path = join(directory, 'events.jsonl');
});

afterEach(() => rmSync(directory, { recursive: true }));

function newLog(limits?: { readonly whole: number; readonly user: number }): EventLog {
  return new EventLog(path, { logger: quiet, now: () => new Date(0), ...(limits !== undefined && { limits }) });
}

describe('the file of events', () => {
  it('has all events in their order, in a file of that name also after somebody removed it', async () => {
    const log = newLog();
    log.add({ path: 'a', what: 'one' });
    log.add({ path: 'a', what: 'two' });
    await log[Symbol.asyncDispose]();
    assert.deepEqual(wordsIn(path), ['one', 'two']);
    await using again = newLog();
    again.add({ path: 'a', what: 'three' });
    await until(() => wordsIn(path).length === 3);
    rmSync(path);
    again.add({ path: 'a', what: 'four' });
    await until(() => wordsIn(path).length === 1);
    assert.deepEqual(wordsIn(path), ['four']);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('numbers lines through, over servers, also after lines of versions that had no numbers', async () => {
    appendFileSync(path, '{"time":"1970-01-01T00:00:00.000Z","path":"a","what":"old"}\n');
    for (const what of ['one', 'two']) {
      await using log = newLog();
      log.add({ path: 'a', what });
    }
    assert.deepEqual(
      linesIn(path).map(({ number }) => number),
      [undefined, 1, 2],
    );
  });

  it('drops the older half when it is too large, and goes on', async () => {
    await using log = newLog({ whole: 8000, user: 8000 });
    for (let number = 0; number < 9; number += 1) {
      log.add({ path: 'a', what: `large ${number}`, why: 'x'.repeat(900) });
      await until(() => wordsIn(path).at(-1) === `large ${number}`);
    }
    log.add({ path: 'a', what: 'last' });
    await until(() => wordsIn(path).at(-1) === 'last');
    assert.deepEqual(wordsIn(path), ['large 5', 'large 6', 'large 7', 'large 8', 'last']);
  });

  it('cuts texts that are too long', async () => {
    {
      await using log = newLog();
      log.add({ path: 'a', what: 'long', why: 'é'.repeat(1_000_000) });
    }
    assert.ok(statSync(path).size < 10_000);
    assert.match(linesIn(path)[0]?.why ?? '', /^é{4096}…$/);
  });
});

describe('what users see', () => {
  it('is what they did, and what happened to what is theirs', async () => {
    {
      await using log = newLog();
      log.add({ path: 'a', what: 'of root' });
      log.add({ path: 'a', what: 'exited' }, alice);
      log.add({ path: 'a', what: 'set', by: callerOf(bob), outcome: 'done' }, alice);
      log.add({ path: 'a', what: 'by root', by: callerOf(0), outcome: 'done' }, bob);
    }
    assert.deepEqual(wordsIn(path), ['of root', 'exited', 'set', 'by root']);
    assert.deepEqual(wordsIn(eventsPathOf(path, alice)), ['exited', 'set']);
    assert.deepEqual(wordsIn(eventsPathOf(path, bob)), ['set', 'by root']);
    assert.equal(existsSync(eventsPathOf(path, 1003)), false);
    const { number, uid, gid, pid, program, outcome, owner } = linesIn(path)[2] ?? {};
    assert.deepEqual({ number, uid, gid, pid, program, outcome, owner }, { ...callerLine(bob), number: 3, outcome: 'done', owner: alice });
  });

  it('is not flushed by others, nor is what root sees of them', async () => {
    {
      await using log = newLog({ whole: 20_000, user: 5000 });
      for (let number = 0; number < 10; number += 1) log.add({ path: 'a', what: `alice ${number}`, by: callerOf(alice) }, alice);
      log.add({ path: 'a', what: 'of root' });
      for (let number = 0; number < 2000; number += 1)
        log.add({ path: 'b', what: `bob ${number} "uid":0 "owner":0`, by: callerOf(bob) }, alice);
      log.add({ path: 'a', what: 'last' });
    }
    const all = wordsIn(path);
    assert.equal(all.filter((what) => what.startsWith('alice')).length, 10);
    assert.ok(all.includes('of root'));
    assert.equal(all.at(-1), 'last');
    assert.ok(statSync(path).size <= 20_000);
    assert.ok(statSync(eventsPathOf(path, bob)).size <= 5000);
  });

  it('is written for more users than files stay open', async () => {
    {
      await using log = newLog();
      for (let round = 0; round < 2; round += 1)
        for (let uid = 1; uid <= 40; uid += 1) {
          log.add({ path: 'a', what: `round ${round}` }, uid);
          if (uid % 20 === 0) await until(() => wordsIn(eventsPathOf(path, uid)).length === round + 1);
        }
    }
    for (let uid = 1; uid <= 40; uid += 1) assert.deepEqual(wordsIn(eventsPathOf(path, uid)), ['round 0', 'round 1']);
  });
});

describe('room in a log', () => {
  const line = (uid: number, bytes = 10): { uid: number; bytes: number } => ({ uid, bytes });

  it('is for the newest lines when all are of one user', () => {
    assert.deepEqual(fairShare([line(1), line(1), line(1)], 20), [false, true, true]);
    assert.deepEqual(fairShare([line(1), line(1)], 20), [true, true]);
    assert.deepEqual(fairShare([], 20), []);
  });

  it('is divided equally, and what one does not need others have', () => {
    assert.deepEqual(fairShare([line(1), line(2), line(2), line(2), line(2)], 30), [true, false, false, true, true]);
    assert.deepEqual(fairShare([line(1), line(1), line(1), line(2), line(2), line(2)], 40), [false, true, true, false, true, true]);
  });

  it('leaves no holes: behind one that does not fit no older one stays', () => {
    assert.deepEqual(fairShare([line(1, 5), line(1, 50), line(1, 5)], 20), [false, false, true]);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + patient(5000);
  while (!isSo()) {
    assert.ok(performance.now() < end, 'the file is not as it should be');
    await sleep(5);
  }
}

function callerOf(uid: number): Caller {
  return { ...callerLine(uid), groups: [] };
}

function callerLine(uid: number): Omit<Caller, 'groups'> {
  return { uid, gid: uid, pid: 4711, program: 'bash' };
}

interface Line extends Partial<Omit<Caller, 'groups'>> {
  readonly number?: number;
  readonly what: string;
  readonly why?: string;
  readonly outcome?: string;
  readonly owner?: number;
}

function linesIn(file: string): Line[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

/** What happened, event by event. */
function wordsIn(file: string): string[] {
  return linesIn(file).map(({ what }) => what);
}
