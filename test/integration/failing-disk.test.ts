import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FailingCalls, type Fault } from '../support/failing-calls.ts';
import { TestMount } from '../support/mount.ts';
import { killServer } from '../support/over-kills.ts';
import { isThorough } from '../support/thorough.ts';

/*
 * Each system call of the writer of a server that serves fails in turn while a user changes something, and then the server is killed: nothing that was confirmed is
 * lost, a change that failed is not there, nothing that runs is ended, and a sentence says why. NFIO_THOROUGH=1: all calls and errnos.
 */

const perOperation = 4;
const mostCalls = 3;
/** Of the supervisor. */
const shortLifeMs = 3000;
const errnos = ['EIO', 'ENOSPC', 'EMFILE', 'EROFS'];

interface Operation {
  readonly name: string;
  /** Makes what it is done to. */
  readonly prepare: string;
  readonly script: string;
  readonly look: string;
  readonly before: string;
  readonly after: string;
  readonly syscalls: readonly string[];
}

const operations: readonly Operation[] = [
  {
    name: 'a setting',
    prepare: 'echo 32M > runs/machine/vm.memory',
    script: 'echo 64M > runs/machine/vm.memory',
    look: 'cat runs/machine/vm.memory',
    before: '33554432\n',
    after: '67108864\n',
    syscalls: ['pwrite64', 'fdatasync', 'openat', 'read', 'ftruncate', 'fstat', 'statx'],
  },
  {
    name: 'a rename',
    prepare: '[ -e old ] || mv new old',
    script: 'mv old new',
    look: 'ls | grep -E "old|new"; cat {old,new,runs}/config/file 2> /dev/null || true',
    before: 'old\nmine\nmine\n',
    after: 'new\nmine\nmine\n',
    syscalls: ['fdatasync', 'rename', 'openat', 'pwrite64', 'fsync', 'ftruncate'],
  },
  {
    name: 'a removal',
    prepare: '[ -e gone ] || { mkdir gone; echo kept > gone/config/file; sync gone/config/file; }',
    script: 'rmdir gone',
    look: 'cat gone/config/file 2> /dev/null || echo removed',
    before: 'kept\n',
    after: 'removed\n',
    syscalls: ['rename', 'fdatasync', 'pwrite64', 'openat', 'ftruncate'],
  },
];

describe('a disk that fails', () => {
  let mount: TestMount;
  let paths: readonly string[];

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir nf-types/host; cd nf-types/host; mkdir runs old
      for vnf in runs old; do echo mine > $vnf/config/file; sync $vnf/config/file; done; echo activate > runs/action; sync .`);
    const host = join(mount.root, 'nf-types/host');
    paths = [
      join(mount.root, 'journal'),
      ...['runs', 'old', 'new', 'gone'].flatMap((name) => [join(host, name), join(host, name, '.record.json')]),
    ];
  });
  after(() => mount[Symbol.asyncDispose]());

  /** @returns whether a call failed. */
  async function survives(operation: Operation, fault: Fault): Promise<boolean> {
    const at = `${operation.name}: ${fault.errno} at ${fault.syscall} ${fault.nth}${fault.lasts ? ' and all later' : ''}`;
    await mount.run(`cd nf-types/host; ${operation.prepare}; sync .`);
    const calls = await FailingCalls.of(await mount.server(), paths, fault);
    const { status, stderr } = await mount.sh(`cd nf-types/host; ${operation.script}`);
    const told =
      status === 0 ? 'told' : await mount.run('cat nf-types/host/*/error events | grep -E "could not be (read|written)" || true');
    await delay(shortLifeMs); // a server that ends sooner counts as one that does not work
    await killServer(mount);
    const failed = await calls.failed();
    assert.match(told, /./, `${at}: ${stderr}: there is a sentence`);
    const found = await mount.run(`cd nf-types/host; ${operation.look}`);
    // What the disk does not take back either, before the kill, stays as it was asked for (docs/adr/0006-journal.md).
    const wanted = status === 0 ? [operation.after] : [operation.before, ...(fault.lasts ? [operation.after] : [])];
    assert.ok(wanted.includes(found), `${at}: ${stderr}: ${found}`);
    assert.equal(await mount.run('cat nf-types/host/runs/status nf-types/host/runs/config/file'), 'running\nmine\n', at);
    return failed;
  }

  for (const operation of operations)
    test(`${operation.name} is done or not done, whichever call fails, and then a kill`, { timeout: 3_600_000 }, async () => {
      const numbers = Array.from({ length: mostCalls }, (_, index) => index + 1);
      const faults = numbers.flatMap((nth) =>
        [false, true].flatMap((lasts) =>
          operation.syscalls.flatMap((syscall, index) =>
            (isThorough ? errnos : [errnos[index % errnos.length] ?? '']).map((errno) => ({ syscall, errno, nth, lasts })),
          ),
        ),
      );
      let failed = 0;
      const unreached = new Set<string>();
      for (const fault of isThorough ? faults : faults.slice(0, perOperation)) {
        const key = `${fault.syscall} ${fault.nth}`;
        if (unreached.has(key)) continue;
        if (await survives(operation, fault)) failed += 1;
        else unreached.add(key);
      }
      console.log(`${operation.name}: ${failed} faults, nothing lost`);
      assert.ok(failed > 0);
    });
});
