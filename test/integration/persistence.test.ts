import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startDaemon } from '../../src/daemon/index.ts';
import { TestMount } from '../support/mount.ts';
import { shell } from '../support/shell.ts';

/* What was written is there after an unmount, a crash of either process, and on a full disk. */

const setUp = `mkdir -p nf-types/host/h nf-types/firewall/fw networks/lan; echo 10.1.0.0/24 > networks/lan/subnet
  mkdir nf-types/host/h/ports/p; echo lan > nf-types/host/h/ports/p/network; echo 10.1.0.5/24 > nf-types/host/h/ports/p/address
  echo 64M > nf-types/host/h/machine/vm.memory; echo mine > nf-types/host/h/config/file; ln -s file nf-types/host/h/config/link; chown -R 77:78 nf-types/firewall/fw; chmod 600 networks/lan/gateway
  echo activate > nf-types/host/h/action; echo 'touch /tmp/was-here; hostname' > nf-types/host/h/command; touch -d @1000000000 nf-types/host/h/config/file`;

/** What must be the same afterwards. */
const facts = `cd nf-types/host/h; for f in ports/p/* machine/* config/* status ../../../networks/lan/subnet; do case $f in */?x_*) continue;; esac; echo "$f: $(cat $f)"; done
  stat -c '%n %a %u:%g %Y' config/*; cd ../../..; stat -c '%n %a %u:%g' nf-types/firewall/fw/action networks/lan/gateway; readlink nf-types/host/h/config/link networks/lan/ports/*; find . -name rfs -prune -o -print | sort
  echo 'ls /tmp/was-here' > nf-types/host/h/command; cat nf-types/host/h/command`;

describe('everything is there again', () => {
  test('after umount and mount, with the guests that went on', async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    const before = await mount.run(facts);
    assert.match(before, /status: running\n/);
    assert.match(before, /\/tmp\/was-here\n$/);
    const events = await mount.run('wc -l < events');
    await mount.unmount();
    await mount.mount();
    assert.equal(await mount.run(facts), before);
    assert.ok(Number(await mount.run('wc -l < events')) >= Number(events));
    assert.equal(
      await mount.run('ls -A nf-types/firewall/fw/config; echo destroy > nf-types/host/h/action; cat nf-types/host/h/status'),
      'nf_conf\nundeployed\n',
    );
  });

  test('after kill -9 of supervisor and server at once', async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    const before = await mount.run(facts);
    const [supervisor, server] = [mount.supervisor, await mount.server()];
    process.kill(supervisor, 'SIGKILL');
    process.kill(server, 'SIGKILL');
    await mount.ended(server);
    await mount.unmount({ lazy: true });
    await mount.mount();
    assert.equal(await mount.run(facts), before);
  });

  test('kill -9 of the server alone is a pause for its clients, and nothing more', async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    const before = await mount.run(facts);
    const clients = mount.sh(
      `set -e; cd nf-types/host/h; exec 5< status; exec 6>> config/appended; end=$((SECONDS + 5)); n=0
       while [ $SECONDS -lt $end ]; do [ "$(cat status)" = running ]; cat ports/p/address > /dev/null; ls ports config > /dev/null; echo $n >&6; echo $n > config/last; echo "1$n" > machine/vm.vcpu 2> /dev/null || true
         [ "$(cat config/last)" = $n ]; n=$((n + 1)); [ $n -lt 7000 ] || n=0; done; cat <&5; echo done`,
      { timeoutMs: 30_000 },
    );
    const killed = new Set<number>();
    for (let kills = 0; kills < 3; kills += 1) {
      await delay(700);
      const server = await mount.server();
      killed.add(server);
      process.kill(server, 'SIGKILL');
      await mount.ended(server);
    }
    const { status, stdout, stderr } = await clients;
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'running\ndone\n', stderr: '' });
    assert.equal(killed.size, 3);
    await mount.run(
      'cd nf-types/host/h; seq 0 $(($(wc -l < config/appended) - 1)) | cmp - config/appended; rm config/appended config/last; echo > machine/vm.vcpu',
    );
    assert.equal(await mount.run(facts), before);
  });

  test('who polls a file when the server is killed is woken by the next', { timeout: 120_000 }, async () => {
    await using mount = await TestMount.start();
    await mount.run(setUp);
    const poller = `
import os, select, sys
def wait(path, last):
    fd = os.open(path, os.O_RDONLY); poll = select.poll(); poll.register(fd, select.POLLPRI)
    while True:
        said = os.pread(fd, 4096, 0).decode()
        print(said, end="", flush=True)
        if said.startswith(last): return
        poll.poll()
wait(sys.argv[1], sys.argv[2])`;
    const waits = mount.sh(
      `python3 -c '${poller}' nf-types/host/h/status exited | uniq & python3 -c '${poller}' nf-types/host/h/ports/p/address 10.1.0.9 | uniq & wait`,
      {
        timeoutMs: 60_000,
      },
    );
    for (let kills = 0; kills < 2; kills += 1) {
      await delay(1500);
      const server = await mount.server();
      process.kill(server, 'SIGKILL');
      await mount.ended(server);
    }
    await mount.run('echo 10.1.0.9/24 > nf-types/host/h/ports/p/address; echo stop > nf-types/host/h/action');
    const { status, stdout } = await waits;
    assert.equal(status, 0);
    assert.match(stdout, /^10\.1\.0\.9\/24$/m);
    assert.match(stdout, /^exited/m);
  });

  test('what is open when the server is killed stays what it is: directories of the top, too', async () => {
    await using mount = await TestMount.start({ attrTimeoutMs: 0 });
    await mount.run('mkdir -p networks/lan');
    const hosts = await mount.run('ls hosts');
    assert.equal(
      await mount.run(
        `exec 3< nf-types 4< networks 5< hosts; cd chns; kill -9 ${await mount.server()}; ls -l ${mount.path} ${mount.path}/* > /dev/null; ls /dev/fd/3 .; ls /dev/fd/4 /dev/fd/5`,
      ),
      `.:\n\n/dev/fd/3:\n/dev/fd/4:\nlan\n\n/dev/fd/5:\n${hosts}`,
    );
  });
});

