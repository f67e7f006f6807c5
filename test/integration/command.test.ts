import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { nfio } from '../support/nfio-command.ts';

describe('command', () => {
  let mount: TestMount;
  const host = 'nf-types/host/h';

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir -p ${host}; echo activate > ${host}/action`);
  });
  after(() => mount[Symbol.asyncDispose]());

  /** What a script in the VNF's directory prints, and then what `command` shows. */
  async function output(script: string): Promise<string> {
    const { stdout, stderr } = await mount.sh(`cd ${host}; ${script}`);
    return stdout + stderr;
  }

  test('runs a script that comes line by line in one shell, in order', async () => {
    const script = `{ echo 'cd /tmp'; echo 'word=kept'; echo 'for i in 1 2'; echo 'do echo $i $word'; echo done; echo pwd; } > command; cat command`;
    assert.equal(await output(script), '1 kept\n2 kept\n/tmp\n');
  });

  test('waits for the end of what a line begins: here-document, string, continued line, function', async () => {
    assert.equal(await output(`{ echo 'cat <<E'; echo 'if ('; echo E; echo echo after; } > command; cat command`), 'if (\nafter\n');
    assert.equal(await output(`{ echo 'echo "one'; echo 'two"'; } > command; cat command`), 'one\ntwo\n');
    assert.equal(await output(`{ echo 'echo one \\'; echo ' two'; } > command; cat command`), 'one two\n');
    assert.equal(await output(`{ echo 'f() {'; echo '  echo in f'; echo '}'; echo f; } > command; cat command`), 'in f\n');
  });

  test('is the same in whatever pieces it comes', async () => {
    const text = Array.from({ length: 400 }, (_, line) => `echo line ${line} "$(printf '%s' ${line})"`).join('\n');
    const wanted = `${Array.from({ length: 400 }, (_, line) => `line ${line} ${line}`).join('\n')}\n`;
    for (const bytes of [7, 512, 4096, 1 << 20]) {
      const script = `import os\nf = os.open('${mount.path}/${host}/command', os.O_WRONLY)\nt = '''${text}\n'''.encode()\nfor at in range(0, len(t), ${bytes}): os.write(f, t[at:at + ${bytes}])\nos.close(f)`;
      const { status, stderr } = await mount.sh(`python3 - <<'PY'\n${script}\nPY`, { timeoutMs: 60_000 });
      assert.equal(status, 0, stderr);
      assert.equal(await mount.run(`cat ${host}/command`), wanted, `in pieces of ${bytes} bytes`);
    }
  });

  test('answers each command with its own status, and goes on', async () => {
    const statuses = await output(
      'exec 3> command; echo true >&3; echo $?; echo "(exit 7)" >&3; echo $?; cat error; echo true >&3; echo $?; cat error',
    );
    assert.match(statuses, /^0\n1\ncommand: exit status 7; its output is in the file command\n0\n/);
  });

  test('runs at the close what does not end a line; close tells its status', async () => {
    assert.equal(await output(`printf 'echo no newline' > command; cat command`), 'no newline\n');
    const python = `f = open('command', 'w'); f.write('exit 9')\ntry: f.close()\nexcept OSError as e: print(e.errno)`;
    assert.equal(await output(`python3 - <<'PY'\n${python}\nPY`), '5\n');
    assert.equal(await output('cat error'), 'command: exit status 9; its output is in the file command\n');
    await output("echo 'exit 255' > command || true");
    assert.equal(await output('cat error'), 'command: exit status 255; its output is in the file command\n');
    assert.equal(await output(`{ printf 'echo one'; sleep 0.1; printf ' two\\n'; } > command; cat command`), 'one two\n');
  });

  test('goes on after a continue or a break that belongs to no loop', async () => {
    for (const word of ['continue', 'break', 'true; continue', 'false; break']) {
      const script = `{ echo 'word=kept'; echo '${word}' && echo 'echo $word'; } > command; cat command`;
      assert.equal(await output(script), 'kept\n', word);
    }
    assert.equal(await output(`{ echo 'printf() { :; }'; echo 'echo after'; } > command; cat command`), 'after\n');
  });

  test('waits for no shell that was told to carry nothing out, nor for one whose own words were taken away', {
    timeout: 120_000,
  }, async () => {
    assert.match(await output(`{ echo 'set -n'; echo 'echo two'; } > command; cat error`), /the shell of this descriptor has ended/);
    assert.equal(await output(`echo 'set -n; echo one' > command; cat command error`), '');
    for (const word of ['command', 'read', 'head', 'printf', 'echo', 'test']) {
      const script = `{ echo '${word}() { false; }'; echo 'cat <<E'; echo after; echo E; echo ls -d /tmp; } > command; cat command`;
      assert.equal(await output(script), 'after\n/tmp\n', word);
    }
    for (const line of ['PATH=; word=$(:)', 'IFS=0123456789', 'set -u', 'set -f', 'unset nfio_mark', 'exec 3<&- 4>&-', 'exec >&2 2>&1']) {
      const script = `{ echo '${line}'; echo '/bin/cat <<E'; echo after; echo E; } > command; cat command`;
      assert.equal(await output(script), 'after\n', line);
    }
    assert.match(
      await output(`{ echo 'readonly nfio_status'; echo 'echo two'; } > command; cat error`),
      /^command: exit status 2|has ended/,
    );
  });

  test('shows a mark that the command printed itself, and all that follows it', async () => {
    const mark = `mark=$(tr -cs 0-9a-f "\\n" < /proc/$$/cmdline | grep -m1 -xE "[0-9a-f]{32}")`;
    const script = `echo '${mark}; printf %s "$mark"; head -c 30000000 /dev/zero; printf "%s x" "$mark"' > command; echo $?; wc -c < command`;
    assert.equal(await output(script), `0\n${30_000_000 + 2 * 32 + 2}\n`);
  });

  test('that was not complete when its writer was killed does not run', async () => {
    const cut = (line: string): string =>
      `python3 -c "import os; f = os.open('command', os.O_WRONLY); os.write(f, b'${line}'); os.kill(os.getpid(), 9)"`;
    await output(`echo 'rm -f /tmp/ran' > command; ${cut('touch /tmp/ran')}; echo 'ls /tmp/ran' > command`);
    assert.match(await output('cat command'), /No such file/);
    const parent = `exec 3> command; (printf 'touch /tmp/r' >&3; kill -9 $BASHPID); echo 'echo on' >&3; exec 3>&-; cat command`;
    assert.match(await output(parent), /^on$/m);
  });

  test('that is no shell language is told when the file is closed, and does nothing before', async () => {
    assert.match(
      await output(`{ echo 'echo before'; echo 'if )'; } > command; cat command error`),
      /^before\n.*[Ss]yntax error.*\ncommand: exit status 2;/s,
    );
  });

  test('after exit there is no more to be run through the same descriptor', async () => {
    const text = await output(`{ echo 'echo one; exit 0'; echo 'echo two'; } > command; cat command error`);
    assert.match(text, /^one\ncommand: the shell of this descriptor has ended.*\nbash: .*write error: Input\/output error\n$/);
  });

  test('takes a mebibyte, and nothing of more', async () => {
    assert.equal(await output(`{ printf ': '; head -c 1048000 /dev/zero | tr '\\0' x; echo; } > command; echo $?; cat error`), '0\n');
    await output('echo "rm -f /tmp/ran" > command');
    const long = `f = os.open("command", os.O_WRONLY); os.write(f, b"touch /tmp/ran\\n" * 100000)\ntry: os.close(f)\nexcept OSError as e: print(e.errno)`;
    assert.equal(await output(`python3 - <<'PY'\nimport os\n${long}\nPY`), '27\n');
    assert.match(await output('cat error'), /^command: a command has at most 1048576 bytes/);
    await output("echo 'ls /tmp/ran' > command");
    assert.match(await output('cat command'), /No such file/);
  });

  test('leaves no shell in the guest once it is closed', async () => {
    const shells = (): Promise<string> => output("sleep 0.3; echo 'pgrep -fc nfio_mark' > command; cat command");
    const before = await shells();
    await output('for i in 1 2 3 4 5 6 7 8 9; do echo true > command; done');
    assert.equal(await shells(), before);
  });
});

describe('nfio save', () => {
  let mount: TestMount;
  before(async () => {
    mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/firewall/fw; echo activate > nf-types/firewall/fw/action');
  });
  after(() => mount[Symbol.asyncDispose]());

  test('puts a configuration in force, or says why not and leaves all as it was', async () => {
    const fw = `${mount.path}/nf-types/firewall/fw`;
    const rules = 'table inet filter {\n  chain saved {\n  }\n}\n';
    await mount.run(`printf '%s' '${rules}' > ${mount.root}.new; echo 'table inet filter { nonsense }' > ${mount.root}.bad`);
    try {
      assert.deepEqual(await nfio('save', fw, `${mount.root}.new`), { status: 0, out: 'saved, and in force\n', err: '' });
      assert.equal(await mount.run(`cat ${fw}/config/.applied/nf_conf`), rules);
      await mount.run('mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action');
      assert.match(
        (await nfio('save', `${mount.path}/nf-types/host/h`, `${mount.root}.new`)).out,
        /^saved as a file: .* have no configuration/,
      );
      const { status, err } = await nfio('save', fw, `${mount.root}.bad`);
      assert.equal(status, 1);
      assert.match(err, /save: nf_conf line 1: syntax error/);
      assert.equal(await mount.run(`cat ${fw}/config/nf_conf; ls -A ${fw}/config`), `${rules}.applied\nnf_conf\n`);
      assert.match((await nfio('save', `${mount.path}/nf-types`, `${mount.root}.new`)).err, /is no VNF/);
      await mount.run('mkdir chns/web');
      assert.match((await nfio('save', `${mount.path}/chns/web`, `${mount.root}.new`)).err, /chns\/web is no VNF/);
      assert.match(
        (await nfio('save', fw, '/nowhere/rules')).err,
        /^nfio: \/nowhere\/rules was not saved: there is no such file\. Give a file/,
      );
      assert.match((await nfio('save', fw, '/tmp')).err, /^nfio: \/tmp was not saved: it is a directory\. /);
    } finally {
      await mount.sh(`rm ${mount.root}.new ${mount.root}.bad`);
    }
  });
});
