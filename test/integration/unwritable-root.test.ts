import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { SmallDisk } from '../support/small-disk.ts';

/* A root that takes nothing is served as it is, by the next server too, says so, and goes on by itself when it takes something again. */

interface Trouble {
  readonly name: string;
  readonly inodes?: number;
  readonly errno: RegExp;
  /** Also what the server gave up since then. @returns what ends it. */
  begin(disk: SmallDisk): Disposable;
}

function fill(disk: { readonly path: string }): Disposable {
  const path = join(disk.path, 'ballast');
  const untilFull = (size: number): void => {
    for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
  };
  for (const size of [1 << 20, 4096, 256]) assert.throws(() => untilFull(size), { code: 'ENOSPC' });
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

function takeInodes(disk: SmallDisk): Disposable {
  const directory = join(disk.path, 'many');
  mkdirSync(directory, { recursive: true });
  const untilFull = (): void => {
    for (;;) writeFileSync(join(directory, randomUUID()), '');
  };
  assert.throws(untilFull, { code: 'ENOSPC' });
  return { [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

const troubles: readonly Trouble[] = [
  { name: 'a root that can only be read', errno: /Read-only file system/, begin: (disk) => disk.readOnly(join(disk.path, 'root')) },
  { name: 'a full disk', errno: /No space left/, begin: fill },
  { name: 'a disk without inodes', inodes: 128, errno: /No space left/, begin: takeInodes },
];

/** A VNF that runs, with a file of its user's. */
const setUp = `mkdir -p nf-types/host/{a,b}; echo 64M > nf-types/host/a/machine/vm.memory; echo mine > nf-types/host/a/config/file; sync nf-types/host/a/config/file
  echo activate > nf-types/host/a/action; echo 'echo ran > /tmp/was-here' > nf-types/host/a/command; sync nf-types`;
const look = `cd nf-types/host; ls; cat a/status a/machine/vm.memory a/config/file a/rfs/tmp/was-here a/stats/rx_packets`;
const seen = /^a\nb\nrunning\n67108864\nmine\nran\n0\n$/;

for (const { name, inodes, errno, begin } of troubles)
  describe(name, () => {
    test('is served by the next server, and by the next mount, and takes changes again by itself', { timeout: 300_000 }, async () => {
      using disk = new SmallDisk(inodes === undefined ? {} : { inodes });
      await using mount = await TestMount.start({ root: join(disk.path, 'root') });
      await mount.run(setUp);
      {
        using _ = begin(disk);
        for (const _ of [1, 2]) {
          const server = await mount.server();
          process.kill(server, 'SIGKILL');
          await mount.ended(server);
          assert.match(await mount.run(look), seen);
        }
        await mount.unmount();
        using _still = begin(disk);
        await mount.mount();
        assert.match(await mount.run(look), seen);
        assert.match(mount.warnings.join('\n'), /is served as it is, and changes fail until it can be written: .*(EROFS|ENOSPC)/);
      }
      {
        using _ = begin(disk);
        assert.match((await mount.sh('mkdir nf-types/host/c')).stderr, errno);
        assert.match(await mount.run(look), seen);
      }
      await mount.run('cd nf-types/host; mkdir c; echo 128M > c/machine/vm.memory; echo 32M > a/machine/vm.memory; rmdir b');
      await mount.unmount();
      await mount.mount();
      assert.equal(await mount.run('cd nf-types/host; cat a/status */machine/vm.memory'), 'running\n33554432\n134217728\n');
    });
  });

test('a full /run does not end a mount: the next server finds the guests, and starts more once there is room', {
  timeout: 300_000,
}, async () => {
  await using mount = await TestMount.start();
  await mount.run(setUp);
  const { mountId } = JSON.parse(readFileSync(join(mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
  const directory = `/run/nfio/${mountId}`;
  const kept = mkdtempSync(join(tmpdir(), 'nfio-run-'));
  execFileSync('cp', ['-ax', `${directory}/.`, kept]); // what is mounted there has room of its own
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', directory]);
  try {
    execFileSync('cp', ['-a', `${kept}/.`, directory]);
    fill({ path: directory });
    for (const _ of [1, 2]) {
      const server = await mount.server();
      process.kill(server, 'SIGKILL');
      await mount.ended(server);
      assert.match(await mount.run(look), seen);
    }
    await mount.run(
      'echo 32M > nf-types/host/a/machine/vm.memory; mkdir nf-types/host/c; mkdir networks/lan; mkdir nf-types/host/c/ports/p',
    );
    const { stderr } = await mount.sh('echo activate > nf-types/host/c/action');
    if (stderr !== '') assert.match(await mount.run('cat nf-types/host/c/error'), /^activate: .*(ENOSPC|No space left|no space left)/);
    rmSync(join(directory, 'ballast'));
    await mount.run('cd nf-types/host; [ $(cat c/status) = running ] || echo activate > c/action; cat c/status; rmdir b');
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run('cd nf-types/host; cat */status a/machine/vm.memory'), 'running\nrunning\n33554432\n');
    await mount.run('for vnf in a c; do echo destroy > nf-types/host/$vnf/action; done');
  } finally {
    execFileSync('umount', ['-l', directory]);
    rmSync(kept, { recursive: true });
  }
});
