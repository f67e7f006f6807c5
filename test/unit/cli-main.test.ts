import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { commands } from '../../src/cli/commands/index.ts';
import { completionScript } from '../../src/cli/completion.ts';
import { main } from '../../src/cli/main.ts';

const root = join(import.meta.dirname, '..', '..');

async function nfio(...argv: readonly string[]): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  const written = { out: '', err: '' };
  const status = await main(argv, {
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    interactive: false,
  });
  return { status, ...written };
}

describe('nfio', () => {
  test('--version is that of package.json', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    assert.deepEqual(await nfio('--version'), { status: 0, out: `nfio ${version}\n`, err: '' });
  });

  test('without a command it shows help and fails', async () => {
    const { status, out, err } = await nfio();
    assert.equal(status, 2);
    assert.equal(out, '');
    for (const command of commands) assert.match(err, new RegExp(`^ {2}${command.name} `, 'm'));
  });

  test('every command has help with examples, by help NAME and by NAME --help alike', async () => {
    for (const { name } of commands) {
      const help = await nfio('help', name);
      assert.equal(help.status, 0);
      assert.match(help.out, new RegExp(`Usage: nfio ${name} [^]*Examples:\\n {2}\\S`));
      assert.deepEqual(await nfio(name, '--help'), help);
    }
  });

  test('a mistake is exit status 2, a sentence and where to read on', async () => {
    assert.deepEqual(await nfio('mout', '/nfio'), {
      status: 2,
      out: '',
      err: 'nfio: There is no command mout. Did you mean mount?\nSee: nfio help\n',
    });
    const { status, err } = await nfio('mount', '--rot', '/x', '/nfio');
    assert.equal(status, 2);
    assert.equal(err, 'nfio: --rot is not an option of nfio mount. Did you mean --root?\nSee: nfio help mount\n');
  });

  test('options may come before the command', async () => {
    assert.deepEqual(await nfio('--json', 'completion', 'tcsh'), await nfio('completion', '--json', 'tcsh'));
    assert.match((await nfio('--attr-timeout', 'x', 'mount', '/nfio')).err, /^nfio: --attr-timeout is a whole number/);
  });

  test('help of help is the general help', async () => {
    assert.deepEqual(await nfio('help', 'help'), await nfio('help'));
    assert.equal((await nfio('help', 'help')).status, 0);
  });

  test("the original prototype's flags mean mount", async () => {
    assert.match((await nfio('--nfio_root', '/r', '--nfio_mount')).err, /--nfio_mount needs a value.*\nSee: nfio help mount\n/);
    assert.match((await nfio('--nfio_root', '/r')).err, /nfio mount needs MOUNTPOINT/);
  });

  test('a mount that is not there is exit status 1 and a sentence', {
    skip: process.getuid?.() === 0 ? false : 'umount needs root',
  }, async () => {
    const { status, err } = await nfio('umount', '/proc/self');
    assert.equal(status, 1);
    assert.match(err, /^nfio: \/proc\/self is not mounted\. See the mounts of nf\.io with: nfio status\n$/);
  });
});

describe('completion', () => {
  test('the bash script is bash, and completes commands, options, choices and shells', () => {
    const script = completionScript('bash', commands, ['firewall', 'proxy']);
    const complete = (...words: readonly string[]): string[] => {
      const ask = 'eval "$(cat)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nfio; printf "%s\\n" "${COMPREPLY[@]}"';
      const result = spawnSync('bash', ['-c', ask, 'bash', ...words], { input: script, encoding: 'utf8' });
      assert.equal(result.stderr, '');
      return result.stdout.trim().split('\n');
    };
    assert.deepEqual(complete('nfio', 'um'), ['umount']);
    assert.deepEqual(complete('nfio', 'umount', '--l'), ['--lazy']);
    assert.deepEqual(complete('nfio', 'mount', '--hypervisor', 'l'), ['libvirt']);
    assert.deepEqual(complete('nfio', 'completion', 'z'), ['zsh']);
    assert.deepEqual(complete('nfio', 'images', 'build', 'p'), ['proxy']);
    assert.deepEqual(complete('nfio', 'help', 'h'), ['help']);
  });

  test('what an option takes is completed to what it may be, and to nothing where that is not known', () => {
    const script = completionScript('bash', commands, ['firewall', 'proxy']);
    const directory = mkdtempSync(join(tmpdir(), 'nfio-completion-'));
    try {
      mkdirSync(join(directory, 'a directory'));
      writeFileSync(join(directory, 'a file'), '');
      const complete = (...words: readonly string[]): string[] => {
        const ask = 'eval "$(cat)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nfio; printf "%s\\n" "${COMPREPLY[@]}"';
        return spawnSync('bash', ['-c', ask, 'bash', ...words], { input: script, encoding: 'utf8', cwd: directory })
          .stdout.trim()
          .split('\n')
          .sort();
      };
      assert.deepEqual(complete('nfio', 'images', '--host', ''), ['']);
      assert.deepEqual(complete('nfio', 'mount', '--root', ''), ['a directory']);
      assert.deepEqual(complete('nfio', 'mount', '--docker-socket', ''), ['a directory', 'a file']);
      assert.deepEqual(complete('nfio', 'save', ''), ['a directory', 'a file']);
      assert.deepEqual(complete('nfio', 'mount', ''), ['a directory']);
      assert.deepEqual(complete('nfio', 'images', ''), ['build', 'firewall', 'list', 'proxy']);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('every listed option is in each script', () => {
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      const script = completionScript(shell, commands, ['firewall']);
      for (const option of ['root', 'hypervisor', 'destroy', 'json'])
        assert.match(script, new RegExp(`(--|-l )${option}\\b`), `${shell} ${option}`);
      assert.doesNotMatch(script, /nfio_mount/);
    }
  });
});