const changers: Readonly<Record<string, string>> = {
  'user files': `cd nf-types/host/h/config; mkdir d; while more; do mkdir d/x; set -C; echo 1 > d/x/f; set +C; ln d/x/f d/x/g; ln -s f d/x/s; mv d/x/f d/x/h; rm d/x/g d/x/s d/x/h; rmdir d/x; done; ls d`,
  appends: `cd nf-types/host/h/config; n=0; while more; do echo $n >> log; n=$((n + 1)); done; seq 0 $((n - 1)) | cmp - log`,
  objects:
    'while more; do mkdir nf-types/host/x; mkdir nf-types/host/x/ports/p; mv nf-types/host/x nf-types/host/y; rmdir nf-types/host/y/ports/p; rmdir nf-types/host/y; mkdir networks/x; rmdir networks/x; done; ls nf-types/host',
  verbs:
    'mkdir nf-types/host/z; cd nf-types/host/z; while more; do echo activate > action; [ "$(cat status)" = running ]; echo pause > action; echo unpause > action; echo restart > action; echo destroy > action; done; cat status; cd ..; rmdir z',
};

test('where the kernel cannot resend, kill -9 of the server ends what was under way with an error, and the mount is back', async () => {
  await using mount = await TestMount.start({ resend: false });
  await mount.run('mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action');
  const waiting = mount.sh('echo "sleep 30" > nf-types/host/h/command');
  await delay(500);
  process.kill(await mount.server(), 'SIGKILL');
  assert.match((await waiting).stderr, /Transport endpoint is not connected|Software caused connection abort/);
  for (let tries = 0; (await mount.sh(`cat ${mount.path}/nf-types/host/h/status`, { cwd: '/' })).status !== 0; tries += 1) {
    assert.ok(tries < 100, 'the mount does not come back');
    await delay(100);
  }
  assert.equal(
    await mount.run('cat nf-types/host/h/status; echo "echo here" > nf-types/host/h/command; cat nf-types/host/h/command'),
    'running\nhere\n',
  );
});

