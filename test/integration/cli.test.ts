import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findMount } from '../../src/cli/mounts.ts';
import { runProgram } from '../../src/cli/run-program.ts';
import { isAlive } from '../../src/daemon/process-alive.ts';
import { isMounted as isMountedAt } from '../../src/fuse/mount-info.ts';
import { nfio, nfioPath } from '../support/nfio-command.ts';

let directory: string;
let mountpoint: string;
let root: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nfio-cli-'));
});

after(() => rm(directory, { recursive: true, force: true }));

beforeEach(async () => {
  mountpoint = join(directory, 'mnt');
  root = join(directory, 'root');
  await mkdir(mountpoint);
});

afterEach(async () => {
  if ((await findMount(mountpoint)) !== undefined) {
    const result = await nfio('umount', '--destroy', mountpoint);
    if (result.status !== 0) await runProgram(['umount', '--lazy', mountpoint], { timeoutMs: 5000 });
  }
  await rm(root, { recursive: true, force: true });
  await rm(mountpoint, { recursive: true, force: true });
});

async function mount(...options: readonly string[]): Promise<void> {
  const result = await nfio('mount', '--root', root, ...options, mountpoint);
  assert.deepEqual({ status: result.status, err: result.err }, { status: 0, err: '' });
}

/** Unmounts, which says nothing but what it waits for where the disk is busy. */
async function unmountQuietly(...options: readonly string[]): Promise<void> {
  const { status, out, err } = await nfio('umount', ...options, mountpoint);
  assert.deepEqual({ status, out }, { status: 0, out: '' }, err);
  assert.match(err, /^(Waiting until all that was made is written to .*\n)?$/);
}

async function isMounted(): Promise<boolean> {
  return isMountedAt(mountpoint);
}

