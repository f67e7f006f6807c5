import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ChangeWriter, type WriterReply } from '../../src/state/change-writer.ts';
import { journalName } from '../../src/state/journal.ts';
import { inverseOf, type JournalEntry } from '../../src/state/journal-entry.ts';
import { readJournal } from '../../src/state/journal-text.ts';
import { replay } from '../../src/state/replay.ts';
import { checksumOf } from '../../src/state/seal.ts';

const calls = [
  ...['openSync', 'closeSync', 'readFileSync', 'writeSync', 'fstatSync', 'ftruncateSync', 'fsyncSync', 'fdatasyncSync'],
  ...['renameSync', 'mkdirSync', 'writeFileSync', 'chownSync', 'fchownSync', 'futimesSync'],
] as const;
const api = fs as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
const real = new Map(calls.map((name) => [name, api[name]]));

/** Runs an action in which one call, or it and all after it, fail. @returns whether that call was reached. */
function withFault(fault: { readonly nth: number; readonly code: string; readonly lasts: boolean }, action: () => void): boolean {
  let count = 0;
  for (const name of calls)
    api[name] = (...args) => {
      count += 1;
      if (count === fault.nth || (fault.lasts && count > fault.nth)) throw Object.assign(new Error(name), { code: fault.code });
      return real.get(name)?.(...args);
    };
  syncBuiltinESMExports();
  try {
    action();
  } finally {
    for (const name of calls) Object.assign(api, { [name]: real.get(name) });
    syncBuiltinESMExports();
  }
  return count >= fault.nth;
}

const text = (name: string, ip: string): string => {
  const owned = { uid: 0, gid: 0, mode: 0o755, createdMs: 1, ownership: {}, settings: { 'machine/ip': ip } };
  return JSON.stringify({ kind: 'vnf', ...owned, serial: 20, type: 'host', name, ports: [], deployed: false, inconsistent: false });
};
const a = { key: 'nf-types/host/a', serial: 20 };
const files = { name: 'config', uid: 0, gid: 0, files: { nf_conf: 'mine' } };
const old = text('a', '10.0.0.1');
const make: JournalEntry = { op: 'put', ...a, text: old, made: files };
const put: Extract<JournalEntry, { op: 'put' }> = { op: 'put', ...a, text: text('a', '') };
const rename: Extract<JournalEntry, { op: 'rename' }> = { op: 'rename', ...a, to: 'nf-types/host/b', text: text('b', '10.0.0.1') };
const remove: JournalEntry = { op: 'remove', ...a };

let root: string;
let open: ChangeWriter;
let replies: WriterReply[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nfio-faults-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A root with the object `a` in it, unless it is to be made; `fresh`: not on the disk but in the journal. */
function begin(entry: JournalEntry, fresh: boolean): void {
  rmSync(root, { recursive: true, force: true });
  for (const directory of ['nf-types/host', 'trash']) mkdirSync(join(root, directory), { recursive: true });
  replies = [];
  open = new ChangeWriter(root, (reply) => replies.push(reply));
  if (entry !== make) assert.equal(change(make), undefined);
  if (!fresh) open.take([{ id: 0, work: { kind: 'rest' } }]);
}

/** @returns the errno of its failure. */
function change(entry: JournalEntry): string | undefined {
  open.take([{ id: 1, work: { kind: 'change', entry, durable: true } }]);
  return replies.at(-1)?.code;
}

/** What is there after a kill and a start: names with their records; user files are always those that were made. */
function afterKill(): Record<string, string> {
  replay(root, readJournal(join(root, journalName)));
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(root, 'nf-types/host'))) {
    found[name] = readFileSync(join(root, 'nf-types/host', name, '.record.json'), 'utf8');
    assert.equal(readFileSync(join(root, 'nf-types/host', name, 'config/nf_conf'), 'utf8'), 'changed', 'the user file is kept');
  }
  return found;
}

function userWrites(): void {
  for (const name of readdirSync(join(root, 'nf-types/host')))
    writeFileSync(join(root, 'nf-types/host', name, 'config/nf_conf'), 'changed');
}

const changes = [
  { name: 'a setting', entry: put, before: { a: old }, after: { a: put.text } },
  { name: 'a rename', entry: rename, before: { a: old }, after: { b: rename.text } },
  { name: 'a removal', entry: remove, before: { a: old }, after: {} },
];

for (const { name, entry, before, after } of changes)
  for (const code of ['EIO', 'ENOSPC', 'EMFILE'])
    for (const fresh of [false, true])
      test(`${name} of ${fresh ? 'a new' : 'an old'} object: ${code} at each call, then a kill, loses nothing`, () => {
        let reached = true;
        let nth = 0;
        for (nth = 1; reached; nth += 1) {
          begin(entry, fresh);
          userWrites();
          reached = withFault({ nth, code, lasts: false }, () => void change(entry));
          const failed = replies.at(-1)?.code !== undefined;
          assert.deepEqual(afterKill(), failed ? before : after, `call ${nth} ${failed ? 'failed' : 'succeeded'}`);
        }
        assert.ok(nth > 4);
      });

for (const { name, entry, before, after } of changes)
  test(`${name}: a disk that fails from any call on keeps the object, and the next change finds it`, () => {
    let reached = true;
    for (let nth = 1; reached; nth += 1) {
      begin(entry, true);
      userWrites();
      reached = withFault({ nth, code: 'EIO', lasts: true }, () => void change(entry));
      const failed = replies.at(-1)?.code !== undefined;
      if (failed) assert.equal(change(put), undefined, `after call ${nth}`);
      assert.deepEqual(afterKill(), failed ? { ...before, a: put.text } : after, `call ${nth}`);
    }
  });

test('an object that cannot be made is not there after a kill either', () => {
  let reached = true;
  for (let nth = 1; reached; nth += 1) {
    begin(make, false);
    reached = withFault({ nth, code: 'ENOSPC', lasts: false }, () => void change(make));
    userWrites();
    assert.deepEqual(afterKill(), replies.at(-1)?.code === undefined ? { a: old } : {}, `call ${nth}`);
  }
});

test('the inverse of an inverse is the entry', () => {
  for (const entry of [put, rename]) assert.deepEqual(inverseOf(inverseOf(entry, old), entry.text), { ...entry, before: checksumOf(old) });
  assert.deepEqual(inverseOf(make, undefined), remove);
  assert.deepEqual(inverseOf(remove, old), { op: 'put', ...a, text: old });
  assert.throws(() => inverseOf(put, undefined), { code: 'ENOENT' });
});
