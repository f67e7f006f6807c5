import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { unlessAbsent } from '../../src/errors/index.ts';
import { FollowedFile } from '../../src/tree/followed-file.ts';

let directory: string;
let path: string;
let followed: FollowedFile;
let closed: number[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfio-followed-'));
  path = join(directory, 'events.jsonl');
  writeFileSync(path, '1 one\n2 two\n3 three\n');
  closed = [];
  const open = (): number | undefined => unlessAbsent(() => openSync(path, 'r'));
  followed = new FollowedFile(open() as number, { open, closed: (fd) => closed.push(fd) });
});

afterEach(() => {
  followed.close();
  rmSync(directory, { recursive: true });
});

function readFrom(offset: number, size = 100): string {
  const buffer = Buffer.alloc(size);
  return buffer.toString('latin1', 0, followed.read(buffer, { offset, size }));
}

/** As a log that is cut does. */
function replaceBy(text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

describe('a file that is followed', () => {
  it('is read as it grows', () => {
    assert.equal(readFrom(6), '2 two\n3 three\n');
    appendFileSync(path, '4 four\n');
    assert.equal(followed.size, 27);
    assert.equal(readFrom(20), '4 four\n');
    assert.equal(readFrom(27), '');
  });

  it('goes on after its last line when a shorter one takes its place, which grows', () => {
    assert.equal(readFrom(0), '1 one\n2 two\n3 three\n');
    replaceBy('3 three\n4 four\n');
    assert.equal(followed.size, 27);
    assert.equal(readFrom(20), '4 four\n');
    appendFileSync(path, '5 five\n');
    assert.equal(readFrom(27), '5 five\n');
    assert.equal(readFrom(12), '3 three\n4 four\n5 five\n');
    assert.equal(closed.length, 1);
  });

  it('is read to its end before that, by who lags behind', () => {
    assert.equal(readFrom(0, 6), '1 one\n');
    replaceBy('3 three\n4 four\n');
    assert.equal(readFrom(6), '2 two\n3 three\n');
    assert.equal(readFrom(20), '4 four\n');
  });

  it('is followed over several replacements, also when nothing of the old stays, or there is none for a while', () => {
    readFrom(0);
    replaceBy('3 three\n4 four\n');
    assert.equal(readFrom(20), '4 four\n');
    replaceBy('8 eight\n');
    assert.equal(readFrom(27), '8 eight\n');
    rmSync(path);
    assert.equal(followed.size, 35);
    assert.equal(readFrom(35), '');
    writeFileSync(path, '9 nine\n');
    assert.equal(readFrom(35), '9 nine\n');
    assert.equal(followed.size, 42);
  });

  it('is as it is now for who goes back to what is no more', () => {
    readFrom(0);
    replaceBy('3 three\n4 four\n');
    assert.equal(readFrom(20), '4 four\n');
    assert.equal(readFrom(0), '3 three\n4 four\n');
    assert.equal(followed.size, 15);
  });

  it('closes all that it opened', () => {
    replaceBy('3 three\n4 four\n');
    readFrom(0, 1);
    const before = readdirSync('/proc/self/fd').length;
    followed.close();
    assert.equal(readdirSync('/proc/self/fd').length, before - 2);
    assert.equal(closed.length, 2);
    followed = new FollowedFile(openSync(path, 'r'), { open: () => undefined, closed: () => undefined });
  });
});
