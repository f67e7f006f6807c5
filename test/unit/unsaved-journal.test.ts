import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { PendingSave } from '../../src/tree/pending-save.ts';
import { UnsavedJournal } from '../../src/tree/unsaved-journal.ts';

let directory = '';

function journal(first: boolean): UnsavedJournal {
  const made = new UnsavedJournal({ first });
  made.directory = directory;
  return made;
}

describe('what is written and not in force is known to the next server', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'nfio-unsaved-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('who has written, whatever was saved since, and the text of a value', () => {
    const before = journal(true);
    const [saved, kept, running] = [1, 2, 3].map((fh) => new PendingSave(true, before.noteOf(fh, undefined))) as [
      PendingSave,
      PendingSave,
      PendingSave,
    ];
    saved.write(100, true);
    saved.end(saved.begin(), 'saved');
    kept.write(200, true);
    kept.end(kept.begin(), 'refused');
    running.begin(); // of a truncation
    const text = { before: 'a\n', latin1: 'b\n', judged: 1, request: '0.7' };
    const by = { uid: 1000, gid: 100, pid: 4711 };
    const truncated = new PendingSave(true, before.noteOf(4, by));
    before.note(4, { text });
    truncated.truncate(0);

    const next = journal(false);
    assert.deepEqual(
      [1, 2, 3, 4].map((fh) => next.find(fh)),
      [
        undefined,
        { save: { truncated: false, refused: true, writers: [200] } },
        { save: { truncated: true, refused: false, writers: [] } },
        { by, save: { truncated: true, refused: false, writers: [] }, text },
      ],
    );
    assert.equal(next.isWhole, true);
    next.note(2, { save: undefined, text: undefined });
    assert.equal(journal(false).find(2), undefined);
    assert.equal(journal(true).find(4), undefined, 'of another connection');
  });

  test('the file stays short, and one that cannot be written is missed', () => {
    const before = journal(true);
    const pending = new PendingSave(true, before.noteOf(1, undefined));
    for (let turn = 0; turn < 20_000; turn += 1) pending.truncate(turn);
    assert.ok(readFileSync(join(directory, 'unsaved'), 'utf8').split('\n').length < 5000);
    assert.deepEqual(journal(false).find(1), { save: { truncated: true, refused: false, writers: [] } });
    rmSync(join(directory, 'unsaved'));
    assert.equal(journal(false).isWhole, false);
  });
});
