import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';

/* What every special file is, what may be made where, and that nothing in the tree hangs. One firewall runs, another sleeps. */

let mount: TestMount;
let modules: string;

/** A type with an action that takes its time. */
const slowModule = `let thinking = 0, most = 0;
async function think() {
  most = Math.max(most, ++thinking);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  thinking--;
}
export default {
  summary: 'takes its time',
  actions: { think: { summary: 'thinks for long', run: think } },
  files: [
    { path: 'oracle', mode: 0o444, read: () => new Promise(() => {}) }, { path: 'word', mode: 0o444, read: () => 'hello\\n' },
    { path: 'most', mode: 0o444, read: () => most + '\\n' },
  ],
};
`;

before(async () => {
  modules = await mkdtemp(join(tmpdir(), 'nfio-modules-'));
  await writeFile(join(modules, 'slow.ts'), slowModule);
  mount = await TestMount.start({ modules });
  await mount.run(`mkdir -p nf-types/firewall/awake nf-types/firewall/asleep networks/lan; echo 10.1.0.0/24 > networks/lan/subnet
    for fw in awake asleep; do mkdir nf-types/firewall/$fw/ports/lan; echo lan > nf-types/firewall/$fw/ports/lan/network; done
    echo 10.1.0.1/24 > nf-types/firewall/awake/ports/lan/address; echo activate > nf-types/firewall/awake/action`);
});

after(async () => {
  await mount[Symbol.asyncDispose]();
  await rm(modules, { recursive: true, force: true });
});

const awake = 'nf-types/firewall/awake';
const traffic = 'pkt_drops\nrx_bytes\nrx_packets\ntx_bytes\ntx_packets\n';
const asleep = 'nf-types/firewall/asleep';

/** A script that must fail with the text of an errno. */
async function refused(script: string, errno: string): Promise<void> {
  const { status, stderr } = await mount.sh(script);
  assert.notEqual(status, 0, script);
  assert.match(stderr, new RegExp(`: ${errno}\n$`), script);
}

