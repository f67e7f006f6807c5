import assert from 'node:assert/strict';
import {
  constants,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { statsOfExisting } from '../../src/vfs/file-stats.ts';
import { HeldDirectories } from '../../src/vfs/held-directories.ts';
import { Names } from '../../src/vfs/names.ts';
import { NodeJournal } from '../../src/vfs/node-journal.ts';
import { guestNodeid, guestOfTop, guestTopNodeid, isGuestFile, isUserFile, userNodeid } from '../../src/vfs/nodeid.ts';
import { type Found, UserFiles } from '../../src/vfs/user-files.ts';
import { type Backing, UserNode } from '../../src/vfs/user-node.ts';
import { withPath } from '../../src/vfs/with-path.ts';

const creator = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const creation = { flags: constants.O_RDWR, mode: 0o640, umask: 0, creator };

let directory: string;
let own: Backing;
let guests: Backing;
let held: HeldDirectories;
let users: UserFiles;
let top: UserNode;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfio-user-files-'));
  for (const name of ['own', 'guests', 'outside', 'written']) mkdirSync(join(directory, name));
  own = { path: () => join(directory, 'own'), guest: undefined };
  held = new HeldDirectories();
  const devices = { root: statSync(directory).dev, mounts: new Map<string, number>() };
  guests = {
    path: () => join(directory, 'guests'),
    guest: {
      serial: 16,
      owner: () => ({ uid: 0, gid: 0, mode: 0o40700 }),
      devices: () => devices,
      held: () => held,
      written: () => join(directory, 'written'),
    },
  };
  users = new UserFiles(() => [own, guests]);
  top = users.enter(own).node;
});

