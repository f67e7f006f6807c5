import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { runProgram } from '../../src/cli/run-program.ts';
import { isMounted } from '../../src/fuse/mount-info.ts';
import { loadBaseImage, whyNoBase } from '../support/base-image.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { nfio } from '../support/nfio-command.ts';
import { readmeScript, type Stand } from '../support/readme.ts';
import { testVnfImage } from '../support/vnf-image.ts';

const checkout = join(import.meta.dirname, '..', '..');
const noOthers = whyNoEngine() ?? whyNoBase() ?? whyNoLibvirt();
let directory: string;
let mountpoint: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nfio-readme-'));
  await chmod(directory, 0o755); // QEMU runs as a user of its own
  mountpoint = join(directory, 'nfio');
});

afterEach(async () => {
  if (isMounted(mountpoint)) await nfio('umount', '--destroy', mountpoint);
  await rm(directory, { recursive: true, force: true });
});

/** Pastes the README into one shell. @returns what it showed. */
async function paste(stand: Stand, timeoutMs: number): Promise<string> {
  const environment = [`PATH=${join(checkout, 'bin')}:${process.env['PATH']}`, `NFIO_NODE=${process.execPath}`, `HOME=${directory}`];
  const argv = ['env', '-C', directory, ...environment, 'bash', '-c', readmeScript(stand)];
  const { exitCode, stdout, stderr } = await runProgram(argv, { timeoutMs });
  if (isMounted(mountpoint)) await nfio('umount', '--destroy', mountpoint); // while there are engines that can
  // Where the disk is busy umount says what it waits for.
  const complaints = stderr.replaceAll(/^Waiting until all that was made is written to .*\n/gm, '');
  assert.deepEqual({ exitCode, complaints }, { exitCode: 0, complaints: '' }, `${stdout}${stderr}`);
  return stdout;
}

/** The tour shows what the README says of it; then the lab comes back from its file. */
function assertTour(shown: string): void {
  assert.match(shown, /^running\nPING [\s\S]*3 packets transmitted, 3 received, 0% packet loss[\s\S]*\nexit status 124\n/);
  const [received, dropped] = (/exit status 124\n(\d+)\n(\d+)\n/.exec(shown) ?? []).slice(1).map(Number);
  assert.ok((received ?? 0) >= 6 * 84, `bytes received: ${received}`);
  assert.ok((dropped ?? 0) >= 1, `packets dropped: ${dropped}`);
  assert.match(
    shown,
    /\d+\n\d+\n.*nf_conf line 1: .*\n[\s\S]*lan → fw-a → ids-a → wan\nok\n(.*\n){4}lan → ids-a → wan\nlan → fw-a → ids-a → wan\n/,
  );
  assert.match(shown, /wan\nlan → fw-a → ids-a → wan\nlan → fw-a → ids-a → wan\n/, 'the chain is as before when it comes back');
}

describe('the README, pasted into a shell from top to bottom', () => {
  // The next test does more, where it can.
  if (noOthers !== undefined) {
    test('does what it says, on this machine alone', { timeout: 150_000 }, async () => {
      assertTour(await paste({ directory, elsewhere: undefined }, 120_000));
      assert.equal(isMounted(mountpoint), false);
    });
  }

  test('does what it says, with containers and virtual machines', { skip: noOthers ?? false, timeout: 400_000 }, async () => {
    const vmImage = await testVnfImage();
    await using engine = await TestEngine.start({ images: false });
    await loadBaseImage(engine.socket);
    await using daemon = await LibvirtDaemon.start();
    const elsewhere = { dockerSocket: engine.socket, libvirtUri: daemon.uri, vmImage };
    const shown = await paste({ directory, elsewhere }, 300_000);
    assertTour(shown);
    assert.match(shown, /nfio\/proxy:latest built\n200\n[1-9]\d*\n$/);
    assert.equal(isMounted(mountpoint), false);
    assert.ok(!existsSync(join(directory, 'lab.tar')));
  });
});