describe('nfio mount and umount', () => {
  test('mount returns when the tree is there; umount when the processes are gone', async () => {
    await mount();
    assert.deepEqual((await readdir(mountpoint)).filter((name) => name === 'nf-types' || name === 'networks').sort(), [
      'networks',
      'nf-types',
    ]);
    const record = (await findMount(mountpoint))?.record;
    assert.ok(record !== undefined && isAlive(record.supervisorPid) && isAlive(record.serverPid));
    assert.equal(record.root, root);

    await unmountQuietly();
    assert.equal(await isMounted(), false);
    assert.deepEqual([isAlive(record.supervisorPid), isAlive(record.serverPid)], [false, false]);
    assert.deepEqual(await readdir(mountpoint), []);
  });

  test("the original prototype's flags mount as well", async () => {
    const result = await nfio('--nfio_root', root, '--nfio_mount', mountpoint, '--log_level', 'WARNING');
    assert.deepEqual({ status: result.status, err: result.err }, { status: 0, err: '' });
    assert.equal(await isMounted(), true);
  });

  test('in the foreground it says so, stays until a signal ends it, and then unmounts', async () => {
    const argv = [nfioPath, 'mount', '--foreground', '--root', root, mountpoint];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    const said = text(child.stderr);
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
    const deadline = Date.now() + 10_000;
    while ((await findMount(mountpoint)) === undefined) {
      assert.ok(Date.now() < deadline, 'it mounts');
      await sleep(20);
    }
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.equal(await isMounted(), false);
    assert.match(
      await said,
      new RegExp(`^nfio: mounted on ${mountpoint}, with state in ${root}\\. Ctrl-C unmounts; VNFs keep running\\.$`, 'm'),
    );
  });

  test('a symbolic link names the directory it leads to, for mount and umount', async () => {
    const link = join(directory, 'link');
    await symlink(mountpoint, link);
    assert.equal((await nfio('mount', '--root', root, link)).status, 0);
    assert.equal(await isMounted(), true);
    assert.equal((await nfio('umount', link)).status, 0);
    assert.equal(await isMounted(), false);
  });

  test('what cannot be a mountpoint is said in a sentence, and nothing is mounted', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    await writeFile(join(mountpoint, 'something'), '');
    const refusals: readonly (readonly [string, RegExp])[] = [
      [join(directory, 'nothing'), /nothing does not exist\. Make it: mkdir -p /],
      [file, /file is not a directory\./],
      [mountpoint, /mnt is not empty; a mount would hide its files\./],
      ['/proc', /\/proc has something mounted on it already\./],
    ];
    for (const [path, sentence] of refusals) {
      const result = await nfio('mount', '--root', root, path);
      assert.equal(result.status, 1, path);
      assert.match(result.err, sentence);
    }
    assert.equal(await isMounted(), false);
    assert.equal(existsSync(root), false);
  });

  test('a root or a module directory that cannot be one is said in a sentence', async () => {
    const file = join(directory, 'plain');
    await writeFile(file, '');
    const badRoot = await nfio('mount', '--root', file, mountpoint);
    assert.deepEqual(badRoot, {
      status: 1,
      out: '',
      err: `nfio: The root ${file} is not a directory. Choose another root directory.\n`,
    });
    const noRoot = await nfio('mount', '--root', '/proc/no/root', mountpoint);
    assert.match(noRoot.err, /^nfio: The root \/proc\/no\/root cannot be made: ENOENT\. Choose another root directory\.\n$/);
    const badModules = await nfio('mount', '--root', root, '--modules', file, mountpoint);
    assert.match(badModules.err, /^nfio: .*plain is not a directory of modules\. Check its name, or make it: mkdir -p /);
    assert.equal(await isMounted(), false);
  });

  test('a second mount of the same root is refused', async () => {
    await mount();
    const second = join(directory, 'second');
    await mkdir(second);
    const result = await nfio('mount', '--root', root, second);
    assert.equal(result.status, 1);
    assert.match(result.err, /^nfio: .*(in use|another mount)/);
    assert.deepEqual(await readdir(second), []);
  });

  test('a mount that is in use stays, with a sentence; --lazy detaches it', async () => {
    await mount();
    const record = (await findMount(mountpoint))?.record;
    const user = spawn('sleep', ['60'], { cwd: mountpoint, stdio: 'ignore' });
    try {
      const busy = await nfio('umount', mountpoint);
      assert.equal(busy.status, 1);
      assert.match(busy.err, /^nfio: .*mnt is in use by sleep \(process \d+\)\. Leave it \(cd \/\), or detach it: nfio umount --lazy /);
      assert.equal(await isMounted(), true);

      const lazy = await nfio('umount', '--lazy', mountpoint);
      assert.equal(lazy.status, 0);
      assert.match(lazy.out, /mnt is detached; its processes end when nothing uses it any more\.\n$/);
      assert.equal(await isMounted(), false);
    } finally {
      user.kill();
      await new Promise((resolve) => user.once('exit', resolve));
    }
    const deadline = Date.now() + 5000;
    while (record !== undefined && (isAlive(record.supervisorPid) || isAlive(record.serverPid))) {
      assert.ok(Date.now() < deadline, 'the processes end with the last user');
      await sleep(20);
    }
  });

  test('nfio umount that is started in the mount does not keep it in use itself', async () => {
    await mount();
    const argv = ['env', '-C', mountpoint, process.execPath, nfioPath, 'umount', '--destroy', mountpoint];
    const { exitCode, stderr } = await runProgram(argv, { timeoutMs: 60_000 });
    assert.equal(exitCode, 0, stderr);
    assert.equal(await isMounted(), false);
  });

  test('right after thousands of mkdir, a mount that nobody uses is unmounted, and waited for while they are written', {
    timeout: 180_000,
  }, async () => {
    await mount();
    const script = 'import os, sys\nfor n in range(4000): os.mkdir(f"{sys.argv[1]}/nf-types/host/h{n}")';
    await mkdir(join(mountpoint, 'nf-types/host'));
    assert.equal((await runProgram(['python3', '-c', script, mountpoint], { timeoutMs: 90_000 })).exitCode, 0);
    const { status, err } = await nfio('umount', mountpoint);
    assert.equal(status, 0, err);
    assert.match(err, /^(Waiting until all that was made is written to .*\n)?$/);
    assert.equal(await isMounted(), false);
  });

  test('a mount that is in use keeps its VNFs: --destroy destroys nothing then', async () => {
    await mount();
    const host = join(mountpoint, 'nf-types', 'host', 'h');
    await mkdir(host, { recursive: true });
    await writeFile(join(host, 'action'), 'activate\n');
    const user = spawn('sleep', ['60'], { cwd: mountpoint, stdio: 'ignore' });
    try {
      const { status, err } = await nfio('umount', '--destroy', mountpoint);
      assert.equal(status, 1);
      assert.match(err, /^nfio: .*mnt is in use by sleep \(process \d+\)\. Nothing was destroyed\. /);
      assert.equal(await readFile(join(host, 'status'), 'utf8'), 'running\n');
      assert.equal((await nfio('umount', '--destroy', '--lazy', mountpoint)).status, 0);
      assert.equal(await isMounted(), false);
    } finally {
      user.kill();
      await new Promise((resolve) => user.once('exit', resolve));
    }
    const deadline = Date.now() + 10_000;
    while ((await nfio('mount', '--root', root, mountpoint)).status !== 0) {
      assert.ok(Date.now() < deadline, 'the root is free when its last user has gone');
      await sleep(50);
    }
    assert.equal(await readFile(join(host, 'status'), 'utf8'), 'undeployed\n');
  });

  test('VNFs outlive umount, which names them, and are there at the next mount; --destroy ends them', async () => {
    await mount();
    const host = join(mountpoint, 'nf-types', 'host', 'h');
    await mkdir(host, { recursive: true });
    await writeFile(join(host, 'action'), 'activate\n');
    const first = await nfio('umount', mountpoint);
    assert.match(first.out, /^1 VNF keeps running: host\/h\.\n/);
    assert.match(first.out, new RegExp(`^Reach them again with: nfio mount --root ${root} MOUNTPOINT$`, 'm'));

    await mount();
    assert.equal(await readFile(join(host, 'status'), 'utf8'), 'running\n');
    await unmountQuietly('--destroy');
    await mount();
    assert.equal(await readFile(join(host, 'status'), 'utf8'), 'undeployed\n');
  });
});

