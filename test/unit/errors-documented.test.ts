import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Errno, type ErrorEntry, errorTable } from '../../src/errors/index.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'errors.md'), 'utf8');

/** The rows of the page's table below its two header lines, as cells. */
function documented(): readonly (readonly string[])[] {
  const rows = page.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.trim()),
  );
}

test('docs/errors.md lists exactly the registered errors, in their order', () => {
  const registered = Object.entries(errorTable).map(([code, entry]: [string, ErrorEntry]) => {
    return [code, String(entry.original ?? ''), entry.errno, String(Errno[entry.errno]), entry.sentence];
  });
  assert.deepEqual(documented(), registered);
});

test('every errno can be sent to the kernel, and every original number is used once', () => {
  const entries: readonly ErrorEntry[] = Object.values(errorTable);
  for (const { errno } of entries) assert.ok(Errno[errno] >= 1 && Errno[errno] <= 511, errno);
  const originals = entries.flatMap(({ original }) => original ?? []);
  assert.deepEqual(
    originals,
    Array.from({ length: 16 }, (_, index) => 701 + index),
  );
});
