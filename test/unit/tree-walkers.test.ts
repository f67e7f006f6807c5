import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TreeWalkers } from '../../src/tree/tree-walkers.ts';

/** Processes list directories, each a pid, the serial of a VNF and a path below it. */
function after(...listed: readonly (readonly [pid: number, serial: number, path: string])[]): TreeWalkers {
  const walkers = new TreeWalkers();
  for (const [pid, serial, path] of listed) walkers.lists(pid, serial, path);
  return walkers;
}

describe('a program that comes to rfs from above', () => {
  test('is one that listed the VNF and its other directories, in any order', () => {
    for (const paths of [
      ['', 'machine', 'ports'],
      ['', 'stats', 'ports', 'machine'],
      ['', 'ports', 'ports/eth0', 'machine', 'stats'],
    ]) {
      const walkers = after(...paths.map((path) => [7, 16, path] as const));
      assert.ok(walkers.covers(7, 16) && walkers.covers(7, 16), paths.join());
    }
  });

  test('is none that named it, or another VNF, or is another process', () => {
    assert.ok(!after().covers(7, 16));
    assert.ok(!after([7, 16, '']).covers(7, 16));
    assert.ok(!after([7, 16, ''], [7, 16, 'machine']).covers(7, 16));
    assert.ok(!after([7, 16, 'machine'], [7, 16, 'ports'], [7, 16, '']).covers(7, 16));
    const other = after([7, 16, ''], [7, 16, 'machine'], [7, 16, 'ports']);
    assert.ok(!other.covers(7, 17) && !other.covers(8, 16));
  });

  test('goes on to the next VNF', () => {
    const walkers = after([7, 16, ''], [7, 16, 'machine'], [7, 16, 'ports'], [7, 17, '']);
    assert.ok(!walkers.covers(7, 16) && !walkers.covers(7, 17));
    walkers.lists(7, 17, 'machine');
    walkers.lists(7, 17, 'ports');
    assert.ok(walkers.covers(7, 17));
  });
});
