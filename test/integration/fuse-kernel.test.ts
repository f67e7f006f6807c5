import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Opcode } from '../../src/fuse/index.ts';
import { MemoryMount } from '../support/memory-fs/client.ts';

const run = promisify(execFile);
const limits = { timeout: 20_000 };

/** Why a mount cannot be made here, undefined when it can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return '/dev/fuse cannot be opened';
  }
}

/** A test that uses a mount; the mount goes away whatever happens. */
function mounted(name: string, body: (mount: MemoryMount, context: TestContext) => Promise<void>): void {
  test(name, limits, async (context) => {
    const reason = obstacle();
    if (reason !== undefined) return context.skip(reason);
    await using mount = await MemoryMount.start();
    await body(mount, context);
    await endWell(mount);
  });
}

/** Requests by opcode, of all tests. */
const totals = new Array<number>(64).fill(0);

/** Nothing went wrong in the server, and it ends by itself once it is unmounted. */
async function endWell(mount: MemoryMount): Promise<void> {
  const { counts, errors } = await mount.seen();
  for (const [opcode, count] of counts.entries()) totals[opcode] = (totals[opcode] ?? 0) + count;
  assert.deepEqual(errors, []);
  assert.equal(await mount.end(), 0);
}

/** Runs a shell script whose $1 is the mount. */
async function shell(mount: MemoryMount, script: string): Promise<string> {
  const { stdout } = await run('bash', ['-euc', script, 'bash', mount.path], { timeout: 15_000 });
  return stdout.trim();
}

/** Runs a Python program, in the mount. */
async function python(mount: MemoryMount, program: string): Promise<string> {
  const { stdout } = await run('python3', ['-c', `import os, fcntl\nos.chdir(${JSON.stringify(mount.path)})\n${program}`], {
    timeout: 15_000,
  });
  return stdout.trim();
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await condition()) return;
    await sleep(20);
  }
  assert.fail(`not within 4 s: ${String(condition)}`);
}

mounted('files, directories, links, devices', async (mount) => {
  const out = await shell(
    mount,
    `cd "$1"; mkdir -p d/e; echo one > d/f; echo two >> d/f; cat d/f; ln d/f d/hard; ln -s f d/soft; cat d/soft; stat -c %h d/hard
     mkfifo d/fifo; mknod d/null c 1 3; stat -c '%F %t:%T' d/fifo d/null; chmod 640 d/f; chown 12:34 d/f; touch -d '1969-12-31 23:59:58.25 UTC' d/f
     stat -c '%a %u %g %.3Y' d/f; truncate -s 3 d/f; cat d/f; echo; mv d/f d/g; ls d; rm d/g d/hard d/soft d/fifo d/null; rmdir d/e d; sync -d many; stat -f -c '%b %l' .`,
  );
  const expected = ['one', 'two', 'one', 'two', '2', 'fifo 0:0', 'character special file 1:3', '640 12 34 -1.750', 'one'];
  assert.deepEqual(out.split('\n'), [...expected, 'e', 'fifo', 'g', 'hard', 'null', 'soft', '1000 255']);
});

mounted('rename replaces a name, or exchanges two', async (mount) => {
  const out = await python(
    mount,
    `import ctypes
open('a', 'w').write('A'); open('b', 'w').write('B')
assert ctypes.CDLL(None).renameat2(-100, b'a', -100, b'b', 2) == 0
print(open('a').read() + open('b').read())
os.rename('a', 'b'); print(os.listdir('.').count('a'), open('b').read())`,
  );
  assert.equal(out, 'BA\n0 B');
  assert.equal(await mount.count('RENAME2'), 1);
});

