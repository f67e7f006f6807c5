import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { readMountRecords } from '../../src/daemon/mount-record.ts';
import { isAlive } from '../../src/daemon/process-alive.ts';
import { nfioPath } from '../support/nfio-command.ts';
import { type ShellOptions, type ShellResult, shell } from '../support/shell.ts';

/* What a user sees of the processes of a mount when they end, or ought not to. */

const timeoutMs = 120_000;
let directory: string;
let root: string;
let mountpoint: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nfio-ends-'));
});

beforeEach(async () => {
  root = await mkdtemp(join(directory, 'root-'));
  mountpoint = await mkdtemp(join(directory, 'mnt-'));
});

afterEach(async () => {
  if ((await readFile('/proc/self/mountinfo', 'utf8')).includes(mountpoint)) await sh(`cd /; umount -l "$MNT"`);
});

after(async () => {
  await rm(directory, { recursive: true, force: true });
});

function sh(script: string, options: ShellOptions = {}): Promise<ShellResult> {
  const env = { NFIO: nfioPath, NODE: process.execPath, ROOT: root, MNT: mountpoint };
  return shell(script, { timeoutMs, ...options, env });
}

async function run(script: string): Promise<string> {
  const { status, stdout, stderr } = await sh(`set -e; ${script}`);
  assert.equal(status, 0, `${script}\n${stdout}${stderr}`);
  return stdout;
}

const mount = '"$NODE" "$NFIO" mount --root "$ROOT" "$MNT"';
const umount = '"$NODE" "$NFIO" umount "$MNT"';
const oneHost = 'mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action';

/** Kills all processes of the mount's daemon at once, and waits for their end. */
async function killDaemon(): Promise<void> {
  const { supervisorPid = 0, serverPid = 0 } = (await readMountRecords()).get(mountpoint) ?? {};
  for (const pid of [supervisorPid, serverPid]) process.kill(pid, 'SIGKILL');
  for (const pid of [supervisorPid, serverPid]) while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a mount whose processes are all dead', { timeout: 240_000 }, () => {
  test('is taken over by nfio mount, with what runs, also while someone is in it', async () => {
    await run(`${mount}; cd "$MNT"; ${oneHost}; echo 'touch /tmp/here' > nf-types/host/h/command`);
    const inside = spawn('sleep', ['100'], { cwd: mountpoint, stdio: 'ignore' });
    try {
      await killDaemon();
      assert.match((await sh('ls "$MNT"')).stderr, /Software caused connection abort|Transport endpoint is not connected/);
      const { status, stderr } = await sh(mount);
      assert.deepEqual(
        { status, stderr },
        { status: 0, stderr: `nfio: ${mountpoint} was a mount that no process served any more: it is detached.\n` },
      );
      assert.equal(
        await run('cd "$MNT"; cat nf-types/host/h/status; echo "ls /tmp/here" > nf-types/host/h/command; cat nf-types/host/h/command'),
        'running\n/tmp/here\n',
      );
    } finally {
      inside.kill();
    }
    await run(`echo destroy > "$MNT"/nf-types/host/h/action; ${umount}; [ "$(ls -A "$MNT")" = "" ]`);
  });

  test('is unmounted by nfio umount, also while someone is in it', async () => {
    await run(mount);
    const inside = spawn('sleep', ['100'], { cwd: mountpoint, stdio: 'ignore' });
    try {
      await killDaemon();
      await run(`${umount}; ! mountpoint -q "$MNT"`);
    } finally {
      inside.kill();
    }
  });
});

describe('nfio mount right after a plain umount', { timeout: 240_000 }, () => {
  test('waits for the end of the earlier mount, and says so', async () => {
    await run(mount);
    await run(
      'mkdir "$MNT"/nf-types/host; python3 -c "import os; [os.mkdir(os.environ[\'MNT\'] + f\'/nf-types/host/h{n}\') for n in range(2000)]"',
    );
    const { status, stderr } = await sh(`umount "$MNT" && ${mount}`);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^(nfio: Waiting until the earlier mount of .* has ended …\n)?$/);
    assert.equal(await run('ls "$MNT"/nf-types/host | wc -l'), '2000\n');
    await run(umount);
  });

  test('is refused at once while the root is mounted elsewhere, and told where', async () => {
    await run(mount);
    const { status, stderr } = await sh(`mkdir -p "$MNT.b"; "$NODE" "$NFIO" mount --root "$ROOT" "$MNT.b"`);
    assert.equal(status, 1);
    assert.equal(stderr, `nfio: ${root} is in use by another mount. Unmount that: nfio umount ${mountpoint}\n`);
    await run(umount);
  });
});

describe('the end of a terminal', { timeout: 240_000 }, () => {
  const inTerminal = `
import os, pty, signal, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
said = b''
while b'ounted on' not in said: said += os.read(fd, 4096)
os.close(fd)
time.sleep(1)
os.kill(pid, signal.SIGHUP)
time.sleep(1)`;
  for (const [what, option] of Object.entries({ 'nfio mount': '', 'nfio mount --foreground': '--foreground' })) {
    test(`leaves what ${what} mounted`, async () => {
      await run(
        `python3 - "$NODE" "$NFIO" mount ${option} --root "$ROOT" "$MNT" <<'PYTHON'${inTerminal}\nPYTHON\ncd "$MNT"; ${oneHost}; cat nf-types/host/h/status; echo destroy > nf-types/host/h/action`,
      );
      await run(umount);
    });
  }
});

test('a full /run ends neither the mount nor hinders the next server', { timeout: 240_000 }, async () => {
  const script = `set -e
    mkdir -p /run/nfio; mount -t tmpfs -o size=256k tmpfs /run/nfio
    ${mount}; end() { cd /; ${umount} || umount -l "$MNT"; }; trap end EXIT
    cd "$MNT"; ${oneHost}
    cat /dev/zero > /run/nfio/full 2> /dev/null || true
    supervisor=$(sed -n 's/.*"supervisorPid": \\([0-9]*\\).*/\\1/p' /run/nfio/mounts/*.json)
    server() { cut -d ' ' -f 1 /proc/$supervisor/task/$supervisor/children; }
    for turn in 1 2 3; do
      last=$(server); kill -9 $last
      cat nf-types/host/h/status; mkdir nf-types/host/i$turn; echo $turn > nf-types/host/i$turn/config/file; ls nf-types/host/h/rfs/etc/hosts
      [ $(server) != $last ]; sleep 4
    done
    rm /run/nfio/full
    for try in {1..60}; do ! grep -w "\\"serverPid\\": $(server)" /run/nfio/mounts/*.json > /dev/null || break; sleep 0.5; done
    echo $((try < 60))
    echo destroy > nf-types/host/h/action; cat nf-types/host/i*/config/file`;
  const { status, stdout, stderr } = await shell('unshare --mount --propagation private bash -c "$SCRIPT"', {
    timeoutMs,
    env: {
      SCRIPT: script,
      NODE_COMPILE_CACHE: join(directory, 'compiled'),
      NFIO: nfioPath,
      NODE: process.execPath,
      ROOT: root,
      MNT: mountpoint,
    },
  });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, stdout + (await readFile(join(root, 'daemon.log'), 'utf8')));
  assert.match(stdout, /^(running\n.*hosts\n){3}1\n1\n2\n3\n/);
  assert.match(await readFile(join(root, 'daemon.log'), 'utf8'), /nfio status and nfio umount will not know all of this mount: ENOSPC/);
});
