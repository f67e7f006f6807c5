import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type MeasuredRow, meetsTarget } from '../../bench/benchmark.ts';
import { compare, type Subject } from '../../bench/measure.ts';
import { renderTable } from '../../bench/report.ts';
import { spreadOf, spreadOfRatios } from '../../bench/statistics.ts';
import { Unavailable } from '../../bench/unavailable.ts';

const { signal } = new AbortController();

function rowWithRatio(ratio: number, exclusive: boolean): MeasuredRow {
  const spread = { median: ratio, min: ratio, max: ratio };
  const names = { benchmark: 'b', operation: 'stat', ours: 'us', peer: 'them' };
  return { kind: 'measured', ...names, ourTime: spread, peerTime: spread, ratio: spread, target: { limit: 1, exclusive } };
}

suite('benchmark statistics', () => {
  test('the median of an even number of values lies between the middle two', () => {
    assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
  });

  test('ratios are taken run by run, not from the medians', () => {
    assert.deepEqual(spreadOfRatios([1, 20, 3], [1, 10, 6]), { median: 1, min: 0.5, max: 2 });
  });

  test('no value has no spread', () => {
    assert.throws(() => spreadOf([]), RangeError);
  });

  test('only an exclusive limit is missed by reaching it', () => {
    assert.equal(meetsTarget(rowWithRatio(1, false)), true);
    assert.equal(meetsTarget(rowWithRatio(1, true)), false);
  });
});

suite('benchmark runs', () => {
  test('each run begins with another subject', async () => {
    const order: string[] = [];
    const subjects = new Map<string, Subject>(['a', 'b'].map((name) => [name, () => Promise.resolve(order.push(name))]));
    await compare('b', { subjects, comparisons: [], runs: 2, signal });
    assert.deepEqual(order, ['a', 'b', 'b', 'a']);
  });

  test('a peer that cannot be had makes a skipped row with its reason, not a measured one', async () => {
    const subjects = new Map<string, Subject>([
      ['us', () => Promise.resolve(0.000_02)],
      ['them', () => Promise.resolve(0.000_01)],
      ['absent', new Unavailable('it is not installed')],
    ]);
    const comparisons = ['them', 'absent'].map((peer) => ({ operation: 'stat', ours: 'us', peer, target: { limit: 1.6 } }));
    const table = renderTable(await compare('b', { subjects, comparisons, runs: 3, signal }));
    assert.match(table, /\| 20\.0 µs us +\| 10\.0 µs them +\| 2\.00 \(2\.00–2\.00\) +\| ≤ 1\.60 +\| missed/);
    assert.match(table, /^skipped: b, stat, us ÷ absent: it is not installed$/m);
  });
});