mounted('a mebibyte is written and read in few requests, and mapped', async (mount) => {
  const out = await python(
    mount,
    `import mmap
data = os.urandom(3 << 20)
f = os.open('big', os.O_RDWR | os.O_CREAT)
assert os.write(f, data) == len(data)
os.fsync(f); os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
assert os.pread(f, len(data), 0) == data
m = mmap.mmap(f, len(data)); m[5:8] = b'xyz'; m.flush()
print(os.pread(f, 3, 5).decode())`,
  );
  assert.equal(out, 'xyz');
  assert.ok((await mount.count('WRITE')) <= 8);
});

mounted('SEEK_HOLE, SEEK_DATA, fallocate, punching a hole, copy_file_range', async (mount) => {
  const out = await shell(
    mount,
    `cd "$1"; python3 -c "
import os
f = os.open('s', os.O_RDWR | os.O_CREAT)
os.pwrite(f, b'x' * 4096, 0); os.pwrite(f, b'y' * 4096, 16384)
print(os.lseek(f, 0, os.SEEK_HOLE), os.lseek(f, 4096, os.SEEK_DATA), os.lseek(f, 16384, os.SEEK_HOLE))
os.posix_fallocate(f, 0, 32768); print(os.fstat(f).st_size)
g = os.open('t', os.O_RDWR | os.O_CREAT)
print(os.copy_file_range(f, g, 5000, 4090), os.fstat(g).st_size)"
     fallocate -p -o 16384 -l 4096 s; od -An -tx1 -j 16384 -N 2 s`,
  );
  assert.deepEqual(out.split('\n'), ['4096 16384 20480', '32768', '5000 5000', ' 00 00']);
});

mounted('extended attributes', async (mount) => {
  const out = await python(
    mount,
    `open('x', 'w')
os.setxattr('x', 'user.a/b', b'1\\0' + b'2'); os.setxattr('x', 'user.c', b'')
print(os.listxattr('x'), os.getxattr('x', 'user.a/b'))
os.removexattr('x', 'user.c')
try: os.getxattr('x', 'user.c')
except OSError as e: print(e.errno)`,
  );
  assert.deepEqual(out.split('\n'), ["['user.a/b', 'user.c'] b'1\\x002'", '61']);
});

mounted('POSIX locks and flock between processes, waited for, and interrupted', async (mount) => {
  const out = await python(
    mount,
    `import signal, struct, time
f = os.open('l', os.O_RDWR | os.O_CREAT)
fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
started, done = os.pipe()
def refused(action):
  try: action()
  except OSError as e: return e.errno
child = os.fork()
if child == 0:
  g = os.open('l', os.O_RDWR)
  print('taken', refused(lambda: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 14)), 'beside', refused(lambda: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 15)))
  kind, _, start, length, owner = struct.unpack('hhqqi4x', fcntl.fcntl(g, fcntl.F_GETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)))
  print('held', kind, start, length, owner == os.getppid())
  def stop(*_): raise InterruptedError(4, 'alarm')
  signal.signal(signal.SIGALRM, stop); signal.setitimer(signal.ITIMER_REAL, 0.2)
  print('interrupted', refused(lambda: fcntl.lockf(g, fcntl.LOCK_EX, 1, 14)), flush=True)
  os.write(done, b'x')
  fcntl.lockf(g, fcntl.LOCK_EX, 1, 14); print('had', flush=True)
  fcntl.flock(g, fcntl.LOCK_EX); os._exit(0)
os.read(started, 1); time.sleep(0.1)
h = os.open('l', os.O_RDWR); fcntl.flock(h, fcntl.LOCK_SH)
fcntl.lockf(f, fcntl.LOCK_UN, 10, 5); time.sleep(0.2)
assert os.waitpid(child, os.WNOHANG)[0] == 0
fcntl.flock(h, fcntl.LOCK_UN); print('ended', os.waitpid(child, 0)[1])`,
  );
  assert.deepEqual(out.split('\n'), ['taken 11 beside None', 'held 1 5 10 True', 'interrupted 4', 'had', 'ended 0']);
  for (const opcode of ['GETLK', 'SETLK', 'SETLKW'] as const) assert.ok((await mount.count(opcode)) > 0, opcode);
});

