import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startDaemon } from '../../src/daemon/index.ts';
import { TestMount } from '../support/mount.ts';
import { shell } from '../support/shell.ts';

/* Each bad input gets its errno, a sentence in `error`, and loses nothing. */

let mount: TestMount;
const fw = 'nf-types/firewall/fw';

before(async () => {
  mount = await TestMount.start();
  await mount.run(`mkdir -p nf-types/host/h ${fw} networks/lan networks/wan; echo 10.1.0.0/24 > networks/lan/subnet; echo 10.2.0.0/24 > networks/wan/subnet
    mkdir ${fw}/ports/lan nf-types/host/h/ports/p; echo lan > ${fw}/ports/lan/network; echo 10.1.0.1/24 > ${fw}/ports/lan/address
    echo lan > nf-types/host/h/ports/p/network; echo 64M > ${fw}/machine/vm.memory; echo activate > ${fw}/action`);
});

after(() => mount[Symbol.asyncDispose]());

/** The code of a write that must fail, and what `error` beside it says then. */
async function refusal(object: string, file: string, data: string | Uint8Array): Promise<{ code: string | undefined; error: string }> {
  const path = join(mount.path, object, file);
  const code = await writeFile(path, data, { flag: 'r+' }).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
  const vnf = object.replace(/\/ports\/.*/, '');
  return { code, error: await readFile(join(mount.path, vnf, 'error'), 'utf8') };
}

async function isRefused(
  object: string,
  file: string,
  data: string | Uint8Array,
  expected: { readonly code: string; readonly error: RegExp },
): Promise<void> {
  const before = await readFile(join(mount.path, object, file), 'utf8');
  const { code, error } = await refusal(object, file, data);
  assert.deepEqual({ file, data: data.slice(0, 40), code }, { file, data: data.slice(0, 40), code: expected.code });
  assert.match(error, expected.error);
  assert.match(error, /^.+\n$/, 'one line');
  assert.equal(await readFile(join(mount.path, object, file), 'utf8'), before, 'the old value stays');
}

