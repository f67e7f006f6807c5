import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestSpec, HypervisorDriver } from '../../src/domain/ports/hypervisor.ts';
import { domainName } from '../../src/hypervisor/libvirt/labels.ts';
import { makeTaps, moveTaps, removeTaps } from '../../src/network/index.ts';
import { qemuOf } from '../support/libvirt-contract.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { LibvirtWorld } from '../support/libvirt-world.ts';
import { plainBoot } from '../support/netns-world.ts';
import { patient } from '../support/patience.ts';

/** A disk whose boot sector does nothing, for ever: a machine that runs at once, and never has an agent. */
function idleDisk(path: string): string {
  const sector = Buffer.alloc(1024 * 1024);
  sector.set([0xf4, 0xeb, 0xfd]); // hlt; jmp back
  sector.set([0x55, 0xaa], 510);
  writeFileSync(path, sector, { mode: 0o644 });
  return path;
}

describe('libvirt, when things go wrong', { skip: whyNoLibvirt() ?? false, timeout: patient(360_000) }, () => {
  let daemon: LibvirtDaemon;
  let world: LibvirtWorld;
  let disk: string;
  const { signal } = new AbortController();
  const virsh = (...argv: readonly string[]): string =>
    execFileSync('virsh', ['-q', '-c', daemon.uri, ...argv], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const guest = (overrides: Partial<GuestSpec> = {}): GuestSpec => {
    const spec = world.guest({ image: disk, ...overrides });
    world.guests.push(spec);
    return spec;
  };
  /** A deployment fails in this way, and leaves nothing. */
  const refused = async (overrides: Partial<GuestSpec>, expected: object, driver: HypervisorDriver = world.driver): Promise<void> => {
    const spec = guest(overrides);
    await assert.rejects(driver.deploy(spec, signal), expected);
    assert.equal(driver.guestStatus(spec).state, 'absent');
    assert.ok(!virsh('list', '--all', '--name').includes(spec.id));
    assert.ok(!existsSync(spec.guestDir) || readdirSync(spec.guestDir).length === 0, 'files are left');
  };
  const image = (name: string, content: string | Uint8Array, mode = 0o644): string => {
    const path = join(world.base, name);
    writeFileSync(path, content, { mode });
    chmodSync(path, mode);
    return path;
  };

  before(async () => {
    daemon = await LibvirtDaemon.start();
    world = new LibvirtWorld(daemon.uri, '', { agentTimeoutMs: 500 });
    chmodSync(world.base, 0o755);
    disk = idleDisk(join(world.base, 'idle.img'));
  });
  after(async () => {
    await world.close();
    await daemon[Symbol.asyncDispose]();
  });

  it('says how to get a libvirtd where none answers, and what an address is', async () => {
    const none = new LibvirtWorld('qemu+unix:///system?socket=/nowhere/libvirt-sock', disk);
    await refused({}, { code: 'HypervisorConnectionError', errnoName: 'ECONNREFUSED', message: /apt-get install/ }, none.driver);
    await none.close();
    await refused({ host: 'xen:///' }, { code: 'InvalidValueError', errnoName: 'EINVAL', message: /qemu\+ssh/ });
    await refused({ host: 'qemu+tls://127.0.0.1:1/system' }, { code: 'HypervisorConnectionError' });
    assert.equal(world.driver.hostStatus('qemu+tls://127.0.0.1:1/system').state, 'unreachable');
  });

  it('refuses images that are missing, unreadable, damaged or none', async () => {
    const wrong = (errnoName: string, message: RegExp): object => ({ code: 'VNFDeployError', errnoName, message });
    await refused({ image: '' }, { code: 'VNFImageNameIsEmptyError', errnoName: 'EINVAL' });
    await refused({ image: '/nowhere/disk.qcow2' }, wrong('ENOENT', /does not exist/));
    await refused({ image: 'debian:12' }, wrong('EINVAL', /absolute path/));
    await refused({ image: image('private.img', readFileSync(disk), 0o600) }, wrong('EACCES', /readable for everyone.* Fix: /));
    mkdirSync(join(world.base, 'closed'), { mode: 0o700 });
    await refused({ image: idleDisk(join(world.base, 'closed/idle.img')) }, wrong('EACCES', /cannot pass/));
    // Nobody is told what is in a directory that is closed, nor by a link into it.
    await refused({ image: join(world.base, 'closed/nothing.img') }, wrong('EACCES', /cannot pass .*closed,/));
    symlinkSync(join(world.base, 'closed/nothing.img'), join(world.base, 'way-in.img'));
    await refused({ image: join(world.base, 'way-in.img') }, wrong('EACCES', /cannot pass .*closed,/));
    symlinkSync(join(world.base, 'loop.img'), join(world.base, 'loop.img'));
    await refused({ image: join(world.base, 'loop.img') }, wrong('ELOOP', /links/));
    await refused({ image: image('text.img', 'no disk at all') }, wrong('EINVAL', /no disk that boots/));
    await refused({ image: image('damaged.qcow2', 'QFI\xfb and no more') }, wrong('EINVAL', /damaged/));
    mkdirSync(join(world.base, 'directory'));
    await refused({ image: join(world.base, 'directory') }, wrong('ENOENT', /kernel does not exist/));
    await refused({ boot: { ...plainBoot, machine: { kernel: image('kernel', 'MZ') } } }, wrong('EINVAL', /not a Linux kernel/));
    await refused({ boot: { ...plainBoot, machine: { userData: 'absent' } } }, wrong('ENOENT', /user-data/));
  });

  it('does not let an image have other files read', async () => {
    const path = join(world.base, 'linked.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', path, '1M']);
    await refused({ image: path }, { code: 'VNFDeployError', errnoName: 'EINVAL', message: /built on another file/ });
  });

  it('does not show what is in a file of root that image.json leads to', async () => {
    const secret = image('secret', 'the word of root', 0o600);
    mkdirSync(join(world.base, 'leading'));
    symlinkSync(secret, join(world.base, 'leading/image.json'));
    const told = await world.driver.deploy(guest({ image: join(world.base, 'leading') }), signal).then(
      () => 'made',
      (error: unknown) => String(error),
    );
    assert.match(told, /not readable for everyone/);
    assert.ok(!told.includes('word'), told);
  });

  it('gives no file that it starts from away, nor lets its owner exchange it', async () => {
    const mine = join(world.base, 'mine.img');
    writeFileSync(mine, readFileSync(disk), { mode: 0o644 });
    chownSync(mine, 1234, 1234);
    for (const path of [disk, mine]) {
      const before = statSync(path);
      const spec = await world.running({ image: path });
      assert.deepEqual([statSync(path).uid, statSync(path).mode], [before.uid, before.mode]);
      const qemu = qemuOf(virsh('domuuid', domainName(world.mountId, spec.id)).trim());
      const opened = readdirSync(`/proc/${qemu}/fd`).map((fd) => readlinkSync(`/proc/${qemu}/fd/${fd}`));
      const base = path === disk ? disk : join(spec.guestDir, 'base.raw');
      assert.deepEqual(
        opened.filter((name) => name.startsWith(world.base) && /base.raw|[.]img$/.test(name)),
        [base],
      );
      await world.driver.destroy(spec, { force: true, signal });
      assert.equal(statSync(path).uid, before.uid);
    }
  });

  it('refuses what the machine does not have', async () => {
    const limits = { vcpu: undefined, memoryBytes: 2 ** 50 };
    await refused({ limits }, { code: 'VNFStartError', errnoName: 'ENOMEM', message: /MiB/ });
    const boot = { ...plainBoot, machine: { machine: 'vax' } };
    await refused({ boot }, { code: 'VNFDeployError', message: /vax/ });
  });

  it('leaves a stranger’s domain alone that has the name of one of ours', async () => {
    const spec = guest();
    const name = domainName(world.mountId, spec.id);
    const xml = `<domain type='qemu'><name>${name}</name><memory>65536</memory><os><type arch='x86_64'>hvm</type></os></domain>`;
    virsh('define', image('stranger.xml', xml));
    const uuid = virsh('domuuid', name);
    await assert.rejects(world.driver.deploy(spec, signal), { code: 'VNFDeployError', errnoName: 'EEXIST', message: /virsh domrename/ });
    await world.driver.destroy(spec, { force: true, signal });
    assert.equal(virsh('domuuid', name), uuid);
    virsh('undefine', name);
  });

  it('runs a guest without an agent, and says what is missing', async () => {
    const before = readFileSync(disk);
    const spec = await world.running({ image: disk, ports: [world.port('10.1.8.1/24')] });
    const remedy = { code: 'UnsupportedError', errnoName: 'EOPNOTSUPP', message: /apt-get install qemu-guest-agent/ };
    await assert.rejects(world.sh(spec, 'true'), remedy);
    assert.equal(world.driver.guestStatus(spec).state, 'running');
    assert.equal(world.driver.counterSource(spec)?.kind, 'procfs');
    assert.ok(existsSync(join(spec.guestDir, 'overlay.qcow2')));
    assert.match(execFileSync('isoinfo', ['-d', '-i', join(spec.guestDir, 'seed.iso')], { encoding: 'utf8' }), /Volume id: CIDATA/);
    assert.equal(statSync(spec.guestDir).mode & 0o777, 0o711);
    await world.driver.destroy(spec, { force: true, signal });
    assert.ok(!existsSync(spec.guestDir));
    assert.ok(readFileSync(disk).equals(before), 'the base is never written');
  });

  it('finds a guest that was made and not started, finishes it, and removes orphans', async () => {
    const [spec, orphan] = [guest(), guest()];
    for (const each of [spec, orphan]) await world.driver.deploy(each, signal);
    const driver = await world.again();
    await driver.recover([spec], signal);
    assert.deepEqual(driver.guestStatus(spec), { state: 'created', word: 'shut off' });
    assert.equal(driver.guestStatus(orphan).state, 'absent');
    assert.ok(!virsh('list', '--all', '--name').includes(orphan.id));
    await driver.start(spec, signal);
    assert.equal(driver.guestStatus(spec).state, 'running');
    assert.match(driver.description?.(spec) ?? '', /<domain type='qemu'/);
  });

  it('outlives its daemon: unknown while that is away, as before when it is back', async () => {
    const spec = await world.running({ image: disk });
    const uuid = await world.driver.getId(spec, signal);
    const changes: string[] = [];
    world.driver.onChange((ref, { word }) => ref.id === spec.id && changes.push(word));
    await daemon.kill();
    for (let tries = 0; tries < 100 && world.driver.guestStatus(spec).state !== 'unknown'; tries++) await sleep(20);
    assert.deepEqual(world.driver.guestStatus(spec), { state: 'unknown', word: 'unknown' });
    await assert.rejects(world.driver.stop(spec, signal), { code: 'HypervisorConnectionError' });
    assert.ok(qemuOf(uuid) > 0, 'the guest goes on');
    await daemon.run();
    for (let tries = 0; tries < 1000 && world.driver.guestStatus(spec).state !== 'running'; tries++) await sleep(20);
    assert.deepEqual(changes, ['unknown', 'running']);
    await world.driver.pause(spec, signal);
    assert.equal(world.driver.guestStatus(spec).state, 'paused');
  });

  it('keeps a port as it is that cannot be changed, and plugs none into a guest that cannot use it', async () => {
    const port = world.port('10.1.9.1/24');
    const spec = await world.running({ image: disk, ports: [port] });
    await assert.rejects(world.driver.setPort(spec, { before: undefined, after: world.port('10.1.9.2/24', { name: 'eth1' }) }, signal), {
      code: 'UnsupportedError',
    });
    assert.equal(
      virsh('domiflist', await world.driver.getId(spec, signal))
        .trim()
        .split('\n').length,
      1,
    );
    assert.equal(await world.driver.getIp(spec, signal), '10.1.9.1');
  });

  it('takes no tap for its own that another mount starts a guest with: their ports have the same ids', async () => {
    const other = new LibvirtWorld(daemon.uri, disk);
    chmodSync(other.base, 0o755);
    try {
      const ports = [world.port('10.1.10.1/24')];
      await makeTaps(ports, { fabric: other.fabric, queues: 1 }, signal);
      const spec = await world.running({ image: disk, ports });
      await world.driver.destroy(spec, { force: true, signal });
      await moveTaps(ports, other.fabric, signal);
      await removeTaps(ports, other.fabric, signal);
    } finally {
      await other.close();
    }
  });
});

describe('libvirt’s own test driver', { skip: whyNoLibvirt() ?? false, timeout: patient(60_000) }, () => {
  it('is a machine that can be asked', async () => {
    await using daemon = await LibvirtDaemon.start();
    const world = new LibvirtWorld(`test+unix:///default?socket=${daemon.socket}`, '');
    const heard: string[] = [];
    world.driver.onHostChange((address, { state }) => heard.push(`${address || 'here'} ${state}`));
    assert.deepEqual(world.driver.hostStatus(''), { state: 'unknown', why: '' });
    const { capacity, load } = await world.driver.hostReport('', world.signal);
    assert.deepEqual(capacity, { vcpu: 16, memory_bytes: 3 * 1024 ** 3 });
    assert.ok((load['memory_free_bytes'] ?? 0) > 0);
    assert.deepEqual(world.driver.hostStatus(''), { state: 'up', why: '' });
    await daemon.kill();
    for (let tries = 0; tries < 100 && heard.length < 2; tries++) await sleep(20);
    assert.deepEqual(heard, ['here up', 'here unreachable']);
    await world.close();
  });
});
