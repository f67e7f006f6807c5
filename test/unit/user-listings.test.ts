import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Request } from '../../src/fuse/request.ts';
import { type Added, UserListings } from '../../src/tree/user-listings.ts';
import { DirectoryNames } from '../../src/vfs/directory-names.ts';

const files = 2500;
let directory: string;
let listings: UserListings;
let opened: number;

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfio-listings-'));
  writeFileSync(join(directory, 'f0'), '');
  for (let number = 1; number < files; number += 1) linkSync(join(directory, 'f0'), join(directory, `f${number}`));
  mkdirSync(join(directory, 'Zür'));
});

after(() => rmSync(directory, { recursive: true, force: true }));

beforeEach(() => {
  listings = new UserListings();
  opened = 0;
});

afterEach(() => listings.close(1));

interface Page {
  readonly names: string[];
  readonly looked: number;
  readonly answered: boolean;
  /** Where the next one begins. */
  readonly next: number;
}

/** One request, with room for `room` names. */
function page(offset: number, options: { readonly room?: number; readonly shows?: (name: string) => boolean } = {}): Page {
  const { room = Number.POSITIVE_INFINITY, shows = () => true } = options;
  const names: string[] = [];
  let [looked, next, answered] = [0, offset, false];
  const put = (name: string, after: number): boolean => {
    if (names.length >= room) return false;
    names.push(name);
    next = after;
    return true;
  };
  const request = {
    nodeid: 1,
    addEntry: (name: string, _ino: number, _type: number, after: number) => put(name, after),
    get listsAny() {
      return names.length > 0;
    },
    replyDirectory: () => {
      answered = true;
    },
  } as unknown as Request;
  const add = (name: string, after: number): Added => {
    looked += 1;
    if (!shows(name)) return 'absent';
    return put(name, after) ? 'added' : 'full';
  };
  const open = (): DirectoryNames => {
    opened += 1;
    return new DirectoryNames(directory);
  };
  const said = listings.reply(request, { fh: 1, offset, open, close: (all) => all[Symbol.dispose](), add });
  assert.equal(said, answered);
  return { names, looked, answered, next };
}

/** All pages from an offset on. */
function rest(offset: number, options?: Parameters<typeof page>[1]): { names: string[]; requests: Page[] } {
  const requests: Page[] = [];
  for (let at = offset; ; ) {
    const got = page(at, options);
    requests.push(got);
    if (got.answered && got.names.length === 0) return { names: requests.flatMap(({ names }) => names), requests };
    at = got.next;
  }
}

describe('a directory of user files', () => {
  test('is listed whole, with a bounded piece of work for each request', () => {
    const { names, requests } = rest(0);
    assert.deepEqual(names.slice(0, 2), ['.', '..']);
    assert.deepEqual(names.slice(2).sort(), readdirSync(directory).sort());
    assert.ok(requests.every(({ looked }) => looked <= 128));
    assert.equal(opened, 1);
  });

  test('where a small buffer took only some, goes on after those', () => {
    const { names } = rest(0, { room: 7 });
    assert.equal(new Set(names).size, files + 3);
    assert.equal(names.length, files + 3);
  });

  test('with names that are not shown is not taken for ended, nor looked through at once', () => {
    const { names, requests } = rest(0, { shows: (name) => name === 'Zür' });
    assert.deepEqual(names, ['.', '..', 'Zür']);
    assert.ok(requests.every(({ looked }) => looked <= 128));
    assert.ok(requests.some(({ answered }) => !answered));
  });

  test('is gone through in parts on the way to a far position', () => {
    const wanted = rest(0).names.slice(2302);
    listings.close(1);
    const got = page(2302);
    assert.deepEqual([got.answered, got.names, got.looked], [false, [], 0]);
    assert.deepEqual(rest(2302).names, wanted);
    assert.deepEqual(rest(1e15).names, []);
  });

  test('keeps the place of every name while others are removed', () => {
    const first = page(0);
    const second = page(first.next);
    for (const name of readdirSync(directory).filter((_, index) => index % 2 === 0)) rmSync(join(directory, name), { recursive: true });
    assert.deepEqual(page(first.next).names, second.names);
    assert.deepEqual(page(1).names.slice(1), first.names.slice(2).concat(second.names.slice(0, 1)));
    assert.equal(opened, 1);
    assert.equal(rest(0).names.length, files / 2 + 2);
    assert.equal(opened, 2);
  });
});