describe('what is written', () => {
  test('to action: unknown verbs, verbs that do not fit, far too much, NUL bytes, what is no text', async () => {
    await isRefused(fw, 'action', 'fly\n', { code: 'EINVAL', error: /"fly" is not an action; there are: activate, .*destroy/ });
    await isRefused(fw, 'action', 'activate\n', { code: 'EINVAL', error: /^activate: .*is running; possible now: stop, / });
    await isRefused(fw, 'action', '\n', { code: 'EINVAL', error: /is not an action/ });
    await isRefused(fw, 'action', 'x'.repeat(1024 * 1024), { code: 'EFBIG', error: /bytes are too many: at most 4096/ });
    await isRefused(fw, 'action', 'stop\0', { code: 'EINVAL', error: /NUL byte/ });
    await isRefused(fw, 'action', Buffer.from('stop\xff\xfe', 'latin1'), { code: 'EILSEQ', error: /not valid UTF-8/ });
    await isRefused(fw, 'action', '__proto__', { code: 'EINVAL', error: /is not an action/ });
    assert.equal(await mount.run(`cat ${fw}/status`), 'running\n');
  });

  test('to command: too much, NUL bytes, no running guest', async () => {
    assert.equal((await refusal(fw, 'command', 'x'.repeat(1024 * 1024 + 1))).code, 'EFBIG');
    const { code, error } = await refusal(fw, 'command', 'echo \0');
    assert.equal(code, 'EINVAL');
    assert.match(error, /^command: .*NUL/);
    assert.deepEqual(await refusal('nf-types/host/h', 'command', 'id'), {
      code: 'ENODEV',
      error: 'command: the VNF is undeployed, and a command needs a running one. Run: echo activate > nf-types/host/h/action\n',
    });
    const failed = await refusal(fw, 'command', 'echo out; echo err >&2; exit 3');
    assert.deepEqual([failed.code, failed.error], ['EIO', 'command: exit status 3; its output is in the file command\n']);
    assert.equal(await mount.run(`cat ${fw}/command`), 'out\nerr\n');
  });

  test('to machine/', async () => {
    for (const value of ['0', '1e30', '-1', 'much', '64X', '1'.repeat(100), '3M', 'NaN', '0x10', '64M 1'])
      await isRefused(fw, 'machine/vm.memory', value, { code: 'EINVAL', error: /^machine\/vm\.memory: / });
    for (const value of ['0', '-1', '1e30', 'all', '9000'])
      await isRefused(fw, 'machine/vm.vcpu', value, { code: 'EINVAL', error: /^machine\/vm\.vcpu: / });
    await isRefused(fw, 'machine/vm.image', 'a b', { code: 'EINVAL', error: /must be one word/ });
  });

  test('to a network: a subnet that overlaps, one that is none, a gateway outside, an uplink that is not there', async () => {
    await isRefused('networks/wan', 'subnet', '10.1.0.128/25', {
      code: 'EINVAL',
      error: /10\.1\.0\.128\/25 overlaps 10\.1\.0\.0\/24, the subnet of network lan/,
    });
    await isRefused('networks/wan', 'subnet', '10.0.0.0/8', { code: 'EINVAL', error: /overlaps/ });
    for (const subnet of ['10.3.0.0', '10.3.0.1/24', '300.1.1.0/24', '10.3.0.0/33', 'fd00::/129', '::ffff:1.2.3.4', '1.2.3/24'])
      await isRefused('networks/wan', 'subnet', subnet, { code: 'EINVAL', error: /^subnet: / });
    await isRefused('networks/lan', 'subnet', '10.9.0.0/24', { code: 'EINVAL', error: /10\.1\.0\.1\/24 is outside 10\.9\.0\.0\/24/ });
    await isRefused('networks/lan', 'gateway', '10.2.0.1', { code: 'EINVAL', error: /outside the subnet/ });
    await isRefused('networks/lan', 'uplink', '../../etc', { code: 'EINVAL', error: /not the name of a network interface/ });
    const { code, error } = await refusal('networks/lan', 'uplink', 'nothing0');
    assert.match(`${code} ${error}`, /^E(NODEV|NOENT|INVAL) uplink: .*nothing0/);
    assert.equal(await mount.run('cat networks/lan/uplink'), '');
  });

  test('to a port', async () => {
    const port = `${fw}/ports/lan`;
    await isRefused(port, 'address', '10.2.0.1/24', {
      code: 'EINVAL',
      error: /^ports\/lan\/address: 10\.2\.0\.1\/24 is outside 10\.1\.0\.0\/24, the subnet of network lan/,
    });
    await isRefused(port, 'address', '10.1.0.1', { code: 'EINVAL', error: /not an address with a prefix length/ });
    await isRefused(port, 'network', 'nowhere', { code: 'ENOENT', error: /there is no network nowhere\. Run: mkdir networks\/nowhere$/m });
    await isRefused(port, 'network', '../lan', { code: 'EINVAL', error: /^ports\/lan\/network: / });
    for (const [file, value] of [
      ['mac', '01:00:00:00:00:00'],
      ['mac', 'xx'],
      ['state', 'maybe'],
      ['mtu', '1'],
      ['mtu', '70000'],
      ['rate', 'fast'],
      ['rate', '1'],
      ['delay', '1h'],
      ['loss', '101'],
      ['loss', '-1'],
    ] as const)
      await isRefused(port, file, value, { code: 'EINVAL', error: new RegExp(`^ports/lan/${file}: `) });
    assert.equal(await mount.run(`cat ${port}/network ${port}/address`), 'lan\n10.1.0.1/24\n');
  });

  test('two ports with one address: EADDRINUSE, at the latest when both are to run', async () => {
    await mount.run('cd nf-types/host/h; echo 10.1.0.1/24 > ports/p/address');
    const { code, error } = await refusal('nf-types/host/h', 'action', 'activate');
    assert.deepEqual(
      { code, error: error.slice(0, 60) },
      { code: 'EADDRINUSE', error: 'activate: 10.1.0.1 is the address of fw/ports/lan on network' },
    );
    assert.equal(
      await mount.run('cd nf-types/host/h; cat status; echo 10.1.0.9/24 > ports/p/address; echo activate > action; cat status'),
      'undeployed\nrunning\n',
    );
    await isRefused('nf-types/host/h/ports/p', 'address', '10.1.0.1/24', {
      code: 'EADDRINUSE',
      error: /10\.1\.0\.1 is the address of fw\/ports\/lan/,
    });
    await mount.run('echo destroy > nf-types/host/h/action');
  });
});