test('changes under way when the server is killed are made once, and confirmed', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/h');
  const more = 'set -e; end=$((SECONDS + 4)); more() { [ $SECONDS -lt $end ]; }; ';
  const clients = Object.entries(changers).map(async ([name, script]) => ({
    name,
    ...(await mount.sh(more + script, { timeoutMs: 30_000 })),
  }));
  for (let kills = 0; kills < 4; kills += 1) {
    await delay(700 + 13 * kills);
    const server = await mount.server();
    process.kill(server, 'SIGKILL');
    await mount.ended(server);
  }
  const printed: Readonly<Record<string, string>> = { objects: 'h\nz\n', verbs: 'undeployed\n' };
  const ended = await Promise.all(clients);
  for (const { name, status, stdout, stderr } of ended) {
    const expected = { name, status: 0, stderr: '', stdout: printed[name] ?? '' };
    // Whether z is still there depends on who ends first.
    assert.deepEqual(
      { name, status, stderr, stdout: stdout.replace(/^h\n$/, 'h\nz\n') },
      expected,
      `${await mount.log()}${await mount.run('tail -n 20 events')}`,
    );
  }
});

describe('roots', () => {
  test('a second mount of one root is refused; so is one that a newer nfio made, unchanged', async () => {
    await using mount = await TestMount.start();
    const directory = await mkdtemp(join(tmpdir(), 'nfio-second-'));
    try {
      const options = { mountpoint: join(directory, 'mnt'), hypervisor: 'netns', logLevel: 'error', foreground: false } as const;
      await mkdir(options.mountpoint);
      await assert.rejects(startDaemon({ ...options, root: mount.root }), /is in use by another mount\. .+/);

      const newer = join(directory, 'newer');
      await cp(mount.root, newer, { recursive: true });
      const unsealed = (await readFile(join(newer, 'nfio.json'), 'utf8')).replace(/ {2}"checksum".*\n/, '');
      const header = unsealed.replace(/"format": \d+/, '"format": 999');
      await writeFile(join(newer, 'nfio.json'), header);
      await assert.rejects(startDaemon({ ...options, root: newer }), /has format 999, and this nfio reads up to \d+\. .+/);
      assert.equal(await readFile(join(newer, 'nfio.json'), 'utf8'), header);
      assert.deepEqual(await readdir(options.mountpoint), []);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('a root stays locked while a server serves it, also when its supervisor was killed', async () => {
    await using mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host/h; echo activate > nf-types/host/h/action');
    const second = await mkdtemp(join(tmpdir(), 'nfio-second-'));
    try {
      const [supervisor, server] = [mount.supervisor, await mount.server()];
      process.kill(supervisor, 'SIGKILL');
      await mount.ended(supervisor);
      assert.equal(
        await mount.run('cat nf-types/host/h/status; echo 5 > nf-types/host/h/machine/ip; cat nf-types/host/h/machine/ip'),
        'running\n5\n',
      );
      const options = { mountpoint: second, root: mount.root, hypervisor: 'netns', logLevel: 'error', foreground: false } as const;
      await assert.rejects(startDaemon(options), /is in use by another mount/);
      await mount.unmount();
      await mount.ended(server);
      await mount.mount();
      assert.equal(
        await mount.run('cat nf-types/host/h/status nf-types/host/h/machine/ip; echo destroy > nf-types/host/h/action'),
        'running\n5\n',
      );
    } finally {
      await rm(second, { recursive: true, force: true });
    }
  });

  test('on a full disk the old value stays, and after that all goes on', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nfio-full-'));
    assert.equal((await shell(`mount -t tmpfs -o size=2m nfio-test ${directory}`)).status, 0);
    try {
      await using mount = await TestMount.start({ root: join(directory, 'root') });
      await mount.run(
        `mkdir -p nf-types/host/h; cd nf-types/host/h; echo 64M > machine/vm.memory; echo kept > config/f; head -c 4M /dev/zero > config/ballast || true; cat /dev/zero > ${directory}/rest || true`,
      );
      // The journal has room for some more; what is confirmed stays, the first that finds none changes nothing.
      const { status, stdout, stderr } = await mount.sh(
        'cd nf-types/host/h; for i in {65..600}; do echo ${i}M > machine/vm.memory || exit 1; cp machine/vm.memory /dev/stdout; done | tail -n 1; exit ${PIPESTATUS[0]}',
      );
      assert.equal(status, 1);
      assert.match(stderr, /No space left on device/);
      const confirmed = stdout === '' ? '67108864\n' : stdout;
      const shown = await mount.run('cd nf-types/host/h; cat machine/vm.memory config/f error');
      assert.ok(shown.startsWith(`${confirmed}kept\n`), shown);
      assert.match(shown, /\nmachine\/vm\.memory: .*ENOSPC.*\. Free space.*\n$/);
      assert.match((await mount.sh('mkdir nf-types/host/h2')).stderr, /No space left on device/);
      assert.match((await mount.sh('mkdir networks/n; mkdir nf-types/host/h/ports/p')).stderr, /No space left on device/);
      assert.equal(
        await mount.run('ls nf-types/host networks nf-types/host/h/ports'),
        'networks:\n\nnf-types/host:\nh\n\nnf-types/host/h/ports:\n',
      );
      const server = await mount.server();
      process.kill(server, 'SIGKILL');
      await mount.ended(server);
      assert.equal(await mount.run('cd nf-types/host/h; cat machine/vm.memory config/f'), `${confirmed}kept\n`);
      assert.match((await mount.sh('mkdir nf-types/host/h2')).stderr, /No space left on device/);
      await mount.run(
        `rm nf-types/host/h/config/ballast ${directory}/rest; cd nf-types/host/h; echo 128M > machine/vm.memory; mkdir ../h2 ports/p; rmdir ../h2`,
      );
      await mount.unmount();
      await mount.mount();
      assert.equal(await mount.run('cd nf-types/host/h; cat machine/vm.memory config/f; ls ports'), '134217728\nkept\np\n');
    } finally {
      await shell(`umount ${directory} || umount -l ${directory}`);
      await rm(directory, { recursive: true, force: true });
    }
  });
});

test('records are whole and what was confirmed is there, at whatever moment the daemon is killed', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/h; echo 5 > nf-types/host/h/machine/ip');
  for (let round = 0; round < 5; round += 1) {
    // Each value is confirmed on stdout once its write has returned.
    const writer = mount.sh(
      'cd nf-types/host/h; for i in {1..2000}; do echo $i > machine/ip && echo $i || exit 1; echo $i > config/f && sync config/f || exit 1; mkdir ports/p$i && rmdir ports/p$i || exit 1; done',
      { timeoutMs: 8000 },
    );
    await delay(250 + 90 * round);
    const [supervisor, server] = [mount.supervisor, await mount.server()];
    process.kill(supervisor, 'SIGKILL');
    process.kill(server, 'SIGKILL');
    await mount.ended(server);
    const confirmed = Number((await writer).stdout.trim().split('\n').at(-1));
    await mount.unmount({ lazy: true });
    await mount.mount();
    // The journal may hold one change more than was confirmed, and more than the record did.
    const kept = Number(await mount.run('cat nf-types/host/h/machine/ip'));
    assert.ok(confirmed > 0 && (kept === confirmed || kept === confirmed + 1), `confirmed ${confirmed}, kept ${kept}`);
    const record = JSON.parse(await readFile(join(mount.root, 'nf-types/host/h/.record.json'), 'utf8')) as {
      settings: Record<string, string>;
    };
    assert.equal(record.settings['machine/ip'], String(kept));
  }
  assert.doesNotMatch(await mount.log(), /left out/);
});
