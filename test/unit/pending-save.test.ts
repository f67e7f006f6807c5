import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PendingSave, type SaveOutcome } from '../../src/tree/pending-save.ts';

/** Processes: who writes, and a child that has the descriptor too. */
const writer = 100;
const child = 200;

/** A request that the kernel sends, in the order of a way to save. */
type Step =
  | 'write'
  | 'write on'
  | 'write fails'
  | 'killed'
  | 'child killed'
  | 'child writes'
  | 'unknown writes'
  | 'truncate'
  | 'flush'
  | 'child flushes'
  | 'fsync'
  | 'release';

/** How many saves a way comes to, and at which requests. */
function savesOf(truncated: boolean, steps: readonly Step[], outcome: SaveOutcome = 'saved'): readonly Step[] {
  const pending = new PendingSave(truncated);
  const saves = (step: Step): boolean => {
    switch (step) {
      case 'flush':
        return pending.savesAtClose(writer);
      case 'child flushes':
        return pending.savesAtClose(child);
      case 'fsync':
        return true;
      case 'release':
        return pending.savesAtEnd();
      default:
        return false;
    }
  };
  return steps.filter((step) => {
    if (step === 'write') pending.write(writer, true);
    if (step === 'write on') pending.write(writer, false);
    if (step === 'write fails') pending.cut();
    if (step === 'killed') pending.writerKilled(writer);
    if (step === 'child killed') pending.writerKilled(child);
    if (step === 'child writes') pending.write(child, true);
    if (step === 'unknown writes') pending.write(0, true);
    if (step === 'truncate') pending.truncate(0);
    if (!saves(step)) return false;
    pending.end(pending.begin(), outcome);
    return true;
  });
}

/** The orders of requests that Linux sends (strace(1) and the FUSE requests beside it), whether opening truncated, and what saves. */
const ways: readonly (readonly [name: string, truncated: boolean, steps: readonly Step[], saves: readonly Step[]])[] = [
  ['a shell redirection: open, dup2, close, write, close', true, ['flush', 'write', 'flush', 'release'], ['flush']],
  ['a shell that writes line by line', true, ['flush', 'write', 'write', 'write', 'flush', 'release'], ['flush']],
  ['a child that ends before the shell writes', true, ['flush', 'child flushes', 'write', 'flush', 'release'], ['flush']],
  ['a child that ends between two writes', true, ['write', 'child flushes', 'write', 'flush', 'release'], ['flush']],
  ['cat NEW > FILE: the shell opens, its child writes', true, ['flush', 'child writes', 'child flushes', 'release'], ['child flushes']],
  ['two children, each with a part', true, ['child writes', 'child flushes', 'write', 'flush', 'release'], ['child flushes', 'flush']],
  [': > FILE', true, ['flush', 'flush', 'release'], ['release']],
  ['truncate -s 0', false, ['truncate', 'flush', 'release'], ['release']],
  ['exec 3> FILE; true; exec 3>&-', true, ['flush', 'child flushes', 'flush', 'release'], ['release']],
  ['an editor: ftruncate, write, fsync, close', false, ['truncate', 'write', 'fsync', 'flush', 'release'], ['fsync']],
  ['write, fsync, write, close', true, ['write', 'fsync', 'write', 'flush', 'release'], ['fsync', 'flush']],
  ['a duplicate that is closed twice after a write', true, ['write', 'flush', 'flush', 'release'], ['flush']],
  ['mapped memory, written out by the kernel before the close', true, ['truncate', 'unknown writes', 'flush', 'release'], ['flush']],
  ['mapped memory, written out after the close', true, ['flush', 'unknown writes', 'release'], ['release']],
  ['a writer that is forgotten: only its child closes', true, ['write', 'child flushes', 'release'], ['release']],
  ['open and close, with nothing written', false, ['flush', 'release'], []],
  ['a writer that is killed', true, ['write', 'killed', 'release'], []],
  ['who is killed before the first write', true, ['flush', 'killed', 'release'], []],
  ['a child that is killed before its shell writes', true, ['child killed', 'write', 'flush', 'release'], ['flush']],
  ['a child that is killed when its shell has written', true, ['write', 'child killed', 'flush', 'release'], ['flush']],
  ['a write that fails', true, ['write', 'write fails', 'flush', 'release'], []],
  ['a write that fails, and then goes on', true, ['write', 'write fails', 'write on', 'flush', 'release'], []],
  ['a write that fails, and all of it again', true, ['write', 'write fails', 'truncate', 'write', 'flush', 'release'], ['flush']],
  ['written, then emptied, and closed', false, ['write', 'truncate', 'flush', 'release'], ['release']],
];

describe('a save', () => {
  for (const [name, truncated, steps, saves] of ways) {
    test(name, () => assert.deepEqual(savesOf(truncated, steps), saves));
  }

  test('that was refused is judged again when its writer asks, and not at the end', () => {
    assert.deepEqual(savesOf(true, ['write', 'fsync', 'flush', 'release'], 'refused'), ['fsync', 'flush']);
  });

  test('that was not judged is still to be done at the end', () => {
    assert.deepEqual(savesOf(true, ['write', 'flush', 'release'], 'failed'), ['flush', 'release']);
    assert.deepEqual(savesOf(true, ['release'], 'failed'), ['release']);
  });

  test('takes in only what was written before it began', () => {
    const pending = new PendingSave(false);
    pending.write(writer, true);
    const attempt = pending.begin();
    pending.write(child, true);
    pending.end(attempt, 'saved');
    assert.equal(pending.savesAtClose(writer), false);
    assert.equal(pending.savesAtClose(child), true);
  });

  test('of more writers than are told apart is anybody’s', () => {
    const pending = new PendingSave(false);
    for (let pid = 1; pid <= 1000; pid += 1) pending.write(pid, true);
    assert.equal(pending.savesAtClose(1_000_000), true);
  });
});