describe('the files of the tree', () => {
  test('modes and sizes tell the truth', async () => {
    const listing = await mount.run(`cd ${asleep}; stat -c '%n %a %s %u:%g %h %F' * machine/* ports/lan ports/lan/* stats/*`);
    const lengths = await mount.run(
      `cd ${asleep}; for f in * machine/* ports/lan/* stats/*; do [ ! -f $f ] || echo $f $(cat $f | wc -c); done`,
    );
    const settable = ['action', 'machine/ip', 'machine/vm.image', 'machine/vm.vcpu', 'machine/vm.memory'];
    const ofPorts = ['network', 'address', 'mac', 'state', 'mtu', 'rate', 'delay', 'loss', 'spoof'].map((name) => `ports/lan/${name}`);
    for (const line of listing.trim().split('\n')) {
      const [name = '', mode, size, owner, links, ...type] = line.split(' ');
      assert.equal(owner, '0:0', name);
      if (type.join(' ') === 'directory') {
        assert.equal(mode, ['config', 'rfs'].includes(name) ? '700' : '755', name);
        continue;
      }
      const isPrivate = { command: '600', log: '400' }[name];
      assert.equal(mode, isPrivate ?? ([...settable, ...ofPorts].includes(name) ? '644' : '444'), name);
      assert.equal(links, '1', name);
      if (type.join(' ').includes('regular')) assert.match(lengths, new RegExp(`^${name} ${size}$`, 'm'));
    }
    assert.equal(await mount.run(`cd ${asleep}; ls`), 'action\ncommand\nconfig\nerror\nlog\nmachine\nports\nrfs\nstats\nstatus\n');
    assert.equal(
      await mount.run('ls; stat -c %a events nf-types networks hosts chns; ls hosts networks networks/lan'),
      'chns\nevents\nhosts\nnetworks\nnf-types\nquotas\n444\n755\n755\n755\n755\nhosts:\nlocal\n\nnetworks:\nlan\n\nnetworks/lan:\nerror\nforward\ngateway\nports\nstats\nsubnet\ntrusted\nuplink\n',
    );
  });

  for (const reader of [
    'cat action',
    'head -c 1000000 action',
    'dd if=action bs=1 status=none',
    'dd if=action bs=64k status=none',
    'f=$(mktemp); cp action $f; cat $f; rm $f',
    'wc -c < action > /dev/null; cat < action',
    'grep -rh . action',
    `python3 -c "print(open('action').read(), end='')"`,
    `python3 -c "import os; print(os.read(os.open('action', os.O_RDONLY), 5000).decode(), end='')"`,
    `"${process.execPath}" -e "process.stdout.write(require('fs').readFileSync('action'))"`,
    'sed -n p action',
    'tail -n 1 action',
    'tail -c +1 action',
    'd=$(mktemp -d); cp action $d/a; rsync -a action $d/b; cmp $d/a $d/b; tar c action | tar xO; rm -r $d',
  ]) {
    test(`read by: ${reader.slice(0, 60)}`, async () => {
      assert.equal(await mount.run(`cd ${asleep}; ${reader}`), 'activate deploy\n');
    });
  }

  test('a file tells its true size, a counter that counts the constant, or its true size to who has it open', async () => {
    const program = `import os; f = os.open('${asleep}/action', os.O_RDONLY); print(os.fstat(f).st_size, len(os.read(f, 1000)), os.fstat(f).st_size); os.close(f)
print(os.stat('${asleep}/action').st_size, os.stat('${awake}/stats/rx_bytes').st_size); c = os.open('${awake}/stats/pkt_drops', os.O_RDONLY); print(os.fstat(c).st_size == len(os.read(c, 99)) > 1)`;
    assert.equal(await mount.run(`python3 - <<'E'\n${program}\nE`), '16 16 16\n16 1000\nTrue\n');
  });

  test('counters are empty where nothing runs, numbers where something does', async () => {
    assert.equal(await mount.run(`cat ${asleep}/stats/* ${asleep}/ports/lan/rx_bytes`), '');
    assert.equal(await mount.run('mkdir networks/idle; cat networks/idle/stats/*; ls networks/idle/stats; rmdir networks/idle'), traffic);
    assert.match(await mount.run('cat networks/lan/stats/*'), /^(\d+\n){5}$/);
    const counters = await mount.run(`cd ${awake}; cat stats/* ports/lan/rx_bytes`);
    assert.match(counters, /^(\d+\n){8}$/);
    assert.equal(await mount.run(`cat ${awake}/status ${asleep}/status`), 'running\nundeployed\n');
  });

  for (const walk of [
    'grep -r 10.1.0 .',
    'find . -type f -exec cat {} +',
    'tar c . | wc -c',
    'tar c nf-types networks hosts > /dev/null',
    'ls -lR . > /dev/null',
    'du -s .',
    'find -L . -name pkt_drops | xargs cat',
  ]) {
    test(`walk by: ${walk}`, async () => {
      const { status, stderr } = await mount.sh(`set -o pipefail; ${walk}`);
      // find -L meets the links of a network's ports once more, never a loop.
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    });
  }

  test('copies of the whole tree are made without an error', async () => {
    await mount.run(
      'd=$(mktemp -d); cp -r nf-types networks hosts quotas $d/; rsync -a nf-types networks hosts quotas $d/r/; cat $d/r/nf-types/firewall/awake/status; rm -r $d',
      { timeoutMs: 30_000 },
    );
  });
});

