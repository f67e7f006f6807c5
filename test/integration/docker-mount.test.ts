import { equal, match, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { activate, mountOn } from '../support/docker-mount.ts';
import { freePort } from '../support/free-port.ts';
import { loadTestImages, testImage } from '../support/guest-image.ts';
import type { TestMount } from '../support/mount.ts';
import { Registry } from '../support/registry.ts';

describe('a mount with containers', { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
  let engine: TestEngine;
  let mount: TestMount;

  before(async () => {
    engine = await TestEngine.start();
    mount = await mountOn(engine);
    await mount.run('mkdir networks/lan; echo 10.8.0.0/24 > networks/lan/subnet; mkdir -p nf-types/host nf-types/firewall');
    for (const [name, address] of [
      ['a', '10.8.0.1/24'],
      ['b', '10.8.0.2/24'],
    ] as const) {
      await mount.run(`mkdir nf-types/host/${name}; mkdir nf-types/host/${name}/ports/eth0; cd nf-types/host/${name}
        echo ${testImage} > machine/vm.image; echo lan > ports/eth0/network; echo ${address} > ports/eth0/address; echo activate > action`);
    }
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]().finally(() => engine[Symbol.asyncDispose]());
  });

  const command = (text: string): Promise<string> => mount.run(`echo '${text}' > nf-types/host/a/command; cat nf-types/host/a/command`);

  it('has the whole tree for them', async () => {
    equal(await mount.run('cat nf-types/host/*/status'), 'running\nrunning\n');
    match(await mount.run('cat nf-types/host/a/machine/vm.id'), /^[0-9a-f]{64}\n$/);
    equal(await mount.run('cat nf-types/host/b/machine/vm.ip'), '10.8.0.2\n');
    const before = Number(await mount.run('cat nf-types/host/b/stats/rx_packets'));
    match(await command('ping -n -c 5 -i 0.05 -W 2 10.8.0.2'), /5 received/);
    const counted = Number(await mount.run('cat nf-types/host/b/stats/rx_packets')) - before;
    ok(counted >= 5 && counted <= 9, `${counted} packets`);
    ok(Number(await mount.run('cat nf-types/host/b/stats/memory_bytes')) > 0);
    equal((await mount.sh('timeout 15 grep -r no.such.text.anywhere nf-types networks', { timeoutMs: 20_000 })).status, 1);
  });

  it('shares its networks with namespaces', async () => {
    await mount.run(`mkdir hosts/here; echo netns > hosts/here/hypervisor; echo 127.0.0.1 > hosts/here/address
      mkdir nf-types/host/n; mkdir nf-types/host/n/ports/eth0; cd nf-types/host/n
      echo here > machine/ip; echo lan > ports/eth0/network; echo 10.8.0.3/24 > ports/eth0/address; echo activate > action`);
    match(await command('ping -n -c 2 -i 0.05 -W 2 10.8.0.3'), /2 received/);
    await mount.run('echo destroy > nf-types/host/n/action; rmdir nf-types/host/n hosts/here');
  });

  it('takes one verb at a time on one container', async () => {
    const both = await mount.sh('echo restart > nf-types/host/b/action & sleep 0.1; echo stop > nf-types/host/b/action; wait');
    match(both.stderr, /Device or resource busy/);
    equal(await mount.run('cat nf-types/host/b/status nf-types/host/b/error'), 'running\n');
  });

  it('validates and applies rules in a container', async () => {
    await mount.run(`mkdir nf-types/firewall/f; mkdir nf-types/firewall/f/ports/eth0; cd nf-types/firewall/f
      echo ${testImage} > machine/vm.image; echo lan > ports/eth0/network; echo 10.8.0.9/24 > ports/eth0/address; echo activate > action`);
    await mount.sh('echo nonsense > nf-types/firewall/f/config/nf_conf');
    match(await mount.run('cat nf-types/firewall/f/error'), /^save: nf_conf line 1/);
    const rules = 'table ip t { chain c { type filter hook input priority 0; icmp type echo-request drop; }; }';
    await mount.run(`echo '${rules}' > nf-types/firewall/f/config/nf_conf`);
    match((await mount.sh("echo 'ping -n -c 3 -i 0.05 -W 1 10.8.0.9' > nf-types/host/a/command")).stderr, /Input\/output error/);
    equal(await mount.run('cat nf-types/firewall/f/stats/pkt_drops'), '3\n');
    await mount.run('echo restart > nf-types/firewall/f/action');
    match(await mount.run('echo nft list ruleset > nf-types/firewall/f/command; cat nf-types/firewall/f/command'), /echo-request/);
    await mount.run('echo destroy > nf-types/firewall/f/action; rmdir nf-types/firewall/f');
  });

  it('tells the last words of a main process that ends, and keeps its log', async () => {
    await mount.run(`mkdir nf-types/firewall/e; cd nf-types/firewall/e; echo ${testImage} > machine/vm.image
      cat > config/boot.conf <<'E'\ncommand=sh -c 'echo "no disk left: failed" >&2; exit 4'\nE`);
    match((await mount.sh('echo activate > nf-types/firewall/e/action')).stderr, /Input\/output error/);
    match(
      await mount.run('cat nf-types/firewall/e/error'),
      /^activate: its main process ended \(exit status 4\): no disk left: failed\. See all of it: cat nf-types\/firewall\/e\/log\n$/,
    );
    equal(await mount.run('cat nf-types/firewall/e/log'), 'no disk left: failed\n');
    await mount.run('rmdir nf-types/firewall/e');
  });

  it('changes limits and ports while they run', async () => {
    await mount.run('echo 0.5 > nf-types/host/a/machine/vm.vcpu; echo 256M > nf-types/host/a/machine/vm.memory');
    const id = (await mount.run('cat nf-types/host/a/machine/vm.id')).trim();
    const { HostConfig } = await engine.ask<{ HostConfig: { Memory: number; CpuQuota: number } }>('GET', `/containers/${id}/json`);
    equal(HostConfig.Memory, 256 * 1024 * 1024);
    equal(HostConfig.CpuQuota, 50_000);
    await mount.run(
      'mkdir nf-types/host/a/ports/extra; echo lan > nf-types/host/a/ports/extra/network; echo 10.8.0.33/24 > nf-types/host/a/ports/extra/address',
    );
    match(await command('ip -br addr'), /extra@.*10\.8\.0\.33/);
    await mount.run('rmdir nf-types/host/a/ports/extra');
    ok(!(await command('ip -br addr')).includes('extra'));
  });

  it('goes on when its server is killed, and finds everything when it is mounted again', async () => {
    const id = await mount.run('cat nf-types/host/a/machine/vm.id');
    process.kill(await mount.server(), 'SIGKILL');
    equal(await mount.run('cat nf-types/host/a/status; cat nf-types/host/a/machine/vm.id'), `running\n${id}`);
    await mount.unmount();
    await engine.ask('POST', `/containers/${id.trim()}/pause`);
    await mount.mount();
    equal(await mount.run('cat nf-types/host/*/status; cat nf-types/host/a/machine/vm.id'), `paused\nrunning\n${id}`);
    await mount.run('echo unpause > nf-types/host/a/action');
    match(await command('ping -n -c 2 -i 0.05 -W 2 10.8.0.2'), /2 received/);
    equal(await mount.run('ls nf-types/host/a/rfs | grep -c usr'), '1\n');
  });

  it('fetches an image that is not there, and says how far that is', async () => {
    await using registry = await Registry.start(await freePort());
    const image = await registry.take(engine, 'nfio-test-shell-less:latest', 'fetched');
    await mount.run(`mkdir nf-types/host/c; cd nf-types/host/c; echo ${image} > machine/vm.image
      echo 'command=sleep 1000' > config/boot.conf; echo activate > action`);
    equal(await mount.run('cat nf-types/host/c/status'), 'running\n');
    match(await mount.run('grep host/c events'), /"pulling 0 %"/);
    await mount.run('echo destroy > nf-types/host/c/action; rmdir nf-types/host/c');
  });

  it('says what is wrong when an image cannot be had', async () => {
    await mount.run('mkdir nf-types/host/d; echo 127.0.0.1:1/no/such > nf-types/host/d/machine/vm.image');
    match((await mount.sh('echo activate > nf-types/host/d/action')).stderr, /No such file or directory/);
    match(
      await mount.run('cat nf-types/host/d/error nf-types/host/d/status'),
      /has no image 127\.0\.0\.1:1\/no\/such.*docker pull[\s\S]*undeployed/,
    );
    await mount.run('rmdir nf-types/host/d');
  });

  it('shows what an engine that is gone leaves unknown', async () => {
    await engine.stop('SIGKILL');
    const deadline = performance.now() + 5000;
    while ((await mount.run('cat nf-types/host/a/status')) !== 'unknown\n' && performance.now() < deadline);
    equal(await mount.run('cat nf-types/host/*/status; cat hosts/local/status'), 'unknown\nunknown\nunreachable\n');
    match((await mount.sh('cat nf-types/host/a/stats/rx_bytes')).stderr, /No route to host/);
    match((await mount.sh('echo stop > nf-types/host/a/action')).stderr, /No route to host/);
    match(await mount.run('cat nf-types/host/a/error'), /nothing listens there/);
    await engine.run();
    while (/unknown/.test(await mount.run('cat nf-types/host/*/status')) && performance.now() < deadline + 5000);
    match(await mount.run('cat nf-types/host/*/status'), /^exited \(\d+\)\nexited \(\d+\)\n$/);
    await mount.run('for v in a b; do echo start > nf-types/host/$v/action; done');
    match(await command('ping -n -c 2 -i 0.05 -W 2 10.8.0.2'), /2 received/);
  });
});

