import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { readMountRecords } from '../../src/daemon/mount-record.ts';
import { shell } from '../support/shell.ts';

/* Limits of open files: no record is lost for them, no guest taken for dead, and no user takes what the others need. */

const nfio = resolve(import.meta.dirname, '../../bin/nfio');
const limit = 256;

/** A root, and a mountpoint that is mounted under a small limit of open files, as from a shell that has it. */
class SmallMount implements AsyncDisposable {
  readonly #directory: string;
  readonly root: string;
  readonly path: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.root = join(directory, 'root');
    this.path = join(directory, 'mnt');
  }

  static async start(): Promise<SmallMount> {
    const mount = new SmallMount(await mkdtemp(join(tmpdir(), 'nfio-test-')));
    await chmod(mount.#directory, 0o755);
    await mkdir(mount.path);
    await mount.mount();
    return mount;
  }

  /** @returns what it said on standard error. */
  async mount(): Promise<string> {
    const { stdout, stderr } = await promisify(execFile)('bash', [
      '-c',
      `ulimit -n ${limit}; "$0" mount --root "$1" "$2"`,
      nfio,
      this.root,
      this.path,
    ]);
    assert.equal(stdout, '');
    return stderr;
  }

  async unmount(): Promise<void> {
    await promisify(execFile)(nfio, ['umount', this.path]);
  }

  async run(script: string, timeoutMs = 120_000): Promise<string> {
    const { status, stdout, stderr } = await shell(`set -e; ${script}`, { cwd: this.path, timeoutMs });
    const log = await readFile(join(this.root, 'daemon.log'), 'utf8');
    assert.equal(status, 0, `status ${status} of: ${script}\n${stdout}${stderr}${log.slice(-3000)}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await shell('for a in nf-types/*/*/action; do grep -q destroy $a && echo destroy > $a; done', { cwd: this.path, timeoutMs: 120_000 });
      await this.unmount();
    } finally {
      await rm(this.#directory, { recursive: true, force: true });
    }
  }
}

describe('at a limit of 256 open files', { timeout: 600_000 }, () => {
  test('a remount with 600 instances loses none', async () => {
    await using mount = await SmallMount.start();
    await mount.run('mkdir nf-types/host; for i in $(seq 600); do mkdir nf-types/host/h$i; done');
    await mount.unmount();
    assert.equal(await mount.mount(), '');
    assert.equal(await mount.run('ls nf-types/host | grep -c ^h'), '600\n');
    assert.equal(await mount.run('cat nf-types/host/*/status | sort | uniq -c | xargs'), '600 undeployed\n');
  });

  test('a record that cannot be read keeps its place, and the mount says so', async () => {
    await using mount = await SmallMount.start();
    await mount.run('mkdir -p nf-types/host/a nf-types/host/b networks/lan; echo mine > nf-types/host/a/config/file');
    const saved = await readFile(join(mount.root, 'nf-types/host/a/.record.json'));
    await mount.unmount();
    await writeFile(join(mount.root, 'nf-types/host/a/.record.json'), 'torn');
    assert.match(await mount.mount(), /nf-types\/host\/a: its record cannot be read .*JSON.*\n.*grep 'cannot be read' .*daemon\.log/);
    assert.equal(await mount.run('cat nf-types/host/*/status nf-types/host/a/config/file'), 'unreadable\nundeployed\nmine\n');
    assert.match(await mount.run('cat nf-types/host/a/error; grep unreadable events'), /record cannot be read.*\n.*nf-types\/host\/a/);
    const refused =
      'if echo 64M > nf-types/host/a/machine/vm.memory; then exit 1; fi; if rmdir nf-types/host/a; then exit 1; fi; if mkdir nf-types/host/a; then exit 1; fi';
    await mount.run(`(${refused}; if echo activate > nf-types/host/a/action; then exit 1; fi) 2> /dev/null`);
    await mount.unmount();
    await writeFile(join(mount.root, 'nf-types/host/a/.record.json'), saved);
    assert.equal(await mount.mount(), '');
    assert.equal(
      await mount.run('cat nf-types/host/*/status nf-types/host/a/config/file; echo 64M > nf-types/host/a/machine/vm.memory'),
      'undeployed\nundeployed\nmine\n',
    );
  });

  test('who opens one file often gets EMFILE; guests run on, and others open what they want', async () => {
    await using mount = await SmallMount.start();
    await mount.run(`for i in 1 2 3; do mkdir -p nf-types/host/h$i; echo activate > nf-types/host/h$i/action; done
      echo mine > nf-types/host/h1/config/file; chmod 755 nf-types/host/h1 nf-types/host/h1/config; chmod 644 nf-types/host/h1/config/file`);
    const glutton = `
import errno, os, resource, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
os.setuid(int(sys.argv[2])); held = []; said = None
for _ in range(3000):
    try: held.append(os.open(sys.argv[1], os.O_RDONLY))
    except OSError as e: said = e.errno; break
print(len(held) > 10, errno.errorcode.get(said), flush=True)
sys.stdin.read()`;
    const script = `set +e; coproc G { python3 -c '${glutton}' nf-types/host/h1/config/file 77; }; read -r said <&\${G[0]}; echo $said
      coproc2() { python3 -c '${glutton}' nf-types/host/h1/config/file 78; }; coproc2 < /dev/null
      sleep 3; cat nf-types/host/*/status nf-types/host/h1/config/file; echo 'echo up' > nf-types/host/h2/command; cat nf-types/host/h2/command
      mkdir nf-types/host/h4; echo activate > nf-types/host/h4/action; cat nf-types/host/h4/status; kill $G_PID; wait; cat nf-types/host/*/status | uniq -c | xargs`;
    const said = await mount.run(script);
    assert.equal(said, 'True EMFILE\nTrue EMFILE\nrunning\nrunning\nrunning\nmine\nup\nrunning\n4 running\n');
  });

  test('a server that can open nothing at all takes no guest for dead, and goes on when it can', async () => {
    await using mount = await SmallMount.start();
    await mount.run(
      'for i in 1 2 3; do mkdir -p nf-types/host/h$i; echo activate > nf-types/host/h$i/action; done; exec 3< nf-types/host/h1/status',
    );
    const records = await readMountRecords();
    const { serverPid } = records.get(mount.path) ?? {};
    const limitTo = (most: number): Promise<unknown> =>
      promisify(execFile)('prlimit', ['--pid', `${serverPid}`, `--nofile=${most}:${limit}`]);
    await limitTo(3);
    assert.match(
      await mount.run('cat nf-types/host/h1/stats/rx_bytes 2>&1 || true; ls nf-types/host/h1/config/ 2>&1 || true'),
      /Too many open files/,
    );
    // The watcher looks at the very processes about once in a second.
    await mount.run('sleep 4');
    const whileShort = await mount.run('cat nf-types/host/*/status');
    await limitTo(limit);
    assert.equal(whileShort, 'running\n'.repeat(3));
    await mount.run('sleep 2');
    assert.equal(
      await mount.run('cat nf-types/host/*/status; echo hostname > nf-types/host/h2/command; cat nf-types/host/h2/command'),
      `${'running\n'.repeat(3)}h2\n`,
    );
    assert.equal(
      await mount.run(
        'kill -9 $(cat nf-types/host/h3/machine/vm.id); while grep -q running nf-types/host/h3/status; do sleep 0.1; done; cat nf-types/host/h3/status',
      ),
      'exited (137)\n',
    );
  });
});
