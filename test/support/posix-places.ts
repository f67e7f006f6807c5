import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestMount } from './mount.ts';
import { type ShellOptions, shell } from './shell.ts';

/** What a script of `same` may need besides. */
export interface SameOptions extends ShellOptions {
  /** A program that has to be there. */
  readonly needs?: string;
}

/** Where the scripts run, once the tests have begun. */
interface Places {
  readonly mount: TestMount;
  /** config/ of a VNF. */
  readonly config: string;
  /** A directory of this machine. */
  readonly plain: string;
}

const prelude = `set -u; umask 022; as() { setpriv --reuid "$1" --regid "$1" --clear-groups "\${@:2}"; }
fails() { "$@" 2>&1 >/dev/null | sed -n '$s/.*: //p'; }\n`;

/**
 * Scripts that print the same in a directory of this machine, which shows that the expectation is Linux's, and in config/ of a VNF. Call it once at the top of a test
 * file: it makes the mount and removes it.
 */
export function posixPlaces() {
  const places: { mount: TestMount; config: string; plain: string } = { mount: undefined as never, config: '', plain: '' };
  let count = 0;
  before(async () => {
    places.mount = await TestMount.start();
    await places.mount.run('mkdir -p nf-types/host/h');
    places.config = join(places.mount.path, 'nf-types/host/h/config');
    places.plain = await mkdtemp(join(tmpdir(), 'nfio-plain-'));
    await chmod(places.plain, 0o755);
  });
  after(async () => {
    await places.mount[Symbol.asyncDispose]();
    await rm(places.plain, { recursive: true, force: true });
  });

  /** Lines of what is expected come without their indent. */
  const same = (name: string, script: string, expected: string, options: SameOptions = {}): void => {
    test(name, async (context) => {
      if (options.needs !== undefined && (await shell(`command -v ${options.needs}`)).status !== 0) {
        context.skip(`${options.needs} is not installed: apt-get install ${options.needs}`);
        return;
      }
      count += 1;
      for (const place of [places.plain, places.config]) {
        const cwd = join(place, `t${count}`);
        await mkdir(cwd);
        const result = await shell(prelude + script, { ...options, cwd });
        const wanted = expected === '' ? '' : `${expected.replaceAll(/^ +/gm, '').trim()}\n`;
        const where = place === places.plain ? 'on this machine' : 'in config/';
        assert.deepEqual(
          { where, out: result.stdout, err: result.stderr, status: result.status },
          { where, out: wanted, err: '', status: 0 },
        );
      }
    });
  };

  /** The same for a program in Python. */
  const samePython = (name: string, program: string, expected: string): void => {
    same(name, `python3 - <<'END'\nimport os, fcntl, mmap, errno, subprocess, sys\n${program}\nEND`, expected, { needs: 'python3' });
  };

  return { places: places as Places, same, samePython };
}