mounted('poll is woken by a notification', async (mount) => {
  const program = `import select, os, sys
f = os.open(sys.argv[1] + '/pollable', os.O_RDONLY); p = select.poll(); p.register(f, select.POLLIN)
print(p.poll(50), flush=True); print(p.poll(10000) == [(f, 1)])`;
  const poller = run('python3', ['-c', program, mount.path], { timeout: 15_000 });
  await until(async () => (await mount.count('POLL')) >= 2);
  await sleep(150);
  assert.deepEqual(await mount.tell({ do: 'ready' }), [true]);
  assert.deepEqual((await poller).stdout.trim().split('\n'), ['[]', 'True']);
});

mounted('5,000 entries come with their attributes', async (mount) => {
  const names = readdirSync(`${mount.path}/many`);
  assert.equal(new Set(names).size, 5000);
  const lookups = await mount.count('LOOKUP');
  const listing = await shell(mount, 'ls -lU "$1"/many | wc -l');
  assert.equal(listing, '5001');
  assert.ok((await mount.count('LOOKUP')) - lookups <= 1);
  assert.equal(await mount.count('READDIR'), 0);
});

mounted('deferred reads are answered in any order', async (mount) => {
  const first = run('head', ['-c', '5', `${mount.path}/blocked-1`], { timeout: 15_000 });
  const second = run('head', ['-c', '5', `${mount.path}/blocked-2`], { timeout: 15_000 });
  await until(async () => ((await mount.tell({ do: 'waiting' })) as string[]).length === 2);
  assert.equal(statSync(`${mount.path}/blocked-1`).size, 1000);
  assert.equal(await mount.tell({ do: 'answer', name: 'blocked-2', content: 'two..' }), true);
  assert.equal((await second).stdout, 'two..');
  assert.equal(await mount.tell({ do: 'answer', name: 'blocked-1', content: 'one..' }), true);
  assert.equal((await first).stdout, 'one..');
});

mounted('Ctrl-C ends a deferred read at once, and its late answer is dropped', async (mount) => {
  const cat = spawn('cat', [`${mount.path}/blocked-1`], { stdio: 'ignore' });
  await until(async () => ((await mount.tell({ do: 'waiting' })) as string[]).length === 1);
  cat.kill('SIGINT');
  const [, signal] = await once(cat, 'exit');
  assert.equal(signal, 'SIGINT');
  await until(async () => (await mount.seen()).outstanding === 0);
  assert.equal(await mount.count('INTERRUPT'), 1);
  assert.equal(await mount.tell({ do: 'answer', name: 'blocked-1', content: 'late' }), false);
});

mounted('kill -9 of a reader leaves nothing outstanding', async (mount) => {
  const cat = spawn('cat', [`${mount.path}/blocked-1`], { stdio: 'ignore' });
  await until(async () => ((await mount.tell({ do: 'waiting' })) as string[]).length === 1);
  cat.kill('SIGKILL');
  await once(cat, 'exit');
  await until(async () => (await mount.seen()).outstanding === 0);
});

mounted('a request that is sent again is answered once, under its new number', async (mount, context) => {
  const reader = run('head', ['-c', '5', `${mount.path}/blocked-1`], { timeout: 15_000 });
  await until(async () => ((await mount.tell({ do: 'waiting' })) as string[]).length === 1);
  const told = await mount.tell({ do: 'resend' }).catch((error: unknown) => error);
  if (told instanceof Error) context.diagnostic(`this kernel cannot resend: ${told.message}`);
  // Who answers has to have heard of the new number: only that the request was read would be too soon.
  else await until(async () => (await mount.tell({ do: 'handed' })) === 2);
  assert.equal(await mount.tell({ do: 'answer', name: 'blocked-1', content: 'once.' }), true);
  assert.equal((await reader).stdout, 'once.');
});

