import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';

/* Who did what is told, to whom it concerns, and nobody can have it forgotten. */

const alice = 12345;
const bob = 12346;

interface Line {
  readonly number: number;
  readonly path: string;
  readonly what: string;
  readonly why?: string;
  readonly outcome?: string;
  readonly uid?: number;
  readonly pid?: number;
  readonly program?: string;
  readonly owner: number;
}

let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  await mount.run(`mkdir -p nf-types/host/hers/ports/p nf-types/host/his nf-types/firewall networks/lan chns/web hosts/far
    chown -R ${alice} nf-types/host/hers networks/lan chns/web; chown -R ${bob} nf-types/host/his; chmod 777 nf-types/firewall`);
});

after(() => mount[Symbol.asyncDispose]());

async function events(uid = 0): Promise<Line[]> {
  return linesOf(await mount.run('cat events', { uid }));
}

function linesOf(text: string): Line[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

/** The first line that fits, once it is there: files have events soon after what they tell of. */
async function eventually(fits: (line: Line) => boolean, uid = 0): Promise<Line> {
  for (const deadline = Date.now() + patient(10_000); ; await delay(50)) {
    const found = (await events(uid)).find(fits);
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, `no such event: ${fits}`);
  }
}

describe('what users do is told with who did it', () => {
  for (const [script, path, what, why] of [
    ['mkdir nf-types/firewall/fw', 'nf-types/firewall/fw', 'mkdir', undefined],
    ['mkdir nf-types/firewall/fw/ports/eth0', 'nf-types/firewall/fw/ports/eth0', 'mkdir', undefined],
    ['echo 10.1.0.2/24 > nf-types/firewall/fw/ports/eth0/address', 'nf-types/firewall/fw/ports/eth0/address', 'set', 'to 10.1.0.2/24'],
    ['echo 10.1.0.0/24 > networks/lan/subnet', 'networks/lan/subnet', 'set', 'to 10.1.0.0/24'],
    [': > networks/lan/subnet', 'networks/lan/subnet', 'set', 'to nothing'],
    ['echo activate > nf-types/firewall/fw/action', 'nf-types/firewall/fw', 'activate', undefined],
    ["echo 'echo hello' > nf-types/firewall/fw/command", 'nf-types/firewall/fw', 'command', 'exit status 0; it was: echo hello'],
    ["printf 'echo whole' > nf-types/firewall/fw/command", 'nf-types/firewall/fw', 'command', 'exit status 0; it was: echo whole'],
    ['echo "flush ruleset" > nf-types/firewall/fw/config/nf_conf', 'nf-types/firewall/fw', 'save', undefined],
    [
      'echo "table ip t { }" > nf-types/firewall/fw/config/new && mv nf-types/firewall/fw/config/new nf-types/firewall/fw/config/nf_conf',
      'nf-types/firewall/fw',
      'save',
      undefined,
    ],
    ['chmod 700 nf-types/firewall/fw', 'nf-types/firewall/fw', 'chmod', 'to 700'],
    ['echo destroy > nf-types/firewall/fw/action', 'nf-types/firewall/fw', 'destroy', undefined],
    ['rmdir nf-types/firewall/fw/ports/eth0', 'nf-types/firewall/fw/ports/eth0', 'rmdir', undefined],
    ['mv nf-types/firewall/fw nf-types/firewall/wall', 'nf-types/firewall/fw', 'mv', 'to nf-types/firewall/wall'],
    ['rmdir nf-types/firewall/wall', 'nf-types/firewall/wall', 'rmdir', undefined],
    ['mkdir chns/web/hop', 'chns/web/hop', 'mkdir', undefined],
    ['ln -s hop chns/web/start', 'chns/web/start', 'ln', 'to hop'],
    ['mv chns/web/hop chns/web/bee', 'chns/web/hop', 'mv', 'to chns/web/bee'],
    ['rm chns/web/start', 'chns/web/start', 'rm', undefined],
    ['rmdir chns/web/bee', 'chns/web/bee', 'rmdir', undefined],
  ] as const) {
    test(script, async () => {
      const { number: last = 0 } = (await events()).at(-1) ?? {};
      await mount.run(script, { uid: alice });
      for (const seenBy of [0, alice]) {
        const line = await eventually((each) => each.number > last && each.path === path && each.what === what, seenBy);
        assert.equal(line.why, why);
        assert.equal(line.uid, alice);
        assert.equal(line.outcome, 'done');
        assert.ok((line.pid ?? 0) > 0);
        // A truncation is carried out at the last close, at which the program may have ended.
        assert.match(line.program ?? '', script.startsWith(':') ? /^(bash)?$/ : /^(bash|mkdir|rmdir|mv|ln|rm|chmod)$/);
      }
    });
  }

  test('chown and uplink, which are root’s, and what replicas makes', async () => {
    await mount.run(`chown ${alice}:77 hosts/far; echo 192.0.2.1 > hosts/far/address`);
    assert.equal((await eventually(({ path, what }) => path === 'hosts/far' && what === 'chown')).why, `to ${alice}:77`);
    assert.equal((await eventually(({ path, what }) => path === 'hosts/far/address' && what === 'set')).why, 'to 192.0.2.1');
    await mount.run(`mkdir chns/scaled nf-types/firewall/one; ln -s ../../nf-types/firewall/one chns/scaled/fw
      echo 2 > chns/scaled/fw/replicas; echo 1 > chns/scaled/fw/replicas`);
    assert.equal((await eventually(({ what }) => what === 'clone')).why, 'of nf-types/firewall/one');
    const removed = await eventually(({ path, what }) => path === 'nf-types/firewall/one-2' && what === 'rmdir');
    assert.equal(removed.uid, 0);
    assert.equal((await eventually(({ path, what }) => path === 'chns/scaled/fw/replicas' && what === 'set')).why, 'to 2');
  });

  test('what does not change anything is not told', async () => {
    await mount.run('cat nf-types/host/hers/*', { uid: alice }).catch(() => undefined);
    await mount.run(`chown ${alice} nf-types/host/hers{,/ports}; rm nf-types/host/hers/machine/ip; touch nf-types/host/hers/machine/ip`, {
      uid: alice,
    });
    await mount.run('echo 1.5 > nf-types/host/hers/machine/vm.vcpu', { uid: alice });
    await eventually(({ path }) => path === 'nf-types/host/hers/machine/vm.vcpu');
    const told = (await events()).filter((line) => line.uid === alice && /^nf-types\/host\/hers($|\/machine|\/ports$)/.test(line.path));
    assert.deepEqual(
      told.map(({ path }) => path),
      ['nf-types/host/hers/machine/vm.vcpu'],
    );
  });
});