describe('nfio status', () => {
  test('lists mounts with their VNFs by state, for people and for programs', async () => {
    await mount();
    await mkdir(join(mountpoint, 'nf-types', 'host', 'h'), { recursive: true });
    const listed = await nfio('status');
    assert.match(listed.out, new RegExp(`^${mountpoint} +mounted +netns +${root} +\\d+ +1 undeployed$`, 'm'));
    const json = JSON.parse((await nfio('status', '--json')).out) as { mountpoint: string; state: string; vnfs: unknown }[];
    const ours = json.find((entry) => entry.mountpoint === mountpoint);
    assert.deepEqual({ state: ours?.state, vnfs: ours?.vnfs }, { state: 'mounted', vnfs: [{ vnf: 'host/h', status: 'undeployed' }] });
  });
});

describe('nfio for an ordinary user', () => {
  /** Runs the nfio of this checkout as the user nobody. */
  const asNobody = async (...argv: readonly string[]): Promise<{ status: number | undefined; out: string; err: string }> => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, nfioPath, ...argv];
    const { exitCode, stdout, stderr } = await runProgram(nobody, { timeoutMs: 60_000 });
    return { status: exitCode, out: stdout, err: stderr };
  };

  test('status lists the mounts as it does for root', async () => {
    await chmod(directory, 0o755);
    await mount();
    await mkdir(join(mountpoint, 'nf-types', 'host', 'h'), { recursive: true });
    const { status, out, err } = await asNobody('status');
    assert.match(out, new RegExp(`^${mountpoint} +mounted +netns +${root} +\\d+ +1 undeployed$`, 'm'), err);
    assert.equal(typeof status, 'number');
    const told = JSON.parse((await asNobody('status', '--json')).out) as { mountpoint: string; state: string }[];
    assert.equal(told.find((each) => each.mountpoint === mountpoint)?.state, 'mounted');
  });

  test('umount says that only root may, and how', async () => {
    const { status, err } = await asNobody('umount', mountpoint);
    assert.equal(status, 1);
    assert.match(err, /^nfio: nfio umount changes mounts .*only root may\. Run the same command with sudo before it\.\n$/);
  });

  test('doctor says what only root can try, and installs nothing that is there', async () => {
    const { status, out } = await asNobody('doctor');
    assert.equal(status, 1);
    assert.match(out, /^\? {5}namespaces +not tried: only root can$/m);
    const installed = /ok +programs/.test(out);
    assert.ok(installed && !/mend: apt-get install (iproute2|nftables)/.test(out), out);
    const remedy = /\nOnly root can run nf\.io, and try all of this\. Run: sudo (.*)\n$/.exec(out)?.[1] ?? '';
    // What sudo would run, run by who is root already.
    const { exitCode, stdout } = await runProgram(['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...remedy.split(' '), '--json'], {
      timeoutMs: 60_000,
    });
    assert.ok(exitCode === 0 || exitCode === 1);
    assert.ok((JSON.parse(stdout) as { name: string; ok: boolean }[]).some(({ name, ok }) => name === 'root' && ok));
  });

  test('a mount where this user may not go is private, and not dead', async () => {
    await mount();
    await chmod(directory, 0o700);
    const { out } = await asNobody('status');
    await chmod(directory, 0o755);
    assert.match(out, new RegExp(`^${mountpoint} +private +netns +${root} +\\d+ +-$`, 'm'));
    assert.doesNotMatch(out, new RegExp(`Detach it: nfio umount --lazy ${mountpoint}`));
  });

  test('a mount whose processes were killed is dead, for every user', async () => {
    await chmod(directory, 0o755);
    await mount();
    const record = (await findMount(mountpoint))?.record;
    assert.ok(record !== undefined);
    process.kill(record.supervisorPid, 'SIGKILL');
    process.kill(record.serverPid, 'SIGKILL');
    const deadline = Date.now() + 5000;
    while (isAlive(record.serverPid) && Date.now() < deadline) await sleep(20);
    const { status, out } = await asNobody('status');
    assert.equal(status, 1);
    assert.match(out, new RegExp(`^${mountpoint} +dead `, 'm'));
    assert.match(out, new RegExp(`^${mountpoint} is dead\\. Detach it: nfio umount --lazy ${mountpoint}$`, 'm'));
    assert.equal((await nfio('umount', '--lazy', mountpoint)).status, 0);
  });
});