afterEach(() => {
  held[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** As the kernel does after a lookup. */
function known({ node }: Found): UserNode {
  users.remember(node);
  return node;
}

/** Names in a directory that are shown. */
function namesIn(node: UserNode, written = false): string[] {
  using names = users.names(node, { written });
  assert.ok(names.reach(1000, 1001));
  const all = Array.from({ length: names.kept }, (_, position) => names.at(position) ?? '');
  return all.filter((name) => users.lookup(node, name) !== undefined);
}

function path(node: UserNode): string {
  return withPath(node, undefined, String);
}

describe('a user file', () => {
  test('is found by any of its names, and by its open files when it has none', () => {
    const made = users.create(top, 'a', creation);
    const file = known(made);
    users.link(file, top, 'b');
    users.unlink(top, 'b');
    assert.equal(path(file), join(directory, 'own/a'));
    users.unlink(top, 'a');
    assert.throws(() => path(file), { code: 'ENOENT' });
    writeSync(made.fd, 'still here');
    assert.equal(users.change(file, { mode: 0o600, size: 5, mtimeNs: -1_000_000_000n }).size, 5);
    assert.deepEqual([users.stat(file).mode & 0o777, users.stat(file).mtimeMs, users.stat(file).nlink], [0o600, -1000, 0]);
    users.close(file, made.fd);
    assert.throws(() => users.stat(file), { code: 'ENOENT' });
  });

  test('keeps its identity over renames of itself and of directories above it, into another VNF too', () => {
    const sub = known(users.mkdir(top, 'sub', { mode: 0o755, umask: 0, creator }));
    const made = users.create(sub, 'f', creation);
    const file = known(made);
    users.close(file, made.fd);
    users.rename({ parent: top, name: 'sub' }, { parent: top, name: 'moved' }, { replace: true });
    assert.equal(path(file), join(directory, 'own/moved/f'));
    users.rename({ parent: top, name: 'moved' }, { parent: users.enter(guests).node, name: 'there' }, { replace: true });
    assert.equal(file.backing, guests);
    assert.equal(users.stat(file).ino, statSync(join(directory, 'guests/there/f')).ino);
  });

  test('is not replaced where that is not asked for; two names of one file stay', () => {
    for (const name of ['a', 'b'])
      users.close(known(users.create(top, name, creation)), [...(users.lookup(top, name)?.node.fds ?? [])][0] ?? -1);
    assert.throws(() => users.rename({ parent: top, name: 'a' }, { parent: top, name: 'b' }, { replace: false }), { code: 'EEXIST' });
    const file = users.lookup(top, 'a')?.node;
    assert.ok(file !== undefined);
    users.link(file, top, 'c');
    users.rename({ parent: top, name: 'a' }, { parent: top, name: 'c' }, { replace: true });
    assert.deepEqual(namesIn(top).sort(), ['a', 'b', 'c']);
  });

  test('of a removed VNF does not stand in for a new one with its inode number', () => {
    const stats = statsOfExisting(join(directory, 'own'));
    let path = join(directory, 'own');
    const removed: Backing = { path: () => assert.fail('the place of a removed VNF was asked for'), guest: undefined };
    const first = new UserFiles(() => []);
    const old = first.enter({ ...removed, path: () => path });
    path = '/nowhere';
    const again = first.enter(own);
    assert.equal(again.node.nodeid, userNodeid(stats));
    assert.notEqual(again.node, old.node);
    assert.equal(withPath(again.node, 'x', String), join(directory, 'own/x'));
  });

  test('is found again by a server that never saw it', () => {
    mkdirSync(join(directory, 'own/d/e'), { recursive: true });
    writeFileSync(join(directory, 'own/d/e/f'), 'x');
    const nodeid = userNodeid(statsOfExisting(join(directory, 'own/d/e/f')));
    assert.equal(path(users.get(nodeid)), join(directory, 'own/d/e/f'));
    assert.throws(() => users.get(userNodeid({ dev: 0, ino: 2 ** 40, birthtimeNs: 0n })), { code: 'ESTALE' });
  });

  test('is made by the caller, in a set-group-id directory with its group', { skip: creator.uid === 0 ? false : 'needs root' }, () => {
    const sub = known(users.mkdir(top, 'd', { mode: 0o2775, umask: 0, creator: { uid: 7, gid: 8 } }));
    users.change(sub, { mode: 0o2775, gid: 42 });
    const made = users.create(sub, 'f', { ...creation, creator: { uid: 9, gid: 10 } });
    users.close(made.node, made.fd);
    const { uid, gid, mode } = users.stat(made.node);
    assert.deepEqual([uid, gid, mode & 0o7777], [9, 42, 0o640]);
    const link = users.symlink(sub, 'l', { target: 'nowhere', creator: { uid: 9, gid: 10 } });
    assert.equal(users.readlink(link.node), 'nowhere');
    assert.equal(users.change(link.node, { uid: 11, mode: 0o600, mtimeNs: 5_000_000_000n }).uid, 11);
  });
});

describe('in a guest’s files', () => {
  test('no link leads out', () => {
    const root = users.enter(guests).node;
    writeFileSync(join(directory, 'outside/secret'), 'secret');
    mkdirSync(join(directory, 'guests/d'));
    writeFileSync(join(directory, 'guests/d/secret'), 'own');
    const d = users.lookup(root, 'd')?.node;
    const file = d === undefined ? undefined : users.lookup(d, 'secret')?.node;
    assert.ok(d !== undefined && file !== undefined);
    // The guest swaps the directory for a link, and a file for a link.
    renameSync(join(directory, 'guests/d'), join(directory, 'guests/was'));
    symlinkSync('../outside', join(directory, 'guests/d'));
    // The directory that was found is the same one, wherever it is, as long as it is held.
    assert.equal(namesIn(d).length, 1);
    held[Symbol.dispose]();
    for (const use of [
      () => users.open(file, constants.O_RDWR),
      () => users.lookup(d, 'secret'),
      () => users.unlink(d, 'secret'),
      () => users.create(d, 'x', creation),
      () => users.change(file, { mode: 0o777 }),
      () => namesIn(d),
    ])
      assert.throws(use, (error: NodeJS.ErrnoException) => error.code === 'ENOTDIR' || error.code === 'ELOOP');
    symlinkSync('../outside/secret', join(directory, 'guests/link'));
    const link = users.lookup(root, 'link')?.node;
    assert.ok(link !== undefined);
    assert.throws(() => users.open(link, constants.O_RDWR), { code: 'EACCES' });
    assert.equal(readFileSync(join(directory, 'outside/secret'), 'utf8'), 'secret');
    assert.equal(statSync(join(directory, 'outside/secret')).mode & 0o777, 0o644);
  });

  test('what the guest wrote can be listed alone', () => {
    for (const place of ['guests/d/both', 'guests/d/shown', 'guests/other', 'written/d/both'])
      mkdirSync(join(directory, place), { recursive: true });
    const root = users.enter(guests).node;
    const d = users.lookup(root, 'd')?.node;
    assert.ok(d !== undefined);
    assert.deepEqual(
      [namesIn(root).sort(), namesIn(d).sort()],
      [
        ['d', 'other'],
        ['both', 'shown'],
      ],
    );
    assert.deepEqual([namesIn(root, true), namesIn(d, true)], [['d'], ['both']]);
    const other = users.lookup(root, 'other')?.node;
    assert.deepEqual(other === undefined ? undefined : namesIn(other, true), []);
  });

  test('every file is found again by the next server, under its newest name, and no other is', () => {
    const journal = (first: boolean): NodeJournal => Object.assign(new NodeJournal({ first }), { directory });
    const before = new UserFiles(() => [own, guests], { journal: journal(true) });
    const root = before.enter(guests).node;
    writeFileSync(join(directory, 'guests/f'), 'f');
    mkdirSync(join(directory, 'guests/d/e'), { recursive: true });
    const [d, f] = [before.lookup(root, 'd')?.node, before.lookup(root, 'f')?.node];
    assert.ok(d !== undefined && f !== undefined);
    const e = before.lookup(d, 'e')?.node;
    assert.ok(e !== undefined);
    for (const node of [d, e, f]) before.remember(node);
    before.rename({ parent: root, name: 'f' }, { parent: e, name: 'g\udcff' }, { replace: true });
    before.rename({ parent: root, name: 'd' }, { parent: root, name: 'moved' }, { replace: true });
    const next = new UserFiles(() => [own, guests], { journal: journal(false) });
    assert.deepEqual(next.get(f.nodeid).components(), ['moved', 'e', 'g\udcff']);
    assert.equal(next.stat(next.get(f.nodeid)).size, 1);
    assert.equal(next.get(root.nodeid).backing, guests);
    assert.throws(() => next.get(f.nodeid + 1), { code: 'ESTALE' });
    const another = new UserFiles(() => [own, guests], { journal: journal(true) });
    assert.throws(() => another.get(f.nodeid), { code: 'ESTALE' });
  });

  test('numbers of two guests, of a file system mounted in one, and of 64 bits, are apart', () => {
    const inodes = [1n, 2n, 2n ** 63n + 1n, 2n ** 63n + 2n, 2n ** 62n + 1n].flatMap((ino) =>
      [16, 17, 2 ** 33].flatMap((serial) => [true, false].map((mounted) => ({ serial, mounted, ino }))),
    );
    const nodeids = inodes.map(guestNodeid);
    assert.equal(new Set([...nodeids, guestTopNodeid(16), guestTopNodeid(17)]).size, inodes.length + 2);
    assert.ok(nodeids.every((nodeid) => isGuestFile(nodeid) && isUserFile(nodeid) && guestOfTop(nodeid) === undefined));
    assert.equal(guestOfTop(guestTopNodeid(17)), 17);
    assert.ok(!isGuestFile(userNodeid({ dev: 1, ino: 5, birthtimeNs: 0n })));
  });

  test('a file linked in from elsewhere is a file like another', () => {
    writeFileSync(join(directory, 'guests/f'), '1');
    linkSync(join(directory, 'guests/f'), join(directory, 'guests/g'));
    const root = users.enter(guests).node;
    assert.equal(users.lookup(root, 'f')?.node.nodeid, users.lookup(root, 'g')?.node.nodeid);
  });
});

test('the names of a file are noted and forgotten in any order, the newest first', () => {
  const [one, other] = [new UserNode(1, own, { top: true }), new UserNode(2, own, { top: true })];
  const names = new Names<UserNode>();
  for (let i = 0; i < 50_000; i += 1) assert.equal(names.add(i % 2 === 0 ? one : other, `n${i}`), true);
  assert.equal(names.add(other, 'n49999'), false);
  assert.equal(names.add(one, 'n7'), true);
  assert.deepEqual([names.newest?.parent === one, names.newest?.name], [true, 'n7']);
  for (let i = 0; i < 50_000; i += 3) names.remove(i % 2 === 0 ? one : other, `n${i}`);
  names.remove(one, 'n7');
  assert.equal(names.newest?.name, 'n49999');
  for (let i = 49_999; i >= 0; i -= 1) names.remove(i % 2 === 0 ? one : other, `n${i}`);
  assert.equal(names.newest, undefined);
});