describe('what concerns nobody else', () => {
  test('is seen by its owner, by who did it, and by root', async () => {
    await mount.run('echo 64M > nf-types/host/hers/machine/vm.memory', { uid: alice });
    await mount.run('echo 65M > nf-types/host/hers/machine/vm.memory');
    await mount.run('echo 66M > nf-types/host/his/machine/vm.memory', { uid: bob });
    const of = (path: string) => (line: Line) => line.path === path;
    await eventually(of('nf-types/host/his/machine/vm.memory'), bob);
    for (const [uid, other] of [
      [alice, 'his'],
      [bob, 'hers'],
    ] as const) {
      const seen = await events(uid);
      assert.ok(seen.length > 0);
      assert.deepEqual(
        seen.filter((line) => line.owner !== uid && line.uid !== uid),
        [],
      );
      assert.ok(!seen.some(({ path }) => path.startsWith(`nf-types/host/${other}`)));
    }
    const hers = (await events(alice)).filter(of('nf-types/host/hers/machine/vm.memory'));
    assert.deepEqual(
      hers.map(({ uid, why }) => [uid, why]),
      [
        [alice, 'to 64M'],
        [0, 'to 65M'],
      ],
    );
    assert.equal(await mount.run('cat events; stat -c %s events', { uid: 12399 }), '0\n');
  });

  test('has the size that its reader reads, at any offset', async () => {
    for (const uid of [0, alice, bob]) {
      const script = `python3 -c "
import os
fd = os.open('events', os.O_RDONLY)
size = os.fstat(fd).st_size
text = os.pread(fd, size, 0)
assert len(text) == size and text.endswith(b'\\n'), (len(text), size)
assert os.pread(fd, 100, size) == b''
assert os.pread(fd, 7, 11) == text[11:18] and os.pread(fd, 100, size - 5) == text[-5:]
assert os.stat('events').st_size == size
print(text.count(b'\\n'))
"`;
      assert.ok(Number(await mount.run(script, { uid })) > 0);
    }
  });

  test('wakes who polls for it', async () => {
    const poll = mount.run(
      `python3 -c "
import select, os
fd = os.open('events', os.O_RDONLY)
os.lseek(fd, 0, os.SEEK_END); os.read(fd, 1)
p = select.epoll(); p.register(fd, select.EPOLLPRI)
print('waits', flush=True)
print(len(p.poll(30)), os.read(fd, 1000).decode())
"`,
      { uid: bob, timeoutMs: 40_000 },
    );
    let isOver = false;
    void poll.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await mount.run('echo 70M > nf-types/host/his/machine/vm.memory; sleep 0.3');
    }
    assert.match(await poll, /^waits\n1 .*"path":"nf-types\/host\/his\/machine\/vm.memory"/);
  });
});

