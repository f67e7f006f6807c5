import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { DockerWorld } from '../support/docker-world.ts';
import { shellLessImage, testImage } from '../support/guest-image.ts';
import { plainBoot } from '../support/hypervisor-world.ts';

/** Capabilities by number (linux/capability.h): chown, dac_override, fowner, kill, setgid, setuid, setpcap, net_bind_service, net_admin, net_raw, sys_chroot. */
const expectedCapabilities = [0, 1, 3, 5, 6, 7, 8, 10, 12, 13, 18].reduce((mask, number) => mask | (1n << BigInt(number)), 0n);

describe('docker guests', { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
  let engine: TestEngine;
  let world: DockerWorld;

  before(async () => {
    engine = await TestEngine.start();
    world = new DockerWorld(engine);
  });
  after(async () => {
    await world?.close().finally(() => engine[Symbol.asyncDispose]());
  });

  const inGuest = async (spec: GuestSpec, script: string): Promise<string> => (await world.sh(spec, script)).stdout;

  it('have no more power over the machine than a network function needs', async () => {
    const spec = await world.running();
    const status = await inGuest(spec, 'cat /proc/self/status');
    equal(BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1]}`), expectedCapabilities);
    match(status, /^NoNewPrivs:\s*1$/m);
    match(status, /^Seccomp:\s*2$/m);
    for (const attempt of ['mknod /tmp/d b 254 0', 'echo x > /proc/sys/kernel/hostname', 'nsenter -t 1 -m true', 'echo x > /etc/nfio/x'])
      ok((await world.sh(spec, attempt)).exitCode !== 0, attempt);
    equal((await world.sh(spec, 'nft add table inet own && ip link add v type veth peer name w')).exitCode, 0);
  });

  it('of other owners than root have no power over networks beyond theirs, but what boot.conf gives', async () => {
    const admin = 1n << 12n;
    const spec = await world.running({ owner: 1234, ports: [world.port('10.1.9.1/24')] });
    equal(BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(await inGuest(spec, 'cat /proc/self/status'))?.[1]}`), expectedCapabilities & ~admin);
    ok((await world.sh(spec, 'ip link add v type veth peer name w')).exitCode !== 0);
    equal(await inGuest(spec, 'ip -o -4 addr show dev eth0 | grep -c 10.1.9.1'), '1\n', 'nf.io sets up its network all the same');
    const given = await world.running({ owner: 1234, boot: { ...plainBoot, capabilities: ['net_admin'] } });
    equal((await world.sh(given, 'ip link add v type veth peer name w')).exitCode, 0);
  });

  it('are what boot.conf says', async () => {
    const directory = join(world.base, 'shared');
    mkdirSync(directory);
    writeFileSync(join(directory, 'file'), 'of the machine\n');
    const spec = await world.running({
      command: ['sh', '-c', 'echo "$A|$1" > /tmp/seen; exec sleep 1000', 'sh', 'two words'],
      boot: {
        ...plainBoot,
        env: { A: 'x "y" $z' },
        capabilities: ['sys_nice'],
        sysctl: { 'net.ipv4.ip_forward': '1', 'net.ipv4.conf.all.rp_filter': '0' },
        mounts: [
          { source: directory, target: '/mnt/shared', readOnly: true },
          { source: directory, target: '/mnt/own', readOnly: false },
        ],
        dns: ['192.0.2.53'],
      },
      hosts: ['192.0.2.7 gateway gw'],
    });
    equal(await inGuest(spec, 'cat /tmp/seen'), 'x "y" $z|two words\n');
    equal(await inGuest(spec, 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter'), '1\n0\n');
    equal(
      await inGuest(spec, 'cat /mnt/shared/file; echo more >> /mnt/own/file; echo x > /mnt/shared/no || echo refused'),
      'of the machine\nrefused\n',
    );
    equal(readFileSync(join(directory, 'file'), 'utf8'), 'of the machine\nmore\n');
    match(
      await inGuest(spec, 'cat /etc/resolv.conf /etc/hosts'),
      /nameserver 192\.0\.2\.53[\s\S]*192\.0\.2\.7\s+gateway[\s\S]*192\.0\.2\.7\s+gw/,
    );
    const effective = BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(await inGuest(spec, 'cat /proc/self/status'))?.[1]}`);
    equal(effective, expectedCapabilities | (1n << 23n));
  });

  it('refuse what acts on the whole machine, or cannot be, and leave nothing', async () => {
    const refused: readonly (readonly [Partial<GuestSpec>, object])[] = [
      [{ image: '' }, { code: 'VNFImageNameIsEmptyError', errnoName: 'EINVAL', message: /vm\.image/ }],
      [{ boot: { ...plainBoot, sysctl: { 'kernel.hostname': 'x' } } }, { code: 'UnsupportedError', errnoName: 'EOPNOTSUPP' }],
      [
        { boot: { ...plainBoot, mounts: [{ source: '/no/such', target: '/x', readOnly: true }] } },
        { code: 'VNFDeployError', errnoName: 'EINVAL' },
      ],
      [{ boot: { ...plainBoot, network: 'no-such-network' } }, { errnoName: 'ENOENT', message: /no-such-network/ }],
      [
        { boot: { ...plainBoot, network: 'bridge' }, ports: [world.port('10.5.0.1/24')] },
        { code: 'InvalidValueError', message: /eth0 is Docker's/ },
      ],
      [{ command: ['/no/such/program'] }, { code: 'VNFStartError', message: /no\/such\/program/ }],
    ];
    for (const [overrides, error] of refused) {
      const spec = world.guest(overrides);
      await rejects(
        world.driver.deploy(spec, world.signal).then(() => world.driver.start(spec, world.signal)),
        error,
      );
      await world.driver.destroy(spec, { force: true, signal: world.signal });
    }
    const left = await engine.ask<{ Labels: Record<string, string> }[]>('GET', '/containers/json?all=1');
    deepEqual(
      left.filter(({ Labels }) => !world.guests.some(({ id }) => id === Labels['io.nfio.id'])),
      [],
    );
  });

  it('know their own name', async () => {
    const spec = await world.running();
    equal((await world.sh(spec, 'grep -c "^127.0.1.1[[:space:]]*$(hostname)$" /etc/hosts')).stdout, '1\n');
  });

  it('tell in NFIO_PORTS which interfaces to wait for, have their config at /etc/nfio and a process that reaps', async () => {
    const spec = world.guest({ ports: [world.port('10.5.1.1/24'), world.port('10.5.2.1/24', { name: 'wan' })] });
    writeFileSync(join(spec.configDir, 'nf_conf'), 'rules\n');
    world.guests.push(spec);
    await world.driver.deploy(spec, world.signal);
    await world.driver.start(spec, world.signal);
    equal(
      await inGuest(spec, 'cat /etc/nfio/nf_conf; tr "\\0" "\\n" < /proc/1/environ | grep NFIO_PORTS; cat /proc/1/comm'),
      'rules\nNFIO_PORTS=eth0 wan\ndocker-init\n',
    );
    writeFileSync(join(spec.configDir, 'nf_conf'), 'other rules\n');
    equal(await inGuest(spec, 'cat /etc/nfio/nf_conf'), 'other rules\n');
  });

  it('run commands: 10 MiB of output, both kinds in order, honest statuses, input', async () => {
    const spec = await world.running();
    let bytes = 0;
    const onOutput = (chunk: Uint8Array): void => {
      bytes += chunk.length;
    };
    const big = await world.driver.executeInGuest(
      spec,
      { argv: ['dd', 'if=/dev/zero', 'bs=1M', 'count=10'] },
      { signal: world.signal, onOutput },
    );
    equal(big.exitCode, 0);
    ok(bytes >= 10 * 1024 * 1024);
    const megabyte = 'x'.repeat(1024 * 1024);
    equal(
      (await world.driver.executeInGuest(spec, { argv: ['wc', '-c'], stdin: megabyte }, { signal: world.signal })).stdout.trim(),
      '1048576',
    );
    equal((await world.driver.executeInGuest(spec, { argv: ['/etc/passwd'] }, { signal: world.signal })).exitCode, 126);
  });

  it('end with all it started a command that is interrupted', async () => {
    const spec = await world.running();
    const abort = new AbortController();
    const waiting = world.driver.executeInGuest(spec, { argv: ['sh', '-c', 'sleep 5511 & sleep 5512 & wait'] }, { signal: abort.signal });
    await sleep(400);
    abort.abort();
    await rejects(waiting, { code: 'InterruptedError', errnoName: 'EINTR' });
    equal(await inGuest(spec, 'ps -eo args | grep -c "[s]leep 551"'), '0\n');
  });

  it('say that an image has no shell', async () => {
    const spec = await world.running({ image: shellLessImage });
    await rejects(world.sh(spec, 'echo'), {
      code: 'VNFCommandExecutionError',
      errnoName: 'ENOENT',
      message: /no sh: commands need an image with a shell/,
    });
  });

  it('write a log that is whole, each line once, whatever becomes of nf.io', async () => {
    const count =
      'i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo line $i; [ $((i % 10)) != 0 ] || echo err $i >&2; sleep 0.01; done; head -c 40000 /dev/zero | tr "\\0" x; echo; echo end; exec sleep 1000';
    const spec = await world.running({ command: ['sh', '-c', count] });
    for (const pause of [300, 700, 500]) {
      await sleep(pause);
      const fresh = await world.again();
      // As after a kill: what was appended last was not noted, and will come again.
      appendFileSync(world.driver.logPath(spec), 'line of which nobody took note');
      await fresh.recover(world.guests, world.signal);
    }
    const read = (): string => readFileSync(world.driver.logPath(spec), 'utf8');
    const deadline = performance.now() + 20_000;
    while (!read().endsWith('end\n') && performance.now() < deadline) await sleep(50);
    const lines = read().split('\n');
    deepEqual(
      lines.filter((line) => line.startsWith('line')),
      Array.from({ length: 200 }, (_, index) => `line ${index + 1}`),
    );
    deepEqual(
      lines.filter((line) => line.startsWith('err')),
      Array.from({ length: 20 }, (_, index) => `err ${(index + 1) * 10}`),
    );
    equal(lines.filter((line) => line === 'end').length, 1);
    await world.driver.restart({ ...spec }, world.signal);
    equal(world.driver.guestStatus(spec).state, 'running');
  });

  it('do not lead the log, or the copy of config/, out of their directories', async () => {
    const spec = await world.running();
    symlinkSync('/etc/shadow', join(spec.configDir, 'link'));
    match((await world.sh(spec, 'cat /etc/nfio/link')).stderr, /No such file/);
  });

  it('keep their image while it is removed, and cannot be made without one', async () => {
    const spec = world.guest({ image: 'localhost:1/no/such:image' });
    const words: string[] = [];
    world.driver.onChange((ref, status) => ref.id === spec.id && words.push(status.word));
    await rejects(world.driver.deploy(spec, world.signal), {
      code: 'NotFoundError',
      errnoName: 'ENOENT',
      message: /docker pull localhost:1/,
    });
    deepEqual(words, ['pulling 0 %']);
    equal(world.driver.guestStatus(spec).state, 'absent');
    const ours = world.guest({ image: 'nfio/host:none', type: 'host' });
    await rejects(world.driver.deploy(ours, world.signal), { errnoName: 'ENOENT', message: /nfio images build host/ });
    equal(
      (await engine.ask<unknown[]>('GET', `/images/json?filters=${encodeURIComponent(JSON.stringify({ reference: [testImage] }))}`)).length,
      1,
    );
  });

  it('can be given up while they are made, and leave nothing', async () => {
    const abort = new AbortController();
    const spec = world.guest();
    const deploying = world.driver.deploy(spec, abort.signal);
    await sleep(5);
    abort.abort();
    await rejects(deploying, { code: 'InterruptedError' });
    await sleep(500);
    const left = await engine.ask<{ Labels: Record<string, string> }[]>('GET', '/containers/json?all=1');
    deepEqual(
      left.filter(({ Labels }) => Labels['io.nfio.id'] === spec.id),
      [],
    );
  });
});