describe('completion', () => {
  test('umount completes to the mounts there are', async () => {
    await mount();
    const script =
      'eval "$("$1" "$2" completion bash)"; COMP_WORDS=(nfio umount "$3"); COMP_CWORD=2; _nfio; printf "%s\\n" "${COMPREPLY[@]}"';
    const argv = ['bash', '-c', script, 'bash', process.execPath, nfioPath, `${directory}/`];
    assert.equal((await runProgram(argv, { timeoutMs: 20_000 })).stdout, `${mountpoint}\n`);
  });
});

describe('nfio doctor', () => {
  test('finds what this machine has, and names a remedy for what it has not', async () => {
    const { status, out } = await nfio('doctor', '--json');
    const findings = JSON.parse(out) as { name: string; needed: boolean; ok: boolean; remedy?: string }[];
    for (const finding of findings) assert.equal(finding.ok, finding.remedy === undefined, finding.name);
    assert.equal(status, findings.every((finding) => finding.ok || !finding.needed) ? 0 : 1);
    for (const name of ['/dev/fuse', 'namespaces', 'overlayfs', 'nftables', 'cgroups']) {
      assert.equal(findings.find((finding) => finding.name === name)?.ok, true, name);
    }
  });

  test('a root that cannot hold guests is found', async () => {
    const { status, out } = await nfio('doctor', '--json', '--root', '/proc/nfio');
    const overlay = (JSON.parse(out) as { name: string; ok: boolean; detail: string }[]).find((finding) => finding.name === 'overlayfs');
    assert.equal(status, 1);
    assert.equal(overlay?.ok, false);
    assert.match(overlay?.detail ?? '', /^\/proc cannot be written: E/);
  });
});

describe('nfio types', () => {
  test('lists the built-in types', async () => {
    const { status, out } = await nfio('types');
    assert.equal(status, 0);
    for (const type of ['host', 'firewall', 'nat', 'router', 'loadbalancer', 'proxy', 'ids', 'nginx', 'dns', 'shaper'])
      assert.match(out, new RegExp(`^${type} +built-in +\\S`, 'm'));
  });
});