describe('what is done', () => {
  test('a network in use is not removed', async () => {
    const { stderr } = await mount.sh('rmdir networks/lan');
    assert.match(stderr, /Device or resource busy/);
    assert.match(await mount.run('cat networks/lan/error'), /^rmdir: network lan is in use by (.*)\. Run: echo > nf-types\/\1\/network\n$/);
    assert.equal(await mount.run('cat networks/lan/subnet'), '10.1.0.0/24\n');
  });

  test('a configuration that does not parse is refused at close and at fsync, naming the line; the running one stays', async () => {
    await mount.run(
      `cat > ${fw}/config/nf_conf <<'E'\ntable inet t { chain c { type filter hook forward priority 0; tcp dport 23 drop; }; }\nE`,
    );
    const rules = await mount.run(`echo 'nft list ruleset' > ${fw}/command; cat ${fw}/command`);
    assert.match(rules, /tcp dport 23 .*drop/);
    const program = `import os\nf = os.open('${fw}/config/nf_conf', os.O_WRONLY | os.O_TRUNC); os.write(f, b'table inet t {\\n  chain c {\\n    not a rule\\n  }\\n}\\n')
for step in (os.fsync, os.close):
  try: step(f); print('taken')
  except OSError as e: print(e.strerror)`;
    assert.match(await mount.run(`python3 - <<'E'\n${program}\nE`), /^Invalid argument\n/);
    assert.match(await mount.run(`cat ${fw}/error`), /^save: nf_conf line 3: /);
    assert.equal(await mount.run(`echo 'nft list ruleset' > ${fw}/command; cat ${fw}/command`), rules);
    const replaced = await mount.sh(`cd ${fw}/config; echo 'table {' > new; mv -f new nf_conf`);
    assert.match(replaced.stderr, /Invalid argument|subdirectory of itself/);
    assert.equal(
      await mount.run(`cat ${fw}/config/new; rm ${fw}/config/new; echo 'nft list ruleset' > ${fw}/command; cat ${fw}/command`),
      `table {\n${rules}`,
    );
  });

  test('a link or a FIFO as configuration, boot.conf that does not parse', async () => {
    const config = join(mount.path, 'nf-types/host/h/config');
    await symlink('/etc/shadow', join(config, 'boot.conf'));
    const linked = await refusal('nf-types/host/h', 'action', 'activate');
    assert.deepEqual([linked.code, linked.error.includes('root:'), /boot\.conf/.test(linked.error)], ['EINVAL', false, true]);
    await rm(join(config, 'boot.conf'));
    await writeFile(join(config, 'boot.conf'), 'command=true\nsysctl.kernel.panic=1\n');
    const wrong = await refusal('nf-types/host/h', 'action', 'activate');
    assert.equal(wrong.code, 'EINVAL');
    assert.match(wrong.error, /^activate: boot\.conf line 2: /);
    assert.equal(await mount.run('cat nf-types/host/h/status; rm nf-types/host/h/config/boot.conf'), 'undeployed\n');
  });

  test('a guest that someone killed is exited within a second, and can be started or destroyed', async () => {
    await mount.run('echo activate > nf-types/host/h/action');
    const pid = Number(await mount.run('cat nf-types/host/h/machine/vm.id'));
    process.kill(pid, 'SIGKILL');
    await delay(1000);
    assert.equal(await mount.run('cat nf-types/host/h/status'), 'exited (137)\n');
    assert.deepEqual(await refusal('nf-types/host/h', 'action', 'pause'), {
      code: 'EINVAL',
      error: 'pause: the VNF is exited; possible now: start, restart, destroy\n',
    });
    assert.equal((await refusal('nf-types/host/h', 'command', 'id')).code, 'ENODEV');
    assert.equal(
      await mount.run('cd nf-types/host/h; cat stats/rx_bytes; echo start > action; cat status; echo destroy > action; cat status'),
      'running\nundeployed\n',
    );
  });

  test('names of any kind and length never harm what is there', async () => {
    for (const name of ['_A', 'a'.repeat(64), 'a b', '.x', 'ä']) {
      await assert.rejects(mkdir(join(mount.path, 'nf-types/host', name)), { code: 'EINVAL' });
      await assert.rejects(rename(join(mount.path, 'nf-types/host/h'), join(mount.path, 'nf-types/host', name)), { code: 'EINVAL' });
    }
    await assert.rejects(mkdir(join(mount.path, 'nf-types/host', 'a'.repeat(300))), { code: 'ENAMETOOLONG' });
    assert.equal(await mount.run('ls nf-types/host'), 'h\n');
  });
});