describe('tail -f', () => {
  for (const uid of [0, alice]) {
    test(`of user ${uid} sees each line once, over a kill of the server`, async () => {
      const mark = uid === 0 ? 2 : 3;
      const seen = mount.sh('timeout 25 tail -f -n 0 events', { uid, timeoutMs: 60_000 });
      await delay(patient(500));
      await mount.run(`echo ${mark}001M > nf-types/host/hers/machine/vm.memory`, { uid: alice });
      // A kill loses what is not in the file yet.
      await eventually(({ why }) => why === `to ${mark}001M`);
      process.kill(await mount.server(), 'SIGKILL');
      await mount.run(`echo ${mark}002M > nf-types/host/hers/machine/vm.memory`, { uid: alice });
      const { stdout, stderr } = await seen;
      const told = [...stdout.matchAll(/"why":"to (\d+)M"/g)].map(([, text]) => text);
      assert.deepEqual(told, [`${mark}001`, `${mark}002`], stdout);
      assert.doesNotMatch(stderr, /truncated/);
    });
  }
});

describe('a user who changes much', () => {
  test('cuts her own past only, and who follows events sees each of them once', async () => {
    await using other = await TestMount.start();
    await other.run(
      `mkdir -p nf-types/host/hers nf-types/host/his; chown -R ${alice} nf-types/host/hers; chown -R ${bob} nf-types/host/his`,
    );
    await other.run('echo 64M > nf-types/host/his/machine/vm.memory', { uid: bob });
    // Lines of four kilobytes: her file holds 256 of them, that with all 2048.
    // Who lags behind by more than her file holds misses what went, so writes wait for those who follow.
    const seen = mkdtempSync(join(tmpdir(), 'nfio-followed-'));
    chmodSync(seen, 0o777);
    const follow = (uid: number): Promise<string> =>
      other.run(
        `(until [ -e ${seen}/over ]; do sleep 0.1; done) & timeout 200 tail --pid=$! -s 0.1 -f -n 0 events > ${seen}/${uid}
        grep -c vm.image ${seen}/${uid}`,
        { uid, timeoutMs: 240_000 },
      );
    const followers = Promise.all([follow(alice), follow(0)]);
    const caughtUp = (uid: number, count: number): boolean => {
      const file = join(seen, String(uid));
      return existsSync(file) && readFileSync(file, 'latin1').split('vm.image').length > count;
    };
    const write = (from: number, to: number): Promise<string> =>
      other.run(
        `python3 -c "
import os
for i in range(${from}, ${to}):
    fd = os.open('nf-types/host/hers/machine/vm.image', os.O_WRONLY)
    os.write(fd, b'/%05d' % i + b'x' * 3900); os.close(fd)
"`,
        { uid: alice, timeoutMs: 60_000 },
      );
    await delay(patient(1500));
    const untilSeen = async (count: number): Promise<void> => {
      for (const deadline = Date.now() + patient(20_000); ![alice, 0].every((uid) => caughtUp(uid, count)); await delay(20))
        assert.ok(Date.now() < deadline, `not all of ${count} lines were seen`);
    };
    for (let written = 0; written < 2200; written += 100) {
      await write(written, written + 100);
      await untilSeen(written + 100);
    }
    await other.run('echo /the.last > nf-types/host/hers/machine/vm.image', { uid: alice });
    await untilSeen(2201);
    writeFileSync(join(seen, 'over'), '');
    assert.deepEqual(await followers, ['2201\n', '2201\n']);
    rmSync(seen, { recursive: true });
    const [all, hers, his] = [
      linesOf(await other.run('cat events')),
      linesOf(await other.run('cat events', { uid: alice })),
      linesOf(await other.run('cat events', { uid: bob })),
    ];
    assert.ok(all.length < 1500 && hers.length < 300, `${all.length}, ${hers.length}`);
    for (const seen of [all, his]) assert.ok(seen.some(({ uid, why }) => uid === bob && why === 'to 64M'));
    for (const seen of [all, hers]) assert.equal(seen.at(-1)?.why, 'to /the.last');
    const numbers = all.map(({ number }) => number);
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, two) => one - two),
    );
  });
});