mounted('names, data and absences are kept until the kernel is told', async (mount) => {
  const file = `${mount.path}/note`;
  assert.equal(existsSync(file), false);
  await mount.tell({ do: 'put', name: 'note', content: 'first' });
  assert.equal(existsSync(file), false);
  assert.equal(await mount.tell({ do: 'invalEntry', parent: 1, name: 'note' }), true);
  assert.equal(readFileSync(file, 'utf8'), 'first');
  await mount.tell({ do: 'put', name: 'note', content: 'other' });
  assert.equal(readFileSync(file, 'utf8'), 'first');
  const { ino } = statSync(file);
  assert.equal(await mount.tell({ do: 'invalInode', nodeid: ino }), true);
  assert.equal(readFileSync(file, 'utf8'), 'other');
  await mount.tell({ do: 'drop', name: 'note' });
  assert.equal(existsSync(file), true);
  assert.equal(await mount.tell({ do: 'delete', parent: 1, child: ino, name: 'note' }), true);
  assert.equal(existsSync(file), false);
  assert.equal(await mount.tell({ do: 'invalEntry', parent: 1, name: 'never-seen' }), false);
  assert.equal(await mount.tell({ do: 'invalInode', nodeid: 12345 }), false);
});

mounted('names that are not UTF-8 are names, and those that are too long have the errno of ext4', async (mount) => {
  const out = await python(
    mount,
    `def errno(action, *args):
  try: action(*args)
  except OSError as e: return e.errno
print(errno(os.stat, b'\\xff'), errno(os.mkdir, b'\\xff'), b'\\xff' in os.listdir(b'.'), errno(os.rmdir, b'\\xff'), errno(os.mkdir, 'x' * 256), errno(os.mkdir, 'x' * 255), errno(os.stat, 'x' * 2000))`,
  );
  assert.equal(out, '2 None True None 36 None 36');
});

test('without READDIRPLUS and default_permissions: READDIR and ACCESS', limits, async (context) => {
  const reason = obstacle();
  if (reason !== undefined) return context.skip(reason);
  await using mount = await MemoryMount.start({ readdirPlus: false, defaultPermissions: false });
  assert.equal(readdirSync(`${mount.path}/many`).length, 5000);
  assert.throws(() => accessSync(mount.path, constants.W_OK), { code: 'EROFS' });
  assert.ok((await mount.count('READDIR')) > 0);
  assert.ok((await mount.count('ACCESS')) > 0);
  assert.equal(await mount.count('READDIRPLUS'), 0);
  await shell(mount, 'cd "$1"; echo x > f; rm f; sync many; python3 -c "import os; os.fsync(os.open(\'many\', os.O_RDONLY))"');
  await until(async () => (await mount.count('FORGET')) > 0);
  assert.ok((await mount.count('FSYNCDIR')) > 0);
  await endWell(mount);
});

test('the kernel sent every opcode there is a method for', (context) => {
  const reason = obstacle();
  if (reason !== undefined) return context.skip(reason);
  const elsewhere: readonly string[] = [
    'BATCH_FORGET',
    'BMAP',
    'DESTROY',
    'IOCTL',
    'NOTIFY_REPLY',
    'SETUPMAPPING',
    'REMOVEMAPPING',
    'SYNCFS',
    'TMPFILE',
    'STATX',
  ];
  const copies = Opcode.COPY_FILE_RANGE_64;
  totals[Opcode.COPY_FILE_RANGE] = (totals[Opcode.COPY_FILE_RANGE] ?? 0) + (totals[copies] ?? 0);
  totals[copies] = totals[Opcode.COPY_FILE_RANGE] ?? 0;
  const unseen = Object.entries(Opcode).filter(([name, opcode]) => !elsewhere.includes(name) && (totals[opcode] ?? 0) === 0);
  assert.deepEqual(unseen, []);
});