describe('names and places', () => {
  const limit = 'a'.repeat(63);
  test('names that are allowed', async () => {
    await mount.run(`for n in a 0 a_b.c-d PC1 ${limit}; do mkdir networks/$n; rmdir networks/$n; done`);
  });

  test('names that are not are EINVAL, over 255 bytes ENAMETOOLONG', async () => {
    for (const parent of ['nf-types', 'nf-types/firewall', `${asleep}/ports`, 'networks', 'hosts', 'quotas']) {
      for (const name of ['Überall', '_a', '-a', 'a b', 'ä', 'a:b', `${limit}a`, '.a'])
        await refused(`mkdir -- '${parent}/${name}'`, 'Invalid argument');
      await refused(`mkdir ${parent}/$(printf 'a%.0s' {1..300})`, 'File name too long');
    }
    await refused(`printf '${asleep}/ports/\\xff\\xfe' | xargs mkdir`, '.*');
  });

  test('a directory that means nothing is EPERM, a type without a module ENOSYS', async () => {
    for (const place of [
      'x',
      'hosts/local/x',
      'quotas/default/x',
      `${asleep}/x`,
      `${asleep}/machine/x`,
      `${asleep}/stats/x`,
      `${asleep}/ports/lan/x`,
      'networks/lan/x',
      'networks/lan/ports/x',
    ])
      await refused(`mkdir ${place}`, 'Operation not permitted');
    await refused('mkdir nf-types/nothing', 'Function not implemented');
    assert.equal(await mount.run('ls nf-types'), 'firewall\n');
    for (const again of ['nf-types', 'nf-types/firewall', asleep, `${asleep}/ports/lan`, `${asleep}/machine`, 'networks/lan'])
      await refused(`mkdir ${again}`, 'File exists');
  });

  test('files are not made, linked or removed where they mean nothing', async () => {
    for (const script of [
      'touch x',
      `echo 1 > ${asleep}/typo`,
      `ln -s a ${asleep}/l`,
      `ln ${asleep}/action ${asleep}/l`,
      `mkfifo ${asleep}/f`,
      'rmdir nf-types',
      'rmdir hosts/local',
      'rm events',
      'mv networks/lan networks/wan',
      `mv ${asleep}/action ${asleep}/b`,
      `mv ${asleep} networks/`,
    ])
      await refused(script, 'Operation not permitted');
    await refused('rmdir nf-types/firewall', 'Directory not empty');
  });
});

test('directories can be synced', async () => {
  for (const directory of ['.', 'nf-types', asleep, `${asleep}/ports`, 'networks/lan'])
    await mount.run(`python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_DIRECTORY))' ${directory}`);
});

describe('removing and renaming instances', () => {
  test('a deployed one stays: EBUSY, with the reason in error', async () => {
    const busy = 'Device or resource busy';
    await refused(`rmdir ${awake}`, busy);
    assert.match(
      await mount.run(`cat ${awake}/error`),
      /^rmdir: nf-types\/firewall\/awake is running and cannot be removed\. Run: echo destroy > nf-types\/firewall\/awake\/action\n$/,
    );
    await refused(`mv ${awake} nf-types/firewall/other`, busy);
    assert.match(await mount.run(`cat ${awake}/error`), /^mv: .* cannot be renamed/);
    await mount.run(`cd ${awake}; mkdir config/d; echo mine | tee config/d/x rfs/x > config/x`);
    const before = await mount.run(`cd ${awake}; ls . config config/d rfs`);
    for (const remove of [
      'rm -r',
      'rm -rf',
      'busybox rm -r',
      `perl -MFile::Path=remove_tree -e 'remove_tree(@ARGV); die if -e $ARGV[0]'`,
    ]) {
      assert.notEqual((await mount.sh(`${remove} ${awake}`)).status, 0, remove);
      assert.equal(await mount.run(`cd ${awake}; ls . config config/d rfs`), before, remove);
    }
    assert.match(await mount.run(`cat ${awake}/status ${awake}/ports/lan/address`), /^running\n10.1.0.1\/24\n$/);
    await mount.run(`cd ${awake}; cat config/d/x rfs/x config/x; rm -r config/d config/x rfs/x`);
  });

  test('an undeployed one goes with rmdir and with rm -r, files and all', async () => {
    await mount.run(
      'cd nf-types/firewall; mkdir one two; mkdir one/ports/p two/ports/p; echo x > one/config/x; mkdir one/config/d; echo y > two/config/d; rmdir one; rm -r two; [ ! -e one ] && [ ! -e two ]; mkdir one; cat one/status; ls one/config; rmdir one',
    );
  });

  test('mv keeps everything; onto another is EEXIST; an invalid name EINVAL', async () => {
    await mount.run(
      `cd nf-types/firewall; mkdir one; mkdir one/ports/p; echo 64M > one/machine/vm.memory; echo x > one/config/x; mv one two; [ ! -e one ]; cat two/machine/vm.memory two/config/x; ls two/ports`,
    );
    await refused('mv -T nf-types/firewall/two nf-types/firewall/asleep', 'File exists');
    // mv(1) has words of its own for EINVAL.
    await assert.rejects(rename(join(mount.path, 'nf-types/firewall/two'), join(mount.path, 'nf-types/firewall/_two')), { code: 'EINVAL' });
    await mount.run('cat nf-types/firewall/two/config/x; mv nf-types/firewall/two nf-types/firewall/one; rmdir nf-types/firewall/one');
  });
});

