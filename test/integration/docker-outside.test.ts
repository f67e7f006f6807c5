import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestSpec, GuestStatus } from '../../src/domain/ports/hypervisor.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { DockerWorld } from '../support/docker-world.ts';
import { testImage } from '../support/guest-image.ts';

/** What people see within a second; the rest is for a busy machine. */
const soonMs = 3000;

describe('docker guests, changed behind our back', { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
  let engine: TestEngine;
  let world: DockerWorld;

  before(async () => {
    engine = await TestEngine.start();
    world = new DockerWorld(engine);
  });
  after(async () => {
    await world?.close().finally(() => engine[Symbol.asyncDispose]());
  });

  const docker = async (spec: GuestSpec, method: string, path: string): Promise<void> =>
    engine.ask(method, `/containers/${await world.driver.getId(spec, world.signal)}${path}`);
  /** The next statuses that are told of a guest. */
  const toldUntil = (spec: GuestSpec, isEnough: (statuses: readonly GuestStatus[]) => boolean): Promise<GuestStatus[] | undefined> => {
    const statuses: GuestStatus[] = [];
    const enough = new Promise<GuestStatus[]>((resolve) => {
      world.driver.onChange((ref, status) => {
        if (ref.id !== spec.id) return;
        statuses.push(status);
        if (isEnough(statuses)) resolve(statuses);
      });
    });
    return Promise.race([enough, sleep(soonMs, undefined, { ref: false })]);
  };
  const told = (spec: GuestSpec, count: number): Promise<GuestStatus[] | undefined> => toldUntil(spec, ({ length }) => length === count);
  const pings = (from: GuestSpec, address: string): Promise<number> =>
    world.sh(from, `ping -n -c 2 -i 0.1 -W 2 ${address}`).then(({ exitCode }) => exitCode);

  it('shows docker stop, kill, pause and unpause as they happen, each told once', async () => {
    const spec = await world.running();
    for (const [path, status] of [
      ['/pause', { state: 'paused', word: 'paused' }],
      ['/unpause', { state: 'running', word: 'running' }],
      ['/kill', { state: 'exited', word: 'exited', exitCode: 137 }],
      ['/start', { state: 'running', word: 'running' }],
      ['/stop', { state: 'exited', word: 'exited', exitCode: 143 }],
    ] as const) {
      const changes = told(spec, 1);
      await docker(spec, 'POST', path);
      deepEqual(await changes, [status], path);
      deepEqual(world.driver.guestStatus(spec), status);
    }
    await world.driver.start(spec, world.signal);
    equal(world.driver.guestStatus(spec).state, 'running');
  });

  it('gives a guest that someone restarts its ports again', async () => {
    const [a, b] = [
      await world.running({ ports: [world.port('10.4.0.1/24')] }),
      await world.running({ ports: [world.port('10.4.0.2/24')] }),
    ];
    equal(await pings(a, '10.4.0.2'), 0);
    const changes = toldUntil(b, (statuses) => statuses.at(-1)?.word === 'running');
    await docker(b, 'POST', '/restart?t=1');
    // It may run again before anybody has seen that it had ended.
    match((await changes)?.map(({ word }) => word).join() ?? 'nothing', /^(exited,)?running$/);
    equal(await pings(a, '10.4.0.2'), 0);
    await world.driver.restart(b, world.signal);
    equal(await pings(a, '10.4.0.2'), 0);
  });

  it('knows a guest by its id: docker rename changes nothing, docker rm does', async () => {
    const spec = await world.running();
    await docker(spec, 'POST', '/rename?name=something-else');
    equal((await world.sh(spec, 'echo here')).stdout, 'here\n');
    const changes = told(spec, 1);
    await docker(spec, 'DELETE', '?force=1');
    equal((await changes)?.[0]?.state, 'absent');
    await rejects(world.driver.start(spec, world.signal), { code: 'VNFNotFoundError' });
    await world.driver.deploy(spec, world.signal);
    await world.driver.start(spec, world.signal);
    equal(world.driver.guestStatus(spec).state, 'running');
  });

  it('never touches a container of a stranger that has its name', async () => {
    const spec = world.guest();
    const name = `nfio-${world.mountId}-0-${spec.type}-${spec.name}`;
    const { Id } = await engine.ask<{ Id: string }>('POST', `/containers/create?name=${name}`, { Image: testImage });
    await rejects(world.driver.deploy(spec, world.signal), { code: 'VNFDeployError', errnoName: 'EEXIST', message: /docker rename/ });
    equal(world.driver.guestStatus(spec).state, 'absent');
    await world.driver.destroy(spec, { force: true, signal: world.signal });
    equal((await engine.ask<{ State: { Status: string } }>('GET', `/containers/${Id}/json`)).State.Status, 'created');
    await engine.ask('DELETE', `/containers/${Id}`);
  });

  it('takes over what a deployment that was cut short has left, under its name', async () => {
    const spec = world.guest();
    const Labels = { 'io.nfio.mount': world.mountId, 'io.nfio.id': spec.id, 'io.nfio.type': spec.type, 'io.nfio.name': spec.name };
    await engine.ask('POST', `/containers/create?name=nfio-${world.mountId}-0-${spec.type}-${spec.name}`, { Image: testImage, Labels });
    await world.driver.deploy(spec, world.signal);
    world.guests.push(spec);
    equal(world.driver.guestStatus(spec).state, 'created');
  });

  it('shows unknown while the engine is away, and what became of its guests when it is back', async () => {
    const [alive, created] = [await world.running({ ports: [world.port('10.4.1.1/24')] }), world.guest()];
    world.guests.push(created);
    await world.driver.deploy(created, world.signal);
    const gone = told(alive, 1);
    await engine.stop('SIGTERM');
    // Its guests are ended first, and may be seen to be.
    ok(['exited', 'unknown'].includes((await gone)?.[0]?.word ?? ''));
    const begin = performance.now();
    while (world.driver.guestStatus(alive).word !== 'unknown' && performance.now() - begin < soonMs) await sleep(20);
    equal(world.driver.guestStatus(alive).state, 'unknown');
    for (const verb of ['start', 'stop', 'pause', 'restart'] as const)
      await rejects(world.driver[verb](alive, world.signal), { code: 'HypervisorConnectionError', errnoName: 'EHOSTUNREACH' }, verb);
    await rejects(world.driver.counters(alive, world.signal), { errnoName: 'EHOSTUNREACH' });
    await rejects(world.driver.destroy(alive, { force: true, signal: world.signal }), { errnoName: 'EHOSTUNREACH' });
    const back = told(alive, 1);
    await engine.run();
    match((await back)?.[0]?.word ?? '', /exited/);
    equal(world.driver.guestStatus(created).state, 'created');
    await world.driver.start(alive, world.signal);
    equal(world.driver.guestStatus(alive).state, 'running');
  });

  it('loses nothing when the engine is killed: guests, ports and log', async () => {
    const spec = await world.running({ command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'] });
    await sleep(300);
    const gone = told(spec, 1);
    await engine.stop('SIGKILL');
    deepEqual(
      (await gone)?.map(({ state }) => state),
      ['unknown'],
    );
    const back = told(spec, 1);
    await engine.run();
    // Without live-restore an engine ends the containers that it finds.
    deepEqual(
      (await back)?.map(({ state }) => state),
      ['exited'],
    );
    await world.driver.start(spec, world.signal);
    await sleep(500);
    await world.driver.stop(spec, world.signal);
    const lines = readFileSync(world.driver.logPath(spec), 'utf8').trim().split('\n').map(Number);
    const restart = lines.lastIndexOf(1);
    ok(restart > 3, `${restart} lines before, ${lines.length} in all`);
    deepEqual(lines, [...lines.slice(0, restart).map((_, index) => index + 1), ...lines.slice(restart).map((_, index) => index + 1)]);
  });

  it('finds everything again when nf.io was away, records lost or not, and removes what is in none', async () => {
    const [kept, lost, orphan] = [
      await world.running({ ports: [world.port('10.4.2.1/24')] }),
      await world.running(),
      await world.running(),
    ];
    const ids = await Promise.all([kept, lost].map((spec) => world.driver.getId(spec, world.signal)));
    const orphanId = await world.driver.getId(orphan, world.signal);
    rmSync(`${lost.guestDir}/guest.json`);
    const fresh = await world.again();
    await engine.ask('POST', `/containers/${ids[0]}/pause`);
    await fresh.recover(
      world.guests.filter((spec) => spec !== orphan),
      world.signal,
    );
    deepEqual(await Promise.all([kept, lost].map((spec) => fresh.getId(spec, world.signal))), ids);
    deepEqual([fresh.guestStatus(kept).word, fresh.guestStatus(lost).word], ['paused', 'running']);
    await rejects(engine.ask('GET', `/containers/${orphanId}/json`), /404/);
    ok(world.warnings.some((line) => line.includes('in no record')));
    await fresh.unpause(kept, world.signal);
    equal(await fresh.getIp(kept, world.signal), '10.4.2.1');
    await fresh.restart(lost, world.signal);
  });
});
