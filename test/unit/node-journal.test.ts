import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { NodeJournal } from '../../src/vfs/node-journal.ts';
import { type Found, UserFiles } from '../../src/vfs/user-files.ts';
import { type Backing, UserNode } from '../../src/vfs/user-node.ts';

let directory: string;
let own: Backing;

beforeEach(() => {
  directory = mkdtempSync('/dev/shm/nfio-node-journal-');
  mkdirSync(join(directory, 'own/d/e'), { recursive: true });
  for (const name of ['f', 'g', 'h']) writeFileSync(join(directory, 'own/d/e', name), name);
  own = { path: () => join(directory, 'own'), guest: undefined };
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const journal = (first: boolean, place = directory): NodeJournal => Object.assign(new NodeJournal({ first }), { directory: place });

/** Files as one server knows them. */
function server(noted: NodeJournal): UserFiles {
  return new UserFiles(() => [own], { journal: noted });
}

/** Looks a path up, as the kernel does name by name. */
function known(users: UserFiles, path: string): UserNode {
  let { node } = users.enter(own);
  for (const name of path.split('/')) {
    const found: Found | undefined = users.lookup(node, name);
    ({ node } = found ?? assert.fail(`${path}: ${name} is not there`));
    users.remember(node);
  }
  return node;
}

describe('a file of config/', () => {
  test('is found again by where it was noted, and no other is looked at', () => {
    const before = server(journal(true));
    const [f, g] = [known(before, 'd/e/f'), known(before, 'd/e/g')];
    const e = known(before, 'd/e');
    before.link(f, e, 'newer');
    before.unlink(e, 'newer');
    before.rename({ parent: e, name: 'g' }, { parent: e, name: 'moved' }, { replace: true });
    const h = known(server(new NodeJournal({ first: true })), 'd/e/h'); // which notes nothing
    const next = server(journal(false));
    assert.deepEqual(next.get(f.nodeid).components(), ['d', 'e', 'f']);
    assert.deepEqual(next.get(g.nodeid).components(), ['d', 'e', 'moved']);
    assert.throws(() => next.get(h.nodeid), { code: 'ESTALE' });
  });

  test('that has lost its name is not taken for the one that has it now', () => {
    const f = known(server(journal(true)), 'd/e/f');
    renameSync(join(directory, 'own/d/e/g'), join(directory, 'own/d/e/f'));
    assert.throws(() => server(journal(false)).get(f.nodeid), { code: 'ESTALE' });
  });

  test('is found by a search where it could not be noted; what could be noted later is whole', () => {
    const place = join(directory, 'full');
    const noted = journal(true, place);
    writeFileSync(place, ''); // a directory cannot be made there
    const before = server(noted);
    const f = known(before, 'd/e/f');
    rmSync(place);
    assert.deepEqual(server(journal(false, place)).get(f.nodeid).components(), ['d', 'e', 'f']);
    const g = known(before, 'd/e/g');
    const after = journal(false, place);
    assert.ok(after.isWhole);
    const next = server(after);
    assert.deepEqual(
      [f, g].map(({ nodeid }) => next.get(nodeid).components()?.at(-1)),
      ['f', 'g'],
    );
  });
});

test('a journal is written anew, a few lines at a time, and says the same', () => {
  const noted = journal(true);
  const top = new UserNode(1000, own, { top: true });
  const nodes = new Map<number, UserNode>();
  for (let nodeid = 1; nodeid <= 500; nodeid += 1) nodes.set(nodeid, new UserNode(nodeid, own, { top: false }));
  const write = (nodeid: number, name: string, by: NodeJournal): void => {
    const node = nodes.get(nodeid) ?? assert.fail();
    node.addLink(top, name);
    by.note(node, nodes);
  };
  for (let round = 0; round < 41; round += 1) for (const nodeid of nodes.keys()) write(nodeid, `${round}/${nodeid}`, noted);
  assert.ok(readFileSync(join(directory, 'user-files'), 'utf8').split('\n').length < 2000);
  const next = journal(false);
  assert.deepEqual([next.isWhole, next.find(1), next.find(500)], [true, { parent: 1000, name: '40/1' }, { parent: 1000, name: '40/500' }]);
  // A server that takes over knows some of the files only by what was noted.
  for (let round = 0; round < 21_000; round += 1) write(7, `again/${round}`, next);
  const last = journal(false);
  assert.deepEqual([last.isWhole, last.find(7)?.name, last.find(8)?.name, last.find(501)], [true, 'again/20999', '40/8', undefined]);
});
