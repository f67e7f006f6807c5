import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { noContents } from '../../src/domain/ports/state.ts';
import type { VnfRecord } from '../../src/domain/records.ts';
import { FileStore } from '../../src/state/file-store.ts';
import { Journal } from '../../src/state/journal.ts';
import { readJournal } from '../../src/state/journal-text.ts';

const logged: string[] = [];
const log = (message: string): void => void logged.push(message);
const logger = { debug: log, info: log, warn: log, error: log };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nfio-store-'));
  logged.length = 0;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (): Promise<FileStore> => FileStore.open(root, { locked: false, logger });
const owned = { uid: 1, gid: 2, mode: 0o755, createdMs: 5, ownership: {} };
const type = (store: FileStore) => ({ ...owned, kind: 'type' as const, serial: store.nextSerial(), name: 'host', settings: {} });
const vnf = (store: FileStore, settings: Record<string, string> = {}): VnfRecord => ({
  ...owned,
  kind: 'vnf',
  serial: store.nextSerial(),
  type: 'host',
  name: 'a',
  settings,
  ports: [],
  deployed: false,
  placement: undefined,
  inconsistent: false,
});

test('what was created and updated is there after reopening', async () => {
  const store = await open();
  await store.create(type(store), noContents);
  const record = vnf(store);
  await store.create(record, noContents);
  await store.update({ ...record, settings: { 'machine/ip': '10.0.0.1' } });
  await store[Symbol.asyncDispose]();

  const again = await open();
  const records = await again.load();
  assert.deepEqual(
    records.map(({ kind, name, settings }) => ({ kind, name, settings })),
    [
      { kind: 'type', name: 'host', settings: {} },
      { kind: 'vnf', name: 'a', settings: { 'machine/ip': '10.0.0.1' } },
    ],
  );
  assert.equal(again.mountId, store.mountId);
  await again[Symbol.asyncDispose]();
});

test('of many updates at once all resolve and the last one stays', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  const record = vnf(store);
  await store.create(record, noContents);
  await Promise.all(Array.from({ length: 50 }, (_, index) => store.update({ ...record, settings: { n: String(index) } })));
  const [, loaded] = await store.load();
  assert.equal(loaded?.settings.n, '49');
});

test('serials are never given twice, not even after a crash', async () => {
  const store = await open();
  const first = store.nextSerial();
  const { mountId } = store;
  await store[Symbol.asyncDispose]();
  // A crash: the header still says what it said when the store was opened.
  const crashed = await open();
  const second = crashed.nextSerial();
  const header = readFileSync(join(root, 'nfio.json'), 'utf8');
  await crashed[Symbol.asyncDispose]();
  writeFileSync(join(root, 'nfio.json'), header);
  await using third = await open();
  assert.equal(third.mountId, mountId);
  assert.equal(new Set([first, second, third.nextSerial()]).size, 3);
});

test('a second mount of one root is refused', async () => {
  await using _ = await open();
  await assert.rejects(open(), { code: 'StateInUseError', errnoName: 'EBUSY' });
});

test('a root of a newer version is refused and not changed', async () => {
  const newer = JSON.stringify({ format: 99, mountId: 'abcdefgh', serialLimit: 1 });
  writeFileSync(join(root, 'nfio.json'), newer);
  await assert.rejects(open(), { code: 'StateVersionError', errnoName: 'EPROTO' });
  assert.equal(readFileSync(join(root, 'nfio.json'), 'utf8'), newer);
});

test('a root of an older version is brought up to date', async () => {
  writeFileSync(join(root, 'nfio.json'), JSON.stringify({ format: 1, mountId: 'abcdefgh', serialLimit: 7 }));
  await using store = await open();
  assert.equal(store.mountId, 'abcdefgh');
  assert.ok(store.nextSerial() >= 7);
  assert.equal(JSON.parse(readFileSync(join(root, 'nfio.json'), 'utf8')).format, 5);
});

test('a damaged record keeps its place, says so, and is not written over', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  const record = vnf(store);
  await store.create(record, noContents);
  const path = join(root, 'nf-types/host/a/.record.json');
  writeFileSync(path, '{"kind":"vnf"');
  const [, standIn] = await store.load();
  assert.ok(standIn?.kind === 'vnf');
  assert.equal(standIn.name, 'a');
  assert.notEqual(standIn.serial, record.serial);
  assert.match(standIn.unreadable ?? '', /JSON/);
  assert.match(logged.join('\n'), /nf-types\/host\/a.*cannot be read.*restore it/);
  await assert.rejects(store.update({ ...standIn, settings: { a: 'b' } }), { code: 'StateWriteError' });
  await assert.rejects(store.rename(standIn, { ...standIn, name: 'b' }), { code: 'StateWriteError' });
  await assert.rejects(store.remove(standIn), { code: 'StateWriteError' });
  assert.equal(readFileSync(path, 'utf8'), '{"kind":"vnf"');
});

