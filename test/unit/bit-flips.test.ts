import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { noContents } from '../../src/domain/ports/state.ts';
import { recordKey, type StoredRecord } from '../../src/domain/records.ts';
import { FileStore } from '../../src/state/file-store.ts';
import { chain, network, vnf } from '../support/records.ts';
import { sample } from '../support/thorough.ts';

/* A flipped bit in any file of the state is found and told, and costs one object at most. NFIO_THOROUGH=1: every byte of every file. */

const silent = () => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };
const perFile = 7;
const own = new Set(['nfio.json', 'nfio.copy.json', 'lock', 'journal', '.record.json']);

/** Where no sync waits for a disk. */
const memory = '/dev/shm';

let directory: string;
let expected: ReadonlyMap<string, string>;

/** What a start finds in a root. */
interface Found {
  readonly mountId: string;
  readonly nextSerial: number;
  readonly records: ReadonlyMap<string, string>;
  readonly unreadable: readonly string[];
  readonly warnings: readonly string[];
}

async function find(root: string): Promise<Found> {
  await using store = await FileStore.open(root, { locked: true, logger });
  const records = await store.load();
  const readable = records.filter(({ unreadable }) => unreadable === undefined);
  return {
    mountId: store.mountId,
    nextSerial: store.nextSerial(),
    records: new Map(readable.map((record) => [recordKey(record), JSON.stringify(record)])),
    unreadable: records.filter((record) => !readable.includes(record)).map(recordKey),
    warnings: store.warnings,
  };
}

/** A root at rest, `calm`, and one as a kill leaves it, with all that was changed in its journal, `killed`. */
before(async () => {
  directory = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'nfio-flips-'));
  const root = join(directory, 'root');
  const store = await FileStore.open(root, { locked: true, logger });
  const type: StoredRecord = { ...network('x', {}), kind: 'type', name: 'host', serial: 20 };
  const a = { ...vnf(21), name: 'a', settings: { 'machine/ip': 'here' } };
  const later = { ...vnf(22), name: 'b' };
  for (const record of [type, a, later, vnf(23), network('lan', {}), chain('web', { start: 'one' })])
    await store.create(record, noContents);
  for (let index = 1; index <= 3; index += 1) await store.update({ ...a, settings: { 'machine/vm.image': `image ${index}` } });
  await store.rename(later, { ...later, name: 'c' });
  await store.remove(vnf(23));
  await store.sync();
  cpSync(root, join(directory, 'killed'), { recursive: true });
  await store[Symbol.asyncDispose]();
  cpSync(root, join(directory, 'calm'), { recursive: true });
  expected = (await find(root)).records;
  assert.deepEqual([...expected.keys()], ['nf-types/host', 'nf-types/host/a', 'nf-types/host/c', 'networks/lan', 'chns/web']);
});
after(() => rmSync(directory, { recursive: true, force: true }));

function filesOf(root: string): string[] {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && own.has(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

/** Offsets of a file; the empty line after the last entry of a journal, and what follows it, says nothing. */
function offsetsOf(path: string): number[] {
  const length = readFileSync(path).lastIndexOf(0x0a) + (path.endsWith('journal') ? 0 : 1);
  return Array.from({ length }, (_, offset) => offset);
}

async function findFlipped(name: string, file: string, offset: number): Promise<Found> {
  const root = join(directory, 'flipped');
  rmSync(root, { recursive: true, force: true });
  cpSync(join(directory, name), root, { recursive: true });
  const bytes = readFileSync(join(root, file));
  bytes[offset] = (bytes[offset] ?? 0) ^ (1 << (offset % 8));
  writeFileSync(join(root, file), bytes);
  return await find(root);
}

for (const name of ['calm', 'killed'])
  test(`a flipped bit in a root ${name === 'calm' ? 'at rest' : 'after a kill'} is found, told, and costs one object at most`, async () => {
    const whole = await find(cpOf(name));
    let tried = 0;
    for (const file of filesOf(join(directory, name)))
      for (const offset of sample(offsetsOf(join(directory, name, file)), perFile)) {
        const at = `${file}, byte ${offset}`;
        const found = await findFlipped(name, file, offset);
        assert.equal(found.mountId, whole.mountId, at);
        assert.ok(found.nextSerial >= whole.nextSerial, at);
        const lost = [...expected].filter(([key, record]) => found.records.get(key) !== record).map(([key]) => key);
        const invented = [...found.records].filter(([key, record]) => expected.get(key) !== record);
        assert.ok(lost.length <= 1, `${at}: lost ${lost.join(', ')}`);
        assert.ok(invented.length <= (lost.length === 0 && file !== 'journal' ? 0 : 1), `${at}: ${JSON.stringify(invented)}`);
        const healed = name === 'killed' && file.endsWith('.record.json') && lost.length === 0;
        assert.ok(healed || found.warnings.length + found.unreadable.length > 0, `${at}: not told`);
        tried += 1;
      }
    console.log(`${tried} flips in a root ${name}`);
    assert.ok(tried >= 5 * perFile);
  });

function cpOf(name: string): string {
  const root = join(directory, `${name}-whole`);
  cpSync(join(directory, name), root, { recursive: true });
  return root;
}
