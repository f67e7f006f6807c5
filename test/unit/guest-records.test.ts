import { deepEqual, equal, ok } from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type GuestRecord, GuestRecords } from '../../src/hypervisor/netns/guest-records.ts';

const recordOf = (pid: number): GuestRecord => ({ process: { pid, startTime: 7 * pid }, ports: [], privileged: false, capabilities: [] });

describe('records of guests', () => {
  let directory: string;
  const path = (name: string): string => join(directory, name);

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'nfio-records-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  it('are there again, the last of each guest', () => {
    using records = new GuestRecords(path('again'));
    records.put('a', recordOf(1));
    records.put('b', recordOf(2));
    records.put('a', recordOf(3));
    records.remove('b');
    records.remove('never-there');
    using later = new GuestRecords(path('again'));
    deepEqual([later.get('a'), later.get('b')], [recordOf(3), undefined]);
    later.put('b', recordOf(4));
    deepEqual(new GuestRecords(path('again')).get('a'), recordOf(3));
  });

  it('do without what a crash cut off', () => {
    using records = new GuestRecords(path('torn'));
    records.put('a', recordOf(1));
    appendFileSync(path('torn'), '{"id":"a","record":{"proc');
    using later = new GuestRecords(path('torn'));
    deepEqual(later.get('a'), recordOf(1));
    later.put('b', recordOf(2));
    using last = new GuestRecords(path('torn'));
    deepEqual([last.get('a'), last.get('b')], [recordOf(1), recordOf(2)]);
  });

  it('are written anew when most of the file is of the past', () => {
    using records = new GuestRecords(path('long'));
    for (let round = 0; round < 30_000; round += 1) records.put('a', recordOf(round));
    ok(statSync(path('long')).size < 1.2 * 1024 * 1024);
    deepEqual(new GuestRecords(path('long')).get('a'), recordOf(29_999));
  });

  it('need no file before the first change', () => {
    using records = new GuestRecords(path('none/at/all'));
    equal(records.get('a'), undefined);
    records.remove('a');
    equal(existsSync(path('none')), false);
  });
});