describe('an engine whose disk is full', { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
  let disk: string;
  before(() => {
    disk = mkdtempSync(join(tmpdir(), 'nfio-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'nfio-test-disk', disk]);
  });
  after(() => {
    execFileSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true });
  });

  it('fails a deployment with ENOSPC and leaves everything as it was', async () => {
    await using engine = await TestEngine.start({ dataRoot: join(disk, 'data'), images: false });
    await loadTestImages(engine.socket);
    await using mount = await mountOn(engine);
    await activate(mount, 'a');
    await mount.run('mkdir nf-types/host/b');
    await mount.run(`echo ${testImage} > nf-types/host/b/machine/vm.image`);
    const filler = join(disk, 'filler');
    const fill = (): void => writeFileSync(filler, Buffer.alloc(96 * 1024 * 1024));
    try {
      fill();
    } catch {
      // as full as can be
    }
    match((await mount.sh('echo activate > nf-types/host/b/action')).stderr, /No space left on device/);
    match(await mount.run('cat nf-types/host/b/error'), /the engine's disk is full/);
    equal(await mount.run('cat nf-types/host/*/status'), 'running\nundeployed\n');
    rmSync(filler);
    await mount.run('echo activate > nf-types/host/b/action');
    equal(await mount.run('cat nf-types/host/*/status'), 'running\nrunning\n');
  });
});