describe('writing', () => {
  const value = `${asleep}/machine/vm.memory`;
  test('with and without a newline, by >, >>, cp, dd, tee, Python', async () => {
    const ways = [
      'printf 64M >',
      'echo 64M >',
      'printf "64M\\r\\n" >',
      'echo 64M >>',
      'echo 64M | dd status=none of=',
      'echo 64M | tee ',
      `f=$(mktemp); echo 64M > $f; cp $f `,
    ];
    for (const way of ways)
      assert.equal((await mount.run(`echo 32M > ${value}; ${way}${value}; cat ${value}`)).split('\n').at(-2), '67108864', way);
    assert.equal(await mount.run(`python3 -c "open('${value}', 'w').write('32M')"; cat ${value}`), '33554432\n');
  });

  test('sed -i and editors that rename change a value; a temporary file left alone changes nothing', async () => {
    assert.equal(await mount.run(`sed -i s/33554432/64M/ ${value}; cat ${value}`), '67108864\n');
    await refused(`sed -i s/67108864/much/ ${value}`, 'Invalid argument');
    assert.equal(await mount.run(`cat ${value}; ls ${asleep}/machine | wc -l`), '67108864\n6\n');
  });

  test('truncation to nothing empties a value', async () => {
    for (const way of [
      `: > ${value}`,
      `> ${value}`,
      `printf '' > ${value}`,
      `truncate -s 0 ${value}`,
      `python3 -c "open('${value}', 'w').close()"`,
      `cp /dev/null ${value}`,
      `echo > ${value}`,
    ]) {
      assert.equal(await mount.run(`echo 64M > ${value}; ${way}; cat ${value}`), '', way);
    }
    // What cannot be empty for a moment is not, while a shell opens it to write.
    await mount.run(`echo 10.9.0.0/24 > networks/lan/gateway || true; : > ${asleep}/action; : > ${asleep}/command; cat ${asleep}/error`);
    assert.equal(await mount.run(`cat ${asleep}/error`), '');
  });

  test('a value that is refused leaves the old one, and the reason', async () => {
    await mount.run(`echo 64M > ${value}`);
    await refused(`echo 0 > ${value}`, 'Invalid argument');
    assert.match(await mount.run(`cat ${value} ${asleep}/error`), /^67108864\nmachine\/vm.memory: .+\n$/);
    assert.equal(await mount.run(`echo 128M > ${value}; cat ${asleep}/error`), '');
  });

  test('live files ignore their owner while undeployed, and refuse once deployed', async () => {
    for (const file of ['status', 'error', 'log', 'stats/rx_bytes', 'machine/vm.ip', 'ports/lan/rx_bytes']) {
      assert.equal(
        await mount.run(`echo 5 > ${asleep}/${file}; printf x >> ${asleep}/${file}; [ -f ${asleep}/${file} ] && echo regular`),
        'regular\n',
        file,
      );
      await refused(`echo 5 > ${awake}/${file}`, 'Permission denied');
    }
    assert.equal(await mount.run(`cat ${asleep}/status ${asleep}/error ${asleep}/stats/rx_bytes`), 'undeployed\n');
  });
});