describe('modules', () => {
  test('a broken one fails its mkdir, with the reason in events, and nothing else', async () => {
    const modules = await mkdtemp(join(tmpdir(), 'nfio-modules-'));
    try {
      await writeFile(join(modules, 'syntax.ts'), 'export default {');
      await writeFile(join(modules, 'throws.ts'), 'throw new Error("at import");');
      await writeFile(join(modules, 'shape.ts'), 'export default { summary: 5 };');
      await writeFile(join(modules, 'hook.ts'), 'export default { summary: "x", hooks: { mkdir() { throw new Error("no room"); } } };');
      await using own = await TestMount.start({ modules });
      for (const type of ['syntax', 'throws', 'shape']) {
        await assert.rejects(
          mkdir(join(own.path, 'nf-types', type)),
          (error: NodeJS.ErrnoException) => error.code === 'ENOEXEC' || error.code === 'EIO',
          type,
        );
      }
      await mkdir(join(own.path, 'nf-types/hook'));
      await assert.rejects(mkdir(join(own.path, 'nf-types/hook/i')), { code: 'EIO' });
      assert.equal(await own.run('ls nf-types nf-types/hook; mkdir -p nf-types/host/h'), 'nf-types:\nhook\n\nnf-types/hook:\n');
      const events = await own.run('cat events');
      for (const type of ['syntax', 'throws', 'shape', 'hook/i'])
        assert.match(events, new RegExp(`"nf-types/${type}","what":"mkdir failed","why":"[^"]`), type);
    } finally {
      await rm(modules, { recursive: true, force: true });
    }
  });

  test('one that would take nf.io down fails what called it, and nothing else', async () => {
    const modules = await mkdtemp(join(tmpdir(), 'nfio-modules-'));
    try {
      await writeFile(
        join(modules, 'hostile.ts'),
        `const write = (instance, text) => {
           if (text === 'loop') for (;;);
           if (text === 'exit') process.exit(1);
           setTimeout(() => { throw new Error('from a timer'); });
           return new Promise(() => {});
         };
         export default { summary: 'h', files: [{ path: 'do', mode: 0o200, write }], actions: { loop: { summary: 'l', run() { for (;;); } } } };`,
      );
      await using own = await TestMount.start({ modules });
      await own.run('mkdir -p nf-types/hostile/h nf-types/hostile/i networks/lan');
      const looping = own.sh('echo loop > nf-types/hostile/h/do');
      await own.run('echo 10.9.0.0/24 > networks/lan/subnet; mkdir -p nf-types/host/a; echo activate > nf-types/host/a/action');
      const { status, stderr } = await looping;
      assert.notEqual(status, 0);
      assert.match(stderr, /Input\/output error/);
      assert.match(await own.run('cat nf-types/hostile/h/error'), /^do: module hostile has not come back for 5 s: look for a loop/);
      for (const [word, why] of [
        ['exit', 'ended its own thread'],
        ['throw', 'threw where nobody catches: from a timer'],
      ] as const) {
        assert.notEqual((await own.sh(`echo ${word} > nf-types/hostile/h/do`)).status, 0);
        assert.match(await own.run('cat nf-types/hostile/h/error'), new RegExp(why));
      }
      assert.equal(await own.run('cat nf-types/host/a/status; echo destroy > nf-types/host/a/action'), 'running\n');
    } finally {
      await rm(modules, { recursive: true, force: true });
    }
  });
});

