import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { VerbNotes } from '../../src/orchestrator/verb-notes.ts';

/* What the next mount finds of verbs that were under way. */

test('a verb is noted until it ends, with whether somebody waits for it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nfio-notes-'));
  try {
    const notes = new VerbNotes(join(directory, 'verbs'));
    assert.deepEqual(notes.left(), []);
    notes.begin({ serial: 7, verb: 'activate', unasked: false });
    notes.begin({ serial: 8, verb: 'destroy', unasked: true });
    notes.begin({ serial: 9, verb: 'stop', unasked: false });
    notes.end(9);
    const left = new VerbNotes(join(directory, 'verbs')).left().toSorted((a, b) => a.serial - b.serial);
    assert.deepEqual(left, [
      { serial: 7, verb: 'activate', unasked: false },
      { serial: 8, verb: 'destroy', unasked: true },
    ]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('without room for a note the verb goes on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nfio-notes-'));
  try {
    writeFileSync(join(directory, 'verbs'), '');
    const notes = new VerbNotes(join(directory, 'verbs'));
    notes.begin({ serial: 7, verb: 'activate', unasked: false });
    notes.end(7);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
