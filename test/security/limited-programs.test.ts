import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { limitedProgram, memoryLimitBytes } from '../../src/domain/limited-program.ts';
import { runProgram } from '../../src/network/index.ts';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';

/* Programs of this machine that read what users write have no power but over the guest's network, and limits. */

const hers = 12345;
const fw = 'nf-types/firewall/fw';
/** Eight times eight times … ports: 400 bytes that nft makes gigabytes of. */
const bomb = [
  'define a = { 1-2, 5-6, 9-10, 13-14, 17-18, 21-22, 25-26, 29-30 }',
  ...Array.from('bcdefgh', (name, index) => `define ${name} = { ${Array(8).fill(`$${'abcdefg'[index]}`).join(', ')} }`),
  'table inet t { chain c { tcp dport $h drop; }; }',
].join('\n');

let mount: TestMount;

before(async () => {
  mount = await TestMount.start();
  await mount.run(`mkdir networks/lan; mkdir -p ${fw}/ports/lan; echo lan > ${fw}/ports/lan/network; echo 10.1.0.1/24 > ${fw}/ports/lan/address
    chown -R ${hers} ${fw}; echo activate > ${fw}/action`);
});
after(async () => {
  await mount?.[Symbol.asyncDispose]();
});

/** The nft that takes most memory until something is done: its user, and how much (proc_pid_status(5), VmPeak), kB. */
async function largestNft(until: Promise<unknown>): Promise<{ readonly uid: number; readonly peakKb: number }> {
  let largest = { uid: 0, peakKb: 0 };
  let done = false;
  void until.finally(() => {
    done = true;
  });
  for (; !done; await delay(5)) {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const status = readStatus(pid);
      const peakKb = Number(/^VmPeak:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      if (status.startsWith('Name:\tnft\n') && peakKb > largest.peakKb)
        largest = { uid: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]), peakKb };
    }
  }
  return largest;
}

function readStatus(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return ''; // it has ended
  }
}

describe('a configuration', { timeout: 240_000 }, () => {
  test('that takes nft gigabytes to read is refused within its limit, by a process that has no rights of root', async () => {
    const saving = mount.sh(`cat > ${fw}/config/nf_conf <<'END'\n${bomb}\nEND\ncat ${fw}/error`, { uid: hers, timeoutMs: 120_000 });
    const { uid, peakKb } = await largestNft(saving);
    assert.match((await saving).stdout, /nf_conf: nft needs more than 512 MB to read it\. Fix: /);
    assert.ok(peakKb > 64 * 1024 && peakKb <= 512 * 1024, `${peakKb} kB`);
    assert.notEqual(uid, 0);
  });

  test('leaves the rules that run as they are, and those that follow are taken', async () => {
    await mount.run(
      `echo 'table inet t { chain c { type filter hook forward priority 0; tcp dport 23 drop; }; }' > ${fw}/config/nf_conf; sync ${fw}/config/nf_conf`,
      {
        uid: hers,
      },
    );
    assert.match(await mount.run(`echo 'nft list ruleset' > ${fw}/command; cat ${fw}/command`, { uid: hers }), /tcp dport 23/);
  });
});

test('such a program reads no file of root’s, writes none, and reaches no network but its own', async () => {
  const file = '/dev/shm/nfio-limited';
  const script = `id -u; cat /etc/shadow; (echo x > ${file}); nsenter --net=/proc/1/ns/net true; unshare --net true; ip link add nfio0 type veth peer name nfio1 && echo made`;
  const { stdout, stderr } = await runProgram(['unshare', '--net', ...limitedProgram(['sh', '-c', script])], {
    signal: AbortSignal.timeout(10_000),
  });
  assert.match(stdout, /^[1-9]\d*\nmade\n$/);
  assert.match(stderr, /shadow: Permission denied/);
  assert.match(stderr, /nsenter: .*(denied|not permitted)/);
  assert.match(stderr, /unshare: .*not permitted/);
  assert.equal(existsSync(file) && statSync(file).size > 0, false);
  rmSync(file, { force: true });
});

test('nft, ip and tc tell nothing of a file of root’s that a text names, and have limits of memory, time and what they write', async () => {
  const file = '/dev/shm/nfio-root-only';
  writeFileSync(file, 'secret of root\n', { mode: 0o600 });
  const limited = async (argv: readonly string[], input = ''): Promise<{ readonly exitCode: number; readonly said: string }> => {
    const signal = AbortSignal.timeout(patient(30_000));
    const { exitCode, stdout, stderr } = await runProgram(['unshare', '--net', ...limitedProgram(argv)], { signal, input });
    return { exitCode, said: stdout + stderr };
  };
  try {
    const readers = [
      await limited(['nft', '-c', '-f', '-'], `include "${file}"\n`),
      await limited(['nft', '-c', '-f', file]),
      await limited(['ip', '-batch', file]),
      await limited(['tc', '-batch', file]),
    ];
    for (const { exitCode, said } of readers) {
      assert.notEqual(exitCode, 0);
      assert.match(said, /Permission denied|No such file/);
      assert.doesNotMatch(said, /secret/);
    }
    const { said } = await limited(['sh', '-c', 'ulimit -v; ulimit -t; ulimit -f']);
    assert.equal(said, `${memoryLimitBytes / 1024}\n30\n0\n`);
  } finally {
    rmSync(file);
  }
});
