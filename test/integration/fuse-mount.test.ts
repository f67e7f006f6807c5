import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Errno, FuseConnection, FuseMountError, isMounted, mountAt, mountUsers, openAndMount, unmount } from '../../src/fuse/index.ts';

const run = promisify(execFile);
/** The example as a checkout runs it. */
const hello = ['--conditions=nfio-source', fileURLToPath(new URL('../../examples/hello.ts', import.meta.url))];
const options = { timeout: 20_000, skip: process.getuid?.() === 0 ? false : 'mounting needs root' };

function scratch(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'nfio-mount-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

async function refusal(attempt: Promise<unknown>): Promise<FuseMountError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof FuseMountError) return error;
    throw error;
  }
  return assert.fail('nothing was refused');
}

/** Runs the example on a directory, and unmounts it in the end. */
async function withHello(place: string, use: () => Promise<void>): Promise<void> {
  const server = spawn(process.execPath, [...hello, place], { stdio: ['ignore', 'inherit', 'inherit'] });
  const exit = once(server, 'exit');
  try {
    for (let tries = 0; tries < 200 && !isMounted(place); tries += 1) await sleep(20);
    using connection = await FuseConnection.open(place);
    await use();
    if (isMounted(place)) await unmount(place);
    connection.abort(); // other tests make mount namespaces, with copies of this mount
    assert.deepEqual(await exit, [0, null]);
  } finally {
    if (server.exitCode === null && server.signalCode === null) server.kill('SIGKILL');
    await exit;
    if (isMounted(place)) await unmount(place, { lazy: true });
  }
}

test('the hello example leaves no dead mount at Ctrl-C', options, async () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    using directory = scratch();
    const server = spawn(process.execPath, [...hello, directory.path], { stdio: 'ignore' });
    const exit = once(server, 'exit');
    for (let tries = 0; tries < 200 && !isMounted(directory.path); tries += 1) await sleep(20);
    using connection = await FuseConnection.open(directory.path);
    assert.deepEqual(await readdir(directory.path), ['hello']);
    server.kill(signal);
    for (let tries = 0; tries < 200 && isMounted(directory.path); tries += 1) await sleep(20);
    assert.equal(isMounted(directory.path), false, signal);
    connection.abort(); // other tests make mount namespaces, with copies of this mount
    assert.deepEqual(await exit, [0, null]);
  }
});

test('the hello example: a name with spaces, a link to it, and a second mount', options, async () => {
  using directory = scratch();
  const place = join(directory.path, 'a b\\c é');
  const link = join(directory.path, 'link');
  mkdirSync(place);
  symlinkSync(place, link);
  await withHello(place, async () => {
    assert.equal((await run('cat', [join(place, 'hello')])).stdout, 'Hello, world!\n');
    assert.equal((await run('ls', ['-a', place])).stdout, '.\n..\nhello\n');
    const { device, ...mounted } = mountAt(place) ?? assert.fail('it is not mounted');
    assert.deepEqual(mounted, { mountpoint: place, type: 'fuse.hello', source: 'hello' });
    assert.match(device, /^0:\d+$/);
    for (const again of [place, link]) {
      const error = await refusal(openAndMount(again));
      assert.equal(error.errno, Errno.EBUSY);
      assert.match(error.message, /mountpoint already: unmount it first/);
    }
  });
  assert.equal(isMounted(place), false);
});

test('an unmount of a file system in use is EBUSY; a lazy one is not', options, async () => {
  using directory = scratch();
  await withHello(directory.path, async () => {
    const user = spawn('sleep', ['10'], { cwd: directory.path, stdio: 'ignore' });
    await once(user, 'spawn');
    const error = await refusal(unmount(directory.path));
    assert.equal(error.errno, Errno.EBUSY);
    assert.match(error.message, /is in use/);
    await unmount(directory.path, { lazy: true });
    assert.equal(isMounted(directory.path), false);
    user.kill('SIGKILL');
    await once(user, 'exit');
  });
});

test('a mountpoint whose server is dead is a mountpoint still, and can be unmounted', options, async () => {
  using directory = scratch();
  const server = spawn(process.execPath, [...hello, directory.path], { stdio: 'ignore' });
  for (let tries = 0; tries < 200 && !isMounted(directory.path); tries += 1) await sleep(20);
  server.kill('SIGKILL');
  await once(server, 'exit');
  assert.equal((await refusal(openAndMount(directory.path))).errno, Errno.EBUSY);
  await unmount(directory.path);
  assert.equal(isMounted(directory.path), false);
});

