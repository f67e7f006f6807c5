import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import { NetnsWorld, plainBoot, whyNoGuests } from '../support/netns-world.ts';

/** Walks up from a directory that a second chroot has left outside of the root (the classic escape), then lists what is there. */
const chrootEscape = `
import os
os.makedirs("/tmp/jail", exist_ok=True)
fd = os.open("/", os.O_RDONLY)
os.chroot("/tmp/jail")
os.fchdir(fd)
for _ in range(64): os.chdir("..")
os.chroot(".")
print("\\n".join(os.listdir("/proc")) if os.path.exists("MARK") else "contained")
`;

describe('hostile netns guests', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let world: NetnsWorld;
  let guest: GuestSpec;

  before(async () => {
    world = new NetnsWorld();
    guest = await world.running({ command: ['sleep', '1000000'] });
  });
  after(() => world.close());

  const inGuest = async (script: string): Promise<string> => {
    const { stdout, stderr } = await world.sh(guest, script);
    return stdout + stderr;
  };

  it('see their own processes only', async () => {
    const pids = (await inGuest('ls /proc | grep -E "^[0-9]+$"')).split('\n').filter((line) => line !== '');
    ok(pids.length < 10, pids.join(' '));
    match(await inGuest(`kill -0 ${process.pid}`), /No such process/);
  });

  it('cannot make or open a disk', async () => {
    match(await inGuest('mknod /var/disk b 254 0; ls /dev'), /not permitted/);
    equal(await inGuest('ls /dev | tr "\\n" " "'), 'fd full net null ptmx pts random shm stderr stdin stdout tty urandom zero ');
  });

  it('cannot mount, nor change what the machine is', async () => {
    match(await inGuest('mount -t tmpfs none /mnt'), /denied|not permitted/);
    match(await inGuest('umount /proc/sys'), /denied|not permitted|must be superuser/);
    for (const file of ['/proc/sys/kernel/hostname', '/proc/sys/kernel/core_pattern', '/sys/kernel/uevent_helper', '/etc/nfio/x']) {
      notEqual((await world.sh(guest, `echo x > ${file}`)).exitCode, 0, file);
    }
    match(await inGuest('unshare --mount --map-root-user mount -t proc proc /proc; date -s @0'), /not permitted|denied/);
  });

  it('write to a layer of their own, not to the machine', async () => {
    await inGuest('echo pwned > /etc/nfio-hostile; echo "evil 1.2.3.4" >> /etc/hosts; rm -rf /usr/share/doc');
    ok(!existsSync('/etc/nfio-hostile'));
    ok(existsSync('/usr/share/doc'));
    ok(!readFileSync('/etc/hosts', 'utf8').includes('evil'));
    equal(readFileSync(join(world.driver.root(guest)?.path ?? '', 'etc/nfio-hostile'), 'utf8'), 'pwned\n');
  });

  it("cannot read the machine's secrets, nor other guests", async () => {
    match(await inGuest('cat /etc/shadow'), /No such file/);
    equal(await inGuest('ls -A /root; ls -d /run/netns /run/docker.sock 2>/dev/null; ls -A /tmp'), '');
    ok(!(await inGuest(`ls ${world.base} 2>&1`)).includes('guests'));
  });

  it("cannot look into init, the machine's way in", async () => {
    for (const path of ['/proc/1/root/', '/proc/1/cwd/', '/proc/1/fd', '/proc/1/exe', '/proc/1/environ']) {
      notEqual((await world.sh(guest, `ls ${path} && cat ${path}`)).exitCode, 0, path);
    }
    match(await inGuest('nsenter --target 1 --mount true'), /denied|not permitted/);
  });

  it('cannot leave their root by chroot', async (t) => {
    if (!existsSync('/usr/bin/python3')) return t.skip('python3 is not installed');
    writeFileSync(join(world.base, 'MARK'), '');
    const script = chrootEscape.replace('MARK', join(world.base, 'MARK'));
    const { stdout, stderr } = await world.driver.executeInGuest(
      guest,
      { argv: ['/usr/bin/python3', '-c', script] },
      { signal: world.signal },
    );
    equal(stdout, 'contained\n', stderr);
  });

  it('run the main process with no more than executed commands, and with no way back', async () => {
    const status = await inGuest(
      'for p in /proc/[0-9]*; do grep -q "^Name:.sleep" $p/status && cat $p/status && ls -l $p/cwd $p/root; done',
    );
    match(status, /CapEff:\t00000000a00435fb/);
    match(status, /NoNewPrivs:\t1/);
    match(status, /cwd -> \/\n/);
    match(status, /root -> \/\n/);
    const descriptors = await inGuest('for p in /proc/[0-9]*; do grep -q "^Name:.sleep" $p/status && ls -l $p/fd; done');
    const open = [...descriptors.matchAll(/(\d+) -> (.*)/g)].filter(([, fd, target]) => Number(fd) > 2 && target !== '/dev/null');
    deepEqual(open, [], 'descriptors of this process must not reach a guest');
  });

  it('gain nothing by replacing programs for the next start', async () => {
    const other = await world.running({ command: ['sleep', '1000000'] });
    const trap = '#!/bin/sh\ngrep CapEff /proc/self/status >> /var/caught\nexec sleep 1000\n';
    for (const name of ['setpriv', 'umount', 'mount', 'pivot_root', 'ip', 'perl', 'nsenter', 'sh', 'mkfifo', 'rm']) {
      await world.driver.executeInGuest(other, { argv: ['tee', `/usr/bin/${name}`], stdin: trap }, { signal: world.signal });
    }
    await world.driver.restart(other, world.signal);
    equal((await world.driver.executeInGuest(other, { argv: ['cat', '/var/caught'] }, { signal: world.signal })).stdout, '');
    equal((await world.driver.executeInGuest(other, { argv: ['id', '-u'] }, { signal: world.signal })).stdout, '0\n');
    await world.driver.destroy(other, { force: true, signal: world.signal });
  });

  it('that leave symbolic links for the next start change nothing of the machine', async () => {
    const other = await world.running();
    const target = join(world.base, 'target');
    mkdirSync(target);
    writeFileSync(join(target, 'hosts'), 'untouched');
    await world.sh(other, `ln -s ${target} /opt/link; umount /etc/hosts`);
    await world.driver.stop(other, world.signal);
    const upper = world.driver.root(other)?.written ?? '';
    execFileSync('sh', ['-c', 'rm -rf "$1/etc" && ln -s "$2" "$1/etc"', 'sh', upper, target]);
    await rejects(world.driver.start(other, world.signal), { code: 'VNFStartError' });
    equal(readFileSync(join(target, 'hosts'), 'utf8'), 'untouched');
    equal(world.driver.guestStatus(other).state, 'exited');
    await world.driver.destroy(other, { force: true, signal: world.signal });
    equal(readFileSync(join(target, 'hosts'), 'utf8'), 'untouched');
  });

  it('that fork without end stop at their own limit', async () => {
    const other = await world.running();
    const bomb = 'mkfifo /tmp/never; i=0; while [ $i -lt 5000 ]; do (read x </tmp/never) & i=$((i+1)); done';
    match((await world.sh(other, bomb)).stderr, /fork/i);
    await world.driver.destroy(other, { force: true, signal: world.signal });
    equal(execFileSync('echo', ['well'], { encoding: 'utf8' }), 'well\n');
  });

  it('are refused settings of the whole machine', async () => {
    const spec = world.guest({ boot: { ...plainBoot, sysctl: { 'kernel.panic': '1' } } });
    await world.driver.deploy(spec, world.signal);
    await rejects(world.driver.start(spec, world.signal), { code: 'UnsupportedError' });
    const sneaky = { ...spec, boot: { ...plainBoot, sysctl: { 'net/../kernel/panic': '1' } } };
    await rejects(world.driver.start(sneaky, world.signal), { code: 'UnsupportedError' });
    equal(world.driver.guestStatus(spec).state, 'created');
    await world.driver.destroy(spec, { force: true, signal: world.signal });
  });
});
