import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadBaseImage, whyNoBase } from '../support/base-image.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { mountOn } from '../support/docker-mount.ts';
import { nfio, nfioWithin } from '../support/nfio-command.ts';

describe('nfio images', { skip: whyNoEngine() ?? whyNoBase() ?? false, timeout: 360_000 }, () => {
  let engine: TestEngine;
  let host: string;
  const idOf = async (image: string): Promise<string> => (await engine.ask<{ Id: string }>('GET', `/images/${image}/json`)).Id;

  before(async () => {
    engine = await TestEngine.start({ images: false });
    host = `unix://${engine.socket}`;
    await loadBaseImage(engine.socket);
  });
  after(() => engine[Symbol.asyncDispose]());

  it('build: makes an image, tells of its steps, and is done at once the next time', async () => {
    const first = await nfioWithin(120_000, 'images', 'build', 'host', '--host', host);
    assert.deepEqual([first.status, first.err], [0, '']);
    assert.match(
      first.out,
      /^nfio\/host:latest 0 % step 1 of 5: ARG BASE=\S+\n(nfio\/host:latest \d+ % step \d of 5: .*\n)+nfio\/host:latest built\n$/,
    );
    const id = await idOf('nfio/host:latest');
    const second = await nfio('images', 'build', '--host', host, 'host');
    assert.equal(second.status, 0);
    assert.equal(await idOf('nfio/host:latest'), id);
  });

  it('list: shows what is there', async () => {
    const { out, status } = await nfio('images', '--host', host);
    assert.equal(status, 0);
    assert.match(out, /^host +nfio\/host:latest +\d+ MB +\d{4}-\d\d-\d\dT/m);
    assert.match(out, /^proxy +nfio\/proxy:latest +- +not there: nfio images build proxy$/m);
    const listed = JSON.parse((await nfio('images', 'list', '--json', '--host', host)).out) as { type: string; sizeBytes?: number }[];
    assert.ok((listed.find(({ type }) => type === 'host')?.sizeBytes ?? 0) > 1_000_000);
  });

  it('then mkdir and activate are enough, and the guest stops at once', async () => {
    await using mount = await mountOn(engine);
    await mount.run(`mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action
      echo 'ip -brief link show lo; cat /proc/1/cmdline | tr "\\0" " "' > nf-types/host/h/command`);
    assert.match(await mount.run('cat nf-types/host/h/machine/vm.image nf-types/host/h/status nf-types/host/h/command'), /running\nlo /);
    await mount.run('echo stop > nf-types/host/h/action', { timeoutMs: 5000 });
    assert.match(await mount.run('cat nf-types/host/h/status'), /^exited/);
  });

  it('a build that fails says which step, and why', async () => {
    const base = 'nfio-test-broken:latest';
    await engine.ask('POST', '/containers/create?name=broken', { Image: 'nfio/base:bookworm' });
    const changes = new URLSearchParams({ container: 'broken', repo: 'nfio-test-broken', tag: 'latest', changes: 'ENV PATH=/nowhere' });
    await engine.ask('POST', `/commit?${changes}`);
    const { status, err } = await nfio('images', 'build', 'nat', '--host', host, '--base', base);
    assert.equal(status, 1);
    assert.match(err, /^nfio: nfio\/nat:latest could not be built, step 4 of 4 \(RUN apt-get update .*\): .*apt-get: not found.*\n$/);
    assert.match((await nfio('images', '--host', host)).out, /^nat +nfio\/nat:latest +- /m);
  });

  it('says what is wrong: no registry, no engine, no such type, no such verb', async () => {
    const none = await nfio('images', 'build', 'host', '--host', host, '--base', '127.0.0.1:1/none:latest');
    assert.equal(none.status, 1);
    assert.match(
      none.err,
      /^nfio: unix:\S+ has no image 127\.0\.0\.1:1\/none:latest and cannot fetch it \(Docker says: .*connection refused\)\n$/,
    );
    const nobody = await nfio('images', '--host', `unix://${engine.directory}/nobody.sock`);
    assert.equal(nobody.status, 1);
    assert.match(nobody.err, /^nfio: the Docker Engine at unix:\S+ cannot be reached: /);
    const type = await nfio('images', 'build', 'hsot', '--host', host);
    assert.equal(type.status, 2);
    assert.match(type.err, /no image for the type hsot\. Did you mean host\?/);
    assert.equal((await nfio('images', 'biuld')).status, 2);
  });

  it('says that the disk is full before it begins', async () => {
    const small = mkdtempSync(join(tmpdir(), 'nfio-small-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', small]);
    try {
      await using full = await TestEngine.start({ images: false, dataRoot: small });
      const { status, err } = await nfio('images', 'build', 'host', '--host', `unix://${full.socket}`);
      assert.equal(status, 1);
      assert.match(err, /^nfio: unix:\S+ has \d+ MB left for images, and 512 MB are needed\. See what uses it: docker system df/);
    } finally {
      execFileSync('umount', [small]);
      rmSync(small, { recursive: true });
    }
  });
});