describe('mounting', () => {
  const options = { hypervisor: 'netns', logLevel: 'error', foreground: false } as const;

  test('a mountpoint that is none, in use, or not empty is refused with what to do', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nfio-bad-'));
    try {
      await writeFile(join(directory, 'file'), '');
      await mkdir(join(directory, 'full/x'), { recursive: true });
      const root = join(directory, 'root');
      for (const [mountpoint, sentence] of [
        [join(directory, 'none'), /none does not exist\. Make it: mkdir -p /],
        [join(directory, 'file'), /file is not a directory/],
        [join(directory, 'full'), /full is not empty/],
        [mount.path, /has something mounted on it already\. Choose another directory, or unmount that first: nfio umount /],
      ] as const)
        await assert.rejects(startDaemon({ ...options, root, mountpoint }), sentence);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('who may not mount is told so', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nfio-user-'));
    try {
      await chmod(directory, 0o777);
      const program = join(import.meta.dirname, '../../bin/nfio');
      const { status, stderr } = await shell(`mkdir m && "${process.execPath}" ${program} mount --root ${directory}/r ${directory}/m`, {
        cwd: directory,
        uid: 65534,
      });
      assert.notEqual(status, 0);
      assert.match(stderr, /root|sudo|permi/i);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('without /dev/fuse the remedy is said', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nfio-nofuse-'));
    try {
      const program = join(import.meta.dirname, '../../bin/nfio');
      // A mount namespace whose /dev has nothing but what node needs.
      const devices =
        'mkdir dev mnt; mount -t tmpfs none dev; for d in null zero random urandom; do touch dev/$d; mount --bind /dev/$d dev/$d; done; mount --rbind dev /dev';
      const { status, stderr } = await shell(
        `unshare --mount bash -c '${devices}; "${process.execPath}" ${program} mount --root root mnt'`,
        { cwd: directory },
      );
      assert.equal(status, 1);
      assert.match(stderr, /\/dev\/fuse .*modprobe fuse/);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('without nft or ip an activation says what to install, and undoes itself', async () => {
    const programs = await mkdtemp(join(tmpdir(), 'nfio-path-'));
    const path = process.env['PATH'];
    try {
      // Everything but those two.
      await shell(`ln -sft ${programs} /usr/sbin/* /usr/bin/* /sbin/* /bin/*; rm ${programs}/nft ${programs}/ip; chmod 755 ${programs}`);
      process.env['PATH'] = programs;
      await using own = await TestMount.start();
      process.env['PATH'] = path;
      await own.run(
        'mkdir -p nf-types/host/h nf-types/firewall/f networks/lan; mkdir nf-types/host/h/ports/p; echo lan > nf-types/host/h/ports/p/network',
      );
      const { stderr } = await own.sh('echo activate > nf-types/host/h/action');
      assert.match(stderr, /write error: /);
      assert.match(
        await own.run('cat nf-types/host/h/error nf-types/host/h/status'),
        /^activate: .*\bip\b.*apt-get install iproute2.*\nundeployed\n$/,
      );
      await own.sh('echo activate > nf-types/firewall/f/action');
      assert.match(
        await own.run('cat nf-types/firewall/f/error nf-types/firewall/f/status'),
        /^activate: .*apt-get install (nftables|iproute2).*\nundeployed\n$/,
      );
      await own.sh(`mkdir chns/web; echo 'tcp dport 80' > chns/web/match`);
      assert.match(await own.run('cat chns/web/error'), /^match: .*apt-get install nftables\n$/);
    } finally {
      process.env['PATH'] = path;
      await rm(programs, { recursive: true, force: true });
    }
  });
});