describe('what happens is seen', () => {
  test('events are JSON lines', async () => {
    await refused(`echo fly > ${awake}/action`, 'Invalid argument');
    await delay(50);
    const events = (await mount.run('cat events'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { time: string; path: string; what: string; why?: string });
    assert.ok(events.some((event) => event.path === awake && event.what === 'activate'));
    const failed = events.find((event) => event.what === 'fly failed');
    assert.match(failed?.why ?? '', /"fly" is not an action; there are: activate, /);
    assert.ok(Math.abs(Date.parse(failed?.time ?? '') - Date.now()) < 10_000);
  });

  test('tail -f sees events and log grow within about a second', async () => {
    await mount.run(
      `cd nf-types; mkdir -p host/talks; echo 'command=sh -c "while :; do echo tick; sleep 0.2; done"' > host/talks/config/boot.conf; echo activate > host/talks/action`,
    );
    for (const file of ['events', 'nf-types/host/talks/log']) {
      let isOver = false;
      const seen = mount.sh(`timeout 20 tail -f -n 0 ${file} | head -n 2`, { timeoutMs: 30_000 }).finally(() => {
        isOver = true;
      });
      while (!isOver) await mount.run('echo true > nf-types/host/talks/command; sleep 0.3');
      assert.match((await seen).stdout, file === 'events' ? /"what":"command"/ : /^tick\ntick\n/);
    }
    await mount.run('echo destroy > nf-types/host/talks/action');
  });
});

describe('who waits can stop waiting', () => {
  test('SIGINT ends a command, a verb and a reader at once', async () => {
    for (const script of [`echo 'sleep 100' > ${awake}/command`, `tail -f ${awake}/log`]) {
      const { status } = await mount.sh(`timeout -s INT 0.5 bash -c "${script}"`, { timeoutMs: 10_000 });
      assert.notEqual(status, 'timeout');
    }
    assert.equal(await mount.run(`echo 'pgrep -c sleep || true' > ${awake}/command; cat ${awake}/command`), '0\n');
  });

  test('a second verb is EBUSY while one is under way, and the first can be interrupted', async () => {
    await mount.run('mkdir -p nf-types/slow/{s,t}; for i in s t; do echo activate > nf-types/slow/$i/action; done');
    const first = mount.sh('timeout -s INT 1 bash -c "echo think > nf-types/slow/s/action"');
    let isOver = false;
    void first.then(() => {
      isOver = true;
    });
    await delay(300);
    await refused('cd nf-types/slow/s; echo restart >> action; echo restart 1<> action; echo restart > action', 'Device or resource busy');
    assert.ok(!isOver, 'nobody is kept waiting');
    assert.match(await mount.run('cat nf-types/slow/s/error'), /^action: think is still under way/);
    assert.equal((await first).status, 124);
    await mount.run('until echo restart > nf-types/slow/s/action; do sleep 0.2; done 2> /dev/null; cat nf-types/slow/s/error');
  });
});

describe('files that a module answers', () => {
  test('are whole to programs that ask for the size, and a reader who waits in vain can stop', async () => {
    assert.equal(
      await mount.run('cd nf-types/slow/t; cat word; tar c word | tar xO; stat -c %s word; dd if=word bs=2 status=none'),
      'hello\nhello\n1000\nhello\n',
    );
    assert.equal((await mount.sh('timeout -s INT 1 cat nf-types/slow/t/oracle')).status, 124);
    assert.equal(await mount.run('cat nf-types/slow/t/error'), '', 'it did not wait until the module was given up');
  });

  test('actions on two instances run at the same time', async () => {
    assert.equal(await mount.run('cd nf-types/slow; echo think > s/action & echo think > t/action; wait; cat s/most'), '2\n');
  });
});

test('handles and errors survive odd use', async () => {
  const file = await open(join(mount.path, asleep, 'machine/ip'), 'r+');
  await file.write('local', 0);
  await assert.rejects(file.write('x', 500), { code: 'EFBIG' });
  await file.close();
  assert.equal(await readFile(join(mount.path, asleep, 'machine/ip'), 'utf8'), 'local\n');
  await writeFile(join(mount.path, asleep, 'machine/ip'), '');
  assert.equal(await readFile(join(mount.path, asleep, 'machine/ip'), 'utf8'), '');
});
