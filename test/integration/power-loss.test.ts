import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { type CrashPoint, crashPoints, writeCrashImage } from '../support/power/crash-points.ts';
import { faultsIn } from '../support/power/oracle.ts';
import type { Recorded } from '../support/power/record-format.ts';
import { RecordedDisk } from '../support/power/recorded-disk.ts';
import { type Step, workload } from '../support/power/workload.ts';
import { Prng } from '../support/prng.ts';
import { isThorough, sample } from '../support/thorough.ts';

/*
 * The power fails at each moment of a workload: what was confirmed is there. The disk drops what was not synced, or keeps blocks of it in any order.
 * NFIO_THOROUGH=1: every crash point, and three disks for each.
 */

const rounds = isThorough ? 4 : 3;
const perTest = 8;

async function carryOut(mount: TestMount, step: Step): Promise<void> {
  if (step.script === 'remount') {
    await mount.unmount();
    await mount.mount();
  } else if (step.script === 'kill') {
    const server = await mount.server();
    process.kill(server, 'SIGKILL');
    await mount.ended(server);
  } else await mount.run(step.script);
}

describe('power loss', () => {
  let disk: RecordedDisk;
  let directory: string;
  let steps: readonly Step[];
  let recording: readonly Recorded[];
  let points: readonly CrashPoint[];

  before(async () => {
    disk = await RecordedDisk.start();
    directory = mkdtempSync(join(tmpdir(), 'nfio-crash-'));
    {
      await using mount = await TestMount.start({ root: join(disk.path, 'root') });
      await mount.run('mkdir nf-types/firewall nf-types/firewall/example');
      steps = workload(rounds, (await mount.run('cat nf-types/firewall/example/config/nf_conf')).trimEnd());
      await mount.run('rmdir nf-types/firewall/example nf-types/firewall; sync nf-types');
      disk.mark('begin');
      for (const [index, step] of steps.entries()) {
        await carryOut(mount, step);
        disk.mark(`step ${index}`);
      }
      disk.mark('end');
    }
    recording = disk.recording();
    points = crashPoints(recording).filter(({ marks }) => !marks.includes('end'));
  });
  after(async () => {
    rmSync(directory, { recursive: true, force: true });
    await disk[Symbol.asyncDispose]();
  });

  async function check(point: CrashPoint, lottery?: () => boolean): Promise<string[]> {
    // Of its own, because what is unmounted lazily may be written to for a moment.
    const own = mkdtempSync(join(directory, 'disk-'));
    const [image, path] = [join(own, 'image'), join(own, 'ext4')];
    mkdirSync(path);
    writeCrashImage({ recording, base: disk.base }, point, lottery === undefined ? { path: image } : { path: image, lottery });
    execFileSync('mount', ['-o', 'loop', image, path]);
    try {
      await using mount = await TestMount.start({ root: join(path, 'root') });
      const confirmed = point.marks.filter((mark) => mark.startsWith('step')).length;
      return faultsIn(mount.path, steps, confirmed).map(
        (fault) => `${confirmed} steps and ${point.synced} of ${recording.length} writes: ${fault}`,
      );
    } finally {
      execFileSync('umount', ['-l', path]);
      rmSync(image);
    }
  }

  test('there are crash points in all of the workload', () => {
    assert.ok(points.length > 2 * steps.length, `${points.length} crash points of ${steps.length} steps`);
  });

  test('nothing that was confirmed is lost on a disk that drops what was not synced', async () => {
    const faults: string[] = [];
    const tried = sample(points, perTest);
    for (const point of tried) faults.push(...(await check(point)));
    console.log(`${tried.length} of ${points.length} crash points: ${faults.length} faults`);
    assert.deepEqual(faults, []);
  });

  test('nor on one that keeps some of it, in any order', async () => {
    const faults: string[] = [];
    const tried = sample([...points, ...points], perTest);
    const random = new Prng(7);
    for (const point of tried) faults.push(...(await check(point, () => random.below(2) === 0)));
    console.log(`${tried.length} crash points with what was not synced in part: ${faults.length} faults`);
    assert.deepEqual(faults, []);
  });
});
