import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { noContents } from '../../src/domain/ports/state.ts';
import { FileStore } from '../../src/state/file-store.ts';
import { Journal } from '../../src/state/journal.ts';
import { network } from '../support/records.ts';

/* What is wrong with the place of one object, which the journal names after a kill, costs that object and holds up no other. */

const silent = (): undefined => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nfio-places-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (): Promise<FileStore> => FileStore.open(root, { locked: true, logger });

/** A root as a kill leaves it: a change of `a` in the journal, and a directory where its record should be. */
async function killedWhileChanging(): Promise<{ readonly record: string; readonly text: string }> {
  {
    await using store = await open();
    for (const [index, name] of ['a', 'b'].entries()) await store.create({ ...network(name, {}), serial: 30 + index }, noContents);
  }
  const record = join(root, 'networks/a/.record.json');
  const text = readFileSync(record, 'utf8');
  using journal = new Journal(join(root, 'journal'));
  journal.append([{ op: 'put', key: 'networks/a', serial: 30, text }], { sync: true });
  rmSync(record);
  mkdirSync(record);
  return { record, text };
}

test('an unreadable record that the journal names is told, kept, and blocks no change of others', async () => {
  const { record, text } = await killedWhileChanging();
  let kept: string;
  {
    await using store = await open();
    assert.match(
      store.warnings.join('\n'),
      /networks\/a\/\.record\.json cannot be written \(EISDIR.*What it should hold is in .*Unmount, run: rm -r /,
    );
    const records = await store.load();
    assert.deepEqual(records.map(({ name, unreadable }) => [name, unreadable !== undefined]).sort(), [
      ['a', true],
      ['b', false],
    ]);
    await store.update({ ...network('b', { subnet: '10.0.0.0/24' }), serial: 31 });
    kept = join(root, 'lost', readdirSync(join(root, 'lost'))[0] ?? '');
    assert.equal(readFileSync(kept, 'utf8'), text);
  }
  rmSync(record, { recursive: true });
  renameSync(kept, record);
  await using store = await open();
  assert.deepEqual(store.warnings, []);
  const found = (await store.load()).map(({ name, unreadable, settings }) => ({ name, unreadable, subnet: settings['subnet'] }));
  assert.deepEqual(
    found.map(({ name, unreadable }) => [name, unreadable]),
    [
      ['a', undefined],
      ['b', undefined],
    ],
  );
  assert.equal(found[1]?.subnet, '10.0.0.0/24');
});