describe('a user who is refused again and again', () => {
  test('has a few of her refusals told, and the number of the others', async () => {
    await using other = await TestMount.start();
    await other.run(
      `mkdir -p nf-types/host/hers/ports/p nf-types/host/his; chown -R ${alice} nf-types/host/hers; chown -R ${bob} nf-types/host/his`,
    );
    const attempt = 'echo fly > nf-types/host/hers/action; echo x > nf-types/host/hers/ports/p/address';
    await other.sh(`for i in $(seq 200); do ${attempt}; done`, { uid: alice, timeoutMs: 60_000 });
    assert.match(await other.run('cat nf-types/host/hers/error'), /^ports\/p\/address: /);
    await other.sh('echo much > nf-types/host/his/machine/vm.memory', { uid: bob });
    await other.unmount();
    await other.mount();
    for (const uid of [0, alice]) {
      const failed = linesOf(await other.run('cat events', { uid })).filter((line) => line.uid === alice && line.outcome === 'failed');
      // Ten of each minute, if it took more than one, and a line for each kind.
      assert.ok(failed.length <= 36, String(failed.length));
      assert.equal(failed[0]?.what, 'fly failed');
      assert.deepEqual([failed[1]?.path, failed[1]?.what], ['nf-types/host/hers/ports/p/address', 'set failed']);
      const lines = failed.filter(({ what }) => what === 'refused');
      const counted = lines.map(({ why }) => Number(/^(\d+) more changes/.exec(why ?? '')?.[1] ?? 1));
      assert.equal(failed.length - lines.length + counted.reduce((sum, count) => sum + count, 0), 400);
      assert.match(
        lines.at(-1)?.why ?? '',
        /^\d+ more changes \((set|action)\) of user 12345 were refused within a minute, the last: (set|fly|action) failed: /,
      );
    }
    assert.equal(linesOf(await other.run('cat events', { uid: bob })).filter(({ outcome }) => outcome === 'failed').length, 1);
  });
});