test('what cannot be read as a record keeps its place, of whatever kind it is', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  mkdirSync(join(root, 'nf-types/host/b/.record.json'), { recursive: true });
  mkdirSync(join(root, 'networks/lan/.record.json'), { recursive: true });
  mkdirSync(join(root, 'chns/web/.record.json'), { recursive: true });
  const records = await store.load();
  assert.deepEqual(
    records.map(({ kind, name, unreadable }) => [kind, name, /EISDIR/.test(unreadable ?? '')]),
    [
      ['type', 'host', false],
      ['vnf', 'b', true],
      ['network', 'lan', true],
      ['chain', 'web', true],
    ],
  );
});

test('what a loss of power left without its record makes room', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  mkdirSync(join(root, 'nf-types/host/a/config'), { recursive: true });
  writeFileSync(join(root, 'nf-types/host/a/.record.json'), '');
  const record = vnf(store);
  await store.create(record, { nf_conf: 'x' });
  assert.equal(readFileSync(join(root, 'nf-types/host/a/config/nf_conf'), 'utf8'), 'x');
  assert.deepEqual((await store.load())[1], record);
});

test('what users have put where there is no record, or an empty one, is kept when something is made there, and told', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  for (const [name, record] of [
    ['a', ''],
    ['b', undefined],
  ] as const) {
    const place = join(root, 'nf-types/host', name);
    mkdirSync(join(place, 'config/sub'), { recursive: true });
    writeFileSync(join(place, 'config/sub/mine'), name);
    if (record !== undefined) writeFileSync(join(place, '.record.json'), record);
    const made = { ...vnf(store), name };
    await store.create(made, { nf_conf: 'x' });
    const lost = join(root, `lost/nf-types.host.${name}-${made.serial}`);
    assert.equal(readFileSync(join(lost, 'config/sub/mine'), 'utf8'), name);
    assert.deepEqual(readdirSync(join(place, 'config')), ['nf_conf']);
    assert.match(logged.join('\n'), new RegExp(`${lost}: what was in the place .* rm -r ${lost}`));
  }
  logged.length = 0;
  await store.load();
  assert.equal(logged.filter((line) => line.includes(`${root}/lost/`)).length, 2);
});

test('a journal knows whether it is ahead of the disk', () => {
  using journal = new Journal(join(root, 'journal'));
  const entry = { op: 'remove', key: 'k', serial: 1 } as const;
  assert.equal(journal.isAhead, false);
  journal.append([entry], { sync: false });
  assert.equal(journal.isAhead, true);
  assert.deepEqual(readJournal(join(root, 'journal')).entries, [entry]);
  journal.append([entry], { sync: true });
  assert.equal(journal.isAhead, false);
  journal.append([entry], { sync: false });
  journal.append([], { sync: true });
  assert.equal(journal.isAhead, false);
  journal.append([entry], { sync: false });
  journal.clear();
  assert.equal(journal.isAhead, false);
  assert.deepEqual(readJournal(join(root, 'journal')).entries, []);
});

test('sync waits for what was made, whether or not something changed since', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  await store.sync();
  await store.sync();
  await Promise.all([store.create(vnf(store), noContents), store.sync()]);
  assert.equal((await store.load()).length, 2);
});

test('rename moves the user files, and the directory names the object', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  const record = vnf(store);
  await store.create(record, noContents);
  writeFileSync(join(store.configDir(record), 'nf_conf'), 'mine');
  await store.rename(record, { ...record, name: 'b' });
  assert.equal(readFileSync(join(store.configDir({ ...record, name: 'b' }), 'nf_conf'), 'utf8'), 'mine');
  assert.equal((await store.load())[1]?.name, 'b');
});

test('remove takes the user files with it', async () => {
  await using store = await open();
  await store.create(type(store), noContents);
  const record = vnf(store);
  await store.create(record, noContents);
  await store.remove(record);
  assert.deepEqual(
    (await store.load()).map((each) => each.name),
    ['host'],
  );
});
