import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram } from '../../src/cli/run-program.ts';
import { nfio } from '../support/nfio-command.ts';

const checkout = join(import.meta.dirname, '..', '..');
let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nfio-readme-'));
});

after(async () => {
  await nfio('umount', '--destroy', join(directory, 'nfio'));
  await rm(directory, { recursive: true, force: true });
});

/** The commands of the README's tour, in a mount of our own instead of /nfio with its root in /var/lib. */
async function tour(): Promise<string> {
  const page = await readFile(join(checkout, 'README.md'), 'utf8');
  const section = /\n## A tour\n([\s\S]*?)\n## /.exec(page)?.[1] ?? '';
  const blocks = [...section.matchAll(/^```\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
  assert.ok(blocks.length >= 6, 'the tour is in blocks');
  return ['set -e\n', ...blocks]
    .join('')
    .replaceAll('nfio mount /nfio', 'nfio mount --root "$1/root" /nfio')
    .replaceAll(/(?<=[\s])\/nfio\b/g, '"$1/nfio"');
}

test("the README's tour does what the README says", async () => {
  const argv = [
    'env',
    `PATH=${join(checkout, 'bin')}:${process.env['PATH']}`,
    `NFIO_NODE=${process.execPath}`,
    'bash',
    '-c',
    await tour(),
    'bash',
    directory,
  ];
  const { exitCode, stdout, stderr } = await runProgram(argv, { timeoutMs: 40_000 });
  assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' }, stdout);
  assert.match(stdout, /^running\nPING [\s\S]*3 packets transmitted, 3 received, 0% packet loss[\s\S]*\nexit status 124\n/);
  const [received, dropped] = (/exit status 124\n(\d+)\n(\d+)\n/.exec(stdout) ?? []).slice(1).map(Number);
  assert.ok((received ?? 0) >= 6 * 84, `bytes received: ${received}`);
  assert.ok((dropped ?? 0) >= 1, `packets dropped: ${dropped}`);
  assert.match(stdout, /\d+\n\d+\n.*nf_conf line 1: .*\nlan → fw-a → ids-a → wan\nok\n(.*\n){4}lan → ids-a → wan\n$/);
});
