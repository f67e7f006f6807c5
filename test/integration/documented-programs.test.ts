import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { runProgram } from '../../src/cli/run-program.ts';
import { isMounted } from '../../src/fuse/mount-info.ts';
import { nfio } from '../support/nfio-command.ts';

const checkout = join(import.meta.dirname, '..', '..');
let directory: string;
let mountpoint: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nfio-programs-'));
  mountpoint = join(directory, 'nfio');
  await mkdir(mountpoint);
});

afterEach(async () => {
  // VNFs outlive a program that mounts.
  await nfio('mount', '--root', join(directory, 'root'), mountpoint);
  await nfio('umount', '--destroy', mountpoint);
  await rm(directory, { recursive: true, force: true });
});

/** The programs of a page, with a directory of ours in place of /nfio, /var/lib/nfio and /var/tmp. */
async function programsOf(page: string): Promise<readonly string[]> {
  const text = await readFile(join(checkout, page), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, program = '']) =>
    program
      .replaceAll("'nfio'", `'${join(checkout, 'src/index.ts')}'`)
      .replaceAll("mountpoint: '/nfio'", `mountpoint: '${mountpoint}', root: '${join(directory, 'root')}'`)
      .replaceAll('/var/tmp/', `${directory}/`),
  );
}

async function run(program: string): Promise<string> {
  assert.ok(program.includes(directory), 'it touches nothing of the machine');
  const path = join(directory, 'program.ts');
  await writeFile(path, program);
  const { exitCode, stdout, stderr } = await runProgram([process.execPath, path], { timeoutMs: 40_000 });
  assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
  return stdout;
}

describe('programs in the documentation run as they stand', { timeout: 120_000 }, () => {
  test('README.md', async () => {
    const programs = await programsOf('README.md');
    assert.equal(programs.length, 1);
    assert.equal(await run(programs[0] ?? ''), '0\n');
    assert.equal(isMounted(mountpoint), false);
  });

  test('docs/original-api.md', async () => {
    const [mounting = '', driving = '', ...more] = await programsOf('docs/original-api.md');
    assert.equal(more.length, 0);
    assert.equal(await run(mounting), '0\n');
    assert.equal(isMounted(mountpoint), false);
    assert.equal(await run(driving), 'g\n\n');
  });
});
