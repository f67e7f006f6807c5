import { equal, match, ok, rejects, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkPrograms } from '../../src/hypervisor/netns/required-programs.ts';
import { NetnsWorld, plainBoot, whyNoGuests } from '../support/netns-world.ts';

describe('netns guests with a boot.conf', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let world: NetnsWorld;

  before(() => {
    world = new NetnsWorld('nfio netns, a:b#\\"-');
  });
  after(() => world.close());

  it('see its mounts, wherever the directories are and whatever their names', async () => {
    const source = join(world.base, 'data: a, b');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'seen\n');
    const mounts = ['/data/in here', '/tmp/inside', '/srv/read-only'].map((target) => ({
      source,
      target,
      readOnly: target === '/srv/read-only',
    }));
    const spec = await world.running({ boot: { ...plainBoot, mounts } });
    for (const { target } of mounts) equal((await world.sh(spec, `cat '${target}/file'`)).stdout, 'seen\n');
    equal((await world.sh(spec, "echo x > '/data/in here/new' && cat '/tmp/inside/new'")).stdout, 'x\n');
    ok((await world.sh(spec, 'echo x > /srv/read-only/new')).exitCode !== 0);
  });

  it('are refused when a program that their type needs is not installed, and nothing is made', async () => {
    const spec = world.guest({ requires: [{ program: 'no-such-program', package: 'no-such-package' }] });
    await rejects(world.driver.deploy(spec, world.signal), {
      code: 'MissingToolError',
      message: /no-such-program.*apt-get install no-such-package/,
    });
    equal(world.driver.guestStatus(spec).state, 'absent');
  });

  it('are refused mounts of what does not exist', async () => {
    const mounts = [{ source: '/no/such', target: '/data', readOnly: false }];
    const spec = world.guest({ boot: { ...plainBoot, mounts } });
    await rejects(world.driver.deploy(spec, world.signal), { code: 'VNFDeployError', errnoName: 'ENOENT' });
    equal(world.driver.guestStatus(spec).state, 'absent');
  });

  it('have its kernel settings, also those of a port', async () => {
    const sysctl = { 'net.ipv4.ip_forward': '1', 'net.ipv4.conf.eth0.rp_filter': '2', 'net.ipv4.ip_local_port_range': '2000 3000' };
    const spec = await world.running({ boot: { ...plainBoot, sysctl }, ports: [world.port('10.8.1.1/24')] });
    const values = 'cd /proc/sys/net/ipv4; cat ip_forward conf/eth0/rp_filter ip_local_port_range';
    equal((await world.sh(spec, values)).stdout, '1\n2\n2000\t3000\n');
  });

  it('name the setting that does not exist', async () => {
    const spec = world.guest({ boot: { ...plainBoot, sysctl: { 'net.ipv4.no_such': '1' } } });
    await world.driver.deploy(spec, world.signal);
    await rejects(world.driver.start(spec, world.signal), /sysctl net\/ipv4\/no_such/);
    equal(world.driver.guestStatus(spec).state, 'created');
    await world.driver.destroy(spec, { force: true, signal: world.signal });
  });

  it('have more capabilities only when it says so', async () => {
    const granted = await world.running({ boot: { ...plainBoot, capabilities: ['sys_nice'] } });
    match((await world.sh(granted, 'nice -n -5 true && grep CapEff /proc/self/status')).stdout, /00000000a08435fb/);
    const privileged = await world.running({ boot: { ...plainBoot, privileged: true } });
    equal((await world.sh(privileged, 'mount -t tmpfs none /mnt && echo mounted')).stdout, 'mounted\n');
    const spec = world.guest({ boot: { ...plainBoot, capabilities: ['no_such'] } });
    await world.driver.deploy(spec, world.signal);
    await rejects(world.driver.start(spec, world.signal), { code: 'InvalidValueError' });
    await world.driver.destroy(spec, { force: true, signal: world.signal });
  });

  it('run commands of several lines', async () => {
    const spec = await world.running({ command: ['sh', '-c', 'echo one\necho two\nexec sleep 1000'] });
    const log = world.driver.logPath(spec);
    for (let tries = 0; tries < 100 && !readFileSync(log, 'utf8').includes('two'); tries++) await sleep(20);
    equal(readFileSync(log, 'utf8'), 'one\ntwo\n');
    equal(world.driver.guestStatus(spec).state, 'running');
  });

  it('say what is full when a start finds no room, and are as before', async () => {
    const cramped = new NetnsWorld();
    const disk = join(cramped.base, 'run');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', disk]);
    const { driver, signal } = cramped;
    const spec = cramped.guest();
    try {
      await driver.deploy(spec, signal);
      throws(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(1024 * 1024)), { code: 'ENOSPC' });
      await rejects(driver.start(spec, signal), { code: 'VNFStartError', errnoName: 'ENOSPC' });
      equal(driver.guestStatus(spec).state, 'created');
      rmSync(join(disk, 'filler'));
      await driver.start(spec, signal);
      await driver.stop(spec, signal);
      await driver.destroy(spec, { force: true, signal });
      await driver[Symbol.asyncDispose]();
    } finally {
      execFileSync('umount', [disk]);
    }
    await cramped.close();
  });

  it('say which program is missing, and what brings it', () => {
    throws(() => checkPrograms('/nowhere'), { code: 'MissingToolError', message: /apt-get install iproute2/ });
  });
});
