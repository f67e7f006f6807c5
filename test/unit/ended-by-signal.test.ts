import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isEndedBySignal, statTellsOfSignal } from '../../src/fuse/ended-by-signal.ts';

/** /proc/PID/stat of a program with a name that is hard to read. */
const stat = (flags: number, status: number): string => `42 (a) b (c) R 1 ${'0 '.repeat(4)}${flags} ${'7 '.repeat(42)}${status}\n`;

describe('a thread that closes a file', () => {
  test('ends by a signal when it is exiting with the number of one', () => {
    assert.equal(statTellsOfSignal(stat(0x400000 | 0x4, 9)), true);
    assert.equal(statTellsOfSignal(stat(0x4, 15 | 0x80)), true);
    assert.equal(statTellsOfSignal(stat(0x4, 1 << 8)), false, 'it called exit(1)');
    assert.equal(statTellsOfSignal(stat(0x400000, 0)), false);
  });

  test('that is not seen is taken for one that closes', () => {
    assert.equal(isEndedBySignal(0), false);
    assert.equal(isEndedBySignal(process.pid), false);
    assert.equal(isEndedBySignal(2 ** 30), false);
  });
});