test('who uses a file system is found, and no one else', options, async () => {
  using directory = scratch();
  await withHello(directory.path, async () => {
    const device = mountAt(directory.path)?.device ?? '';
    assert.deepEqual(await mountUsers(device), []);
    const file = openSync(join(directory.path, 'hello'), 'r');
    const reader = spawn('sleep', ['10'], { stdio: [file, 'ignore', 'ignore'] });
    closeSync(file);
    const inside = spawn('sleep', ['10'], { cwd: directory.path, stdio: 'ignore' });
    await Promise.all([once(reader, 'spawn'), once(inside, 'spawn')]);
    assert.deepEqual(new Set(await mountUsers(device)), new Set([reader.pid, inside.pid]));
    for (const user of [reader, inside]) {
      user.kill('SIGKILL');
      await once(user, 'exit');
    }
  });
});

test('an aborted connection ends its server; its number means no other connection later', options, async () => {
  using directory = scratch();
  await assert.rejects(FuseConnection.open(directory.path), { errno: Errno.EINVAL });
  const server = spawn(process.execPath, [...hello, directory.path], { stdio: 'ignore' });
  const exit = once(server, 'exit');
  for (let tries = 0; tries < 200 && !isMounted(directory.path); tries += 1) await sleep(20);
  using connection = await FuseConnection.open(directory.path);
  assert.deepEqual(await readdir(directory.path), ['hello']); // INIT has been answered
  for (let tries = 0; tries < 200 && connection.waiting() !== 0; tries += 1) await sleep(20); // RELEASEDIR
  assert.equal(connection.waiting(), 0);
  connection.abort();
  assert.deepEqual(await exit, [0, null]);
  await assert.rejects(readdir(directory.path), { code: 'ENOTCONN' });
  await unmount(directory.path);
  await withHello(directory.path, async () => {
    // The kernel gives the lowest number that is free: this one, unless a copy of the mount is left.
    connection.abort();
    assert.deepEqual(await readdir(directory.path), ['hello']);
  });
});

test('what cannot be mounted on says why and what to do', options, async () => {
  using directory = scratch();
  const file = join(directory.path, 'file');
  writeFileSync(file, '');
  symlinkSync('loop', join(directory.path, 'loop'));
  const cases: readonly (readonly [string, keyof typeof Errno, RegExp])[] = [
    [join(directory.path, 'none'), 'ENOENT', /does not exist: make it first/],
    [file, 'ENOTDIR', /not a directory/],
    [join(file, 'x'), 'ENOTDIR', /not a directory/],
    [directory.path, 'ENOTEMPTY', /not empty/],
    [join(directory.path, 'loop'), 'ELOOP', /symbolic links/],
    ['', 'EINVAL', /empty/],
    ['a\0b', 'EINVAL', /NUL/],
    ['x'.repeat(5000), 'ENAMETOOLONG', /too long/],
  ];
  for (const [place, errno, sentence] of cases) {
    const error = await refusal(openAndMount(place));
    assert.equal(error.errno, Errno[errno], error.message);
    assert.match(error.message, sentence);
  }
  assert.equal((await refusal(unmount(directory.path))).errno, Errno.EINVAL);
});

test('a name of the file system with a comma does not become an option', options, async () => {
  using directory = scratch();
  for (const bad of ['a,suid', 'a b', '']) {
    const error = await refusal(openAndMount(directory.path, { fsname: 'x', subtype: bad }));
    assert.equal(error.errno, Errno.EINVAL);
  }
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(directory.path), false);
});

test('without the privilege to mount: EPERM', options, async () => {
  using directory = scratch();
  const program = `import { openAndMount } from ${JSON.stringify(new URL('../../src/fuse/index.ts', import.meta.url).href)};
    await openAndMount(process.argv[1]).then(() => console.log('mounted'), (error) => console.log(error.errno, error.message));`;
  const args = ['--bounding-set', '-sys_admin', process.execPath, '--input-type=module', '-e', program, directory.path];
  const { stdout } = await run('setpriv', args, { timeout: 15_000 });
  assert.match(stdout, /^1 .*not permitted: run as root/);
  assert.equal(isMounted(directory.path), false);
});
