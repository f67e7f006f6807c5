import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { journalName } from '../../src/state/journal.ts';
import type { JournalEntry } from '../../src/state/journal-entry.ts';
import { encodeEntries, readJournal } from '../../src/state/journal-text.ts';
import { ObjectFiles } from '../../src/state/object-files.ts';
import { replay } from '../../src/state/replay.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nfio-replay-'));
  for (const directory of ['nf-types/host', 'networks', 'trash']) mkdirSync(join(root, directory), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const text = (serial: number, name: string, ip = ''): string => {
  const owned = { uid: 0, gid: 0, mode: 0o755, createdMs: 1, ownership: {}, settings: { 'machine/ip': ip } };
  return JSON.stringify({ kind: 'vnf', ...owned, serial, type: 'host', name, ports: [], deployed: false, inconsistent: false });
};
const config = { name: 'config', uid: 0, gid: 0, files: { nf_conf: 'default' } };
const make = (serial: number, name: string): Extract<JournalEntry, { op: 'put' }> => ({
  op: 'put',
  key: `nf-types/host/${name}`,
  serial,
  text: text(serial, name),
  made: config,
});
const put = (serial: number, name: string, ip: string): JournalEntry => ({
  op: 'put',
  key: `nf-types/host/${name}`,
  serial,
  text: text(serial, name, ip),
});
const remove = (serial: number, name: string): JournalEntry => ({ op: 'remove', key: `nf-types/host/${name}`, serial });
const rename = (serial: number, from: string, to: string): JournalEntry => ({
  op: 'rename',
  key: `nf-types/host/${from}`,
  serial,
  to: `nf-types/host/${to}`,
  text: text(serial, to),
});

/** Every state the directories can be in after a crash: each entry of the journal carried out up to one of them. */
const crashes: { readonly name: string; readonly entries: readonly JournalEntry[]; readonly there: Readonly<Record<string, string>> }[] = [
  { name: 'make', entries: [make(20, 'a')], there: { a: text(20, 'a') } },
  { name: 'make and change', entries: [make(20, 'a'), put(20, 'a', '10.0.0.1')], there: { a: text(20, 'a', '10.0.0.1') } },
  { name: 'make and remove', entries: [make(20, 'a'), remove(20, 'a')], there: {} },
  { name: 'make and rename', entries: [make(20, 'a'), rename(20, 'a', 'b')], there: { b: text(20, 'b') } },
  { name: 'rename twice', entries: [make(20, 'a'), rename(20, 'a', 'b'), rename(20, 'b', 'c')], there: { c: text(20, 'c') } },
  { name: 'remove and make again', entries: [make(20, 'a'), remove(20, 'a'), make(21, 'a')], there: { a: text(21, 'a') } },
  {
    name: 'rename onto a name that became free',
    entries: [make(20, 'a'), make(21, 'b'), remove(20, 'a'), rename(21, 'b', 'a')],
    there: { a: text(21, 'a') },
  },
];

for (const { name, entries, there } of crashes) {
  for (let done = 0; done <= entries.length; done += 1) {
    test(`${name}: crashed after ${done} of ${entries.length}`, () => {
      const files = new ObjectFiles(root);
      for (const entry of entries.slice(0, done)) files.apply(entry);
      replay(root, { entries, damaged: [] });
      assert.deepEqual(readdirSync(join(root, 'nf-types/host')).sort(), Object.keys(there));
      for (const [vnf, record] of Object.entries(there)) {
        assert.equal(readFileSync(join(root, 'nf-types/host', vnf, '.record.json'), 'utf8'), record);
        assert.equal(readFileSync(join(root, 'nf-types/host', vnf, 'config/nf_conf'), 'utf8'), 'default');
      }
    });
  }
}

test('what a user wrote in an object that was made and renamed stays', () => {
  const entries = [make(20, 'a'), rename(20, 'a', 'b')];
  new ObjectFiles(root).apply(make(20, 'a'));
  writeFileSync(join(root, 'nf-types/host/a/config/nf_conf'), 'mine');
  replay(root, { entries, damaged: [] });
  assert.equal(readFileSync(join(root, 'nf-types/host/b/config/nf_conf'), 'utf8'), 'mine');
  assert.equal(existsSync(join(root, 'nf-types/host/a')), false);
});

test('a record that was cut off is made whole', () => {
  const entries = [make(20, 'a'), put(20, 'a', '10.0.0.1')];
  new ObjectFiles(root).apply(make(20, 'a'));
  writeFileSync(join(root, 'nf-types/host/a/.record.json'), text(20, 'a', '10.0.0.1').slice(0, 30));
  replay(root, { entries, damaged: [] });
  assert.equal(readFileSync(join(root, 'nf-types/host/a/.record.json'), 'utf8'), text(20, 'a', '10.0.0.1'));
});

test('an entry that was cut off was never confirmed', () => {
  const path = join(root, journalName);
  writeFileSync(path, encodeEntries([make(20, 'a')]));
  appendFileSync(path, encodeEntries([make(21, 'b')]).slice(0, 40));
  assert.deepEqual(readJournal(path), { entries: [make(20, 'a')], damaged: [] });
});

test('a journal of an older version, without checksums, is read', () => {
  const path = join(root, journalName);
  writeFileSync(path, `${JSON.stringify(make(20, 'a'))}\n${JSON.stringify(put(20, 'a', '10.0.0.1'))}\n\0\0\0`);
  assert.deepEqual(readJournal(path), { entries: [make(20, 'a'), put(20, 'a', '10.0.0.1')], damaged: [] });
});

test('a file of a new object that a loss of power emptied has its first text again; one that its user emptied stays empty', () => {
  const made = { ...config, mtimeS: 1_000_000 };
  const entries = ['a', 'b', 'c'].map((name, index) => ({ ...make(20 + index, name), made }));
  for (const each of entries) new ObjectFiles(root).apply(each);
  const file = (name: string): string => join(root, 'nf-types/host', name, 'config/nf_conf');
  truncateSync(file('a'));
  utimesSync(file('a'), made.mtimeS, made.mtimeS);
  truncateSync(file('b'));
  writeFileSync(file('c'), 'mine');
  replay(root, { entries, damaged: [] });
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => readFileSync(file(name), 'utf8')),
    ['default', '', 'mine'],
  );
});
