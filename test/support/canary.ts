import { deepEqual, equal } from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What is in the files of a canary. */
const secret = 'SECRET of the machine';

const files = ['secret', 'victim'];

/** A directory of the machine, which guests try to reach through nf.io. What is in it would be anyone's, could they get there. */
export class Canary implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'nfio-canary-'));

  constructor() {
    chmodSync(this.path, 0o700);
    for (const file of files) writeFileSync(join(this.path, file), secret);
    for (const file of files) chmodSync(join(this.path, file), 0o666);
    mkdirSync(join(this.path, 'empty'));
    chmodSync(join(this.path, 'empty'), 0o777);
  }

  /** @throws AssertionError when anything in it is not as it was. */
  assertUntouched(): void {
    for (const file of files) {
      equal(readFileSync(join(this.path, file), 'utf8'), secret);
      equal(statSync(join(this.path, file)).mode & 0o7777, 0o666);
    }
    deepEqual(readdirSync(this.path).sort(), ['empty', ...files]);
  }

  /** For the texts of scripts. */
  toString(): string {
    return this.path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
