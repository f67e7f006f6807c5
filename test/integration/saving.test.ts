import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';

/** `$new` holds the text; the working directory is that of a running firewall, and `$tmp` one on another file system. */
const ways: readonly (readonly [name: string, script: string])[] = [
  ['bash: printf', 'printf %s "$new" > config/nf_conf'],
  ['bash: builtins line by line', '{ while IFS= read -r l; do echo "$l"; done; } <<<"${new%?}" > config/nf_conf'],
  ['bash: cat', 'printf %s "$new" > "$tmp/new"; cat "$tmp/new" > config/nf_conf'],
  ['bash: a here-document', 'cat > config/nf_conf <<<"${new%?}"'],
  ['bash: a child ends first', '{ sleep 0.05; printf %s "$new"; } > config/nf_conf'],
  ['bash: a child ends in between', '{ printf %s "${new:0:9}"; sleep 0.05; printf %s "${new:9}"; } > config/nf_conf'],
  ['bash: a descriptor of its own', 'exec 3> config/nf_conf; /bin/true; printf %s "$new" >&3; exec 3>&-'],
  ['bash: a background job writes', '{ sleep 0.05; printf %s "$new"; } > config/nf_conf & wait'],
  ['bash: noclobber off, >|', 'printf %s "$new" >| config/nf_conf'],
  [
    'bash: read and write',
    'printf %s "$new" | tee "$tmp/new" >/dev/null; rm config/nf_conf; exec 3<> config/nf_conf; cat "$tmp/new" >&3; exec 3>&-',
  ],
  ['dash', 'dash -c \'printf %s "$new" > config/nf_conf\''],
  ['busybox sh', 'busybox sh -c \'printf %s "$new" > config/nf_conf\''],
  ['tee', 'printf %s "$new" | tee config/nf_conf > /dev/null'],
  ['append to a new file', 'rm config/nf_conf; printf %s "$new" >> config/nf_conf'],
  ['dd', 'printf %s "$new" | dd of=config/nf_conf bs=7 status=none'],
  ['dd without truncation, then fsync', 'printf %s "$new" | dd of=config/nf_conf conv=fsync status=none'],
  ['cp', 'printf %s "$new" > "$tmp/new"; cp "$tmp/new" config/nf_conf'],
  ['install', 'printf %s "$new" > "$tmp/new"; install -m 644 "$tmp/new" config/nf_conf'],
  ['mv from beside', 'printf %s "$new" > config/next; mv config/next config/nf_conf'],
  ['mv from a directory below', 'mkdir -p config/d; printf %s "$new" > config/d/next; mv config/d/next config/nf_conf'],
  ['mv from another file system', 'printf %s "$new" > "$tmp/new"; mv "$tmp/new" config/nf_conf'],
  ['mv from another VNF', 'printf %s "$new" > ../other/config/next; mv ../other/config/next config/nf_conf'],
  ['ln to a free name', 'printf %s "$new" > config/next; rm config/nf_conf; ln config/next config/nf_conf'],
  ['by another name of the file', 'ln -f config/nf_conf config/same; printf %s "$new" > config/same'],
  [
    'renamed while it is written',
    'cp config/.applied/nf_conf config/next; exec 3<> config/next; mv config/next config/nf_conf; printf %s "$new" >&3; exec 3>&-',
  ],
  ['rsync', 'printf %s "$new" > "$tmp/new"; rsync -I "$tmp/new" config/nf_conf'],
  ['rsync --inplace', 'printf %s "$new" > "$tmp/new"; rsync -I --inplace "$tmp/new" config/nf_conf'],
  ['tar', 'printf %s "$new" > "$tmp/nf_conf"; tar c -C "$tmp" nf_conf | tar x -C config'],
  ['sed -i', 'printf %s "$new" > "$tmp/new"; sed -i -e "1r $tmp/new" -e d config/nf_conf'],
  ...['yes', 'no', 'auto', 'yes,breakhardlink'].map((mode) => [`vim, backupcopy=${mode}`, vim(mode)] as const),
  ['python: w', python("open('config/nf_conf', 'w').write(new)")],
  ['python: r+, truncated first', python("f = open('config/nf_conf', 'r+'); f.truncate(0); f.write(new); f.close()")],
  ['python: r+, truncated last', python("f = open('config/nf_conf', 'r+'); f.write(new); f.truncate(); f.close()")],
  [
    'python: pwrite, backwards',
    python(
      "f = os.open('config/nf_conf', os.O_WRONLY | os.O_TRUNC); b = new.encode(); os.pwrite(f, b[5:], 5); os.pwrite(f, b[:5], 0); os.close(f)",
    ),
  ],
  [
    'python: fork, the child writes',
    python(
      "f = os.open('config/nf_conf', os.O_WRONLY | os.O_TRUNC)\nif os.fork() == 0: os.write(f, new.encode()); os._exit(0)\nos.wait(); os.close(f)",
    ),
  ],
  [
    'python: dup, closed in between',
    python("f = os.open('config/nf_conf', os.O_WRONLY | os.O_TRUNC); g = os.dup(f); os.close(g); os.write(f, new.encode()); os.close(f)"),
  ],
  [
    'python: mmap',
    python(
      "f = open('config/nf_conf', 'w+'); b = new.encode(); f.truncate(len(b)); m = mmap.mmap(f.fileno(), len(b)); m[:] = b; m.close(); f.close()",
    ),
  ],
  [
    'python: sendfile',
    python(
      "open(tmp + '/new', 'w').write(new); i = os.open(tmp + '/new', os.O_RDONLY); o = os.open('config/nf_conf', os.O_WRONLY | os.O_TRUNC); os.sendfile(o, i, 0, len(new)); os.close(o)",
    ),
  ],
  [
    'python: a thread writes, another closes',
    python(
      "f = os.open('config/nf_conf', os.O_WRONLY | os.O_TRUNC); t = threading.Thread(target=lambda: os.write(f, new.encode())); t.start(); t.join(); os.close(f)",
    ),
  ],
  ['node', 'node -e \'fs.writeFileSync("config/nf_conf", process.env.new)\''],
];

function python(script: string): string {
  return `python3 - <<'PY'\nimport mmap, os, threading\nnew = os.environ['new']; tmp = os.environ['tmp']\n${script}\nPY`;
}

function vim(mode: string): string {
  return `printf %s "$new" > "$tmp/new"; vim -n -u NONE -es -c 'set backup backupcopy=${mode}' -c "%!cat $tmp/new" -c wq! -c qa! config/nf_conf; rm -f config/*~`;
}

/** A rule set with a chain of this name. */
function rules(name: string): string {
  return `table inet filter {\n  chain ${name} {\n    type filter hook forward priority filter; policy drop;\n  }\n}\n`;
}

describe('a configuration', () => {
  let mount: TestMount;
  const firewall = 'nf-types/firewall/fw';

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir -p ${firewall} nf-types/firewall/other "${mount.root}.tmp"; echo activate > ${firewall}/action`);
  });
  after(async () => {
    await mount.sh(`rm -rf "${mount.root}.tmp"`);
    await mount[Symbol.asyncDispose]();
  });

  const inFirewall = (
    script: string,
    text = '',
  ): Promise<{ readonly status: number | 'timeout'; readonly stdout: string; readonly stderr: string }> =>
    mount.sh(`cd ${firewall}; ${script}`, { env: { new: text, tmp: `${mount.root}.tmp` } });

  /** What runs: as config/.applied tells, and as the kernel does. */
  async function running(): Promise<{ readonly shown: string; readonly chains: readonly string[] }> {
    const { stdout: shown } = await inFirewall('cat config/.applied/nf_conf');
    const { stdout: list } = await inFirewall("echo 'nft list ruleset' > command && cat command");
    return { shown, chains: [...list.matchAll(/^\tchain (?!nfio_)(\w+) \{/gm)].map(([, name]) => name ?? '') };
  }

  /** The end of a file that its last close saves is not waited for. */
  async function expectRunning(name: string): Promise<void> {
    const deadline = Date.now() + 5000;
    let now = await running();
    while (!(now.shown.includes(`chain ${name} `) && now.chains.includes(name)) && Date.now() < deadline) {
      await delay(50);
      now = await running();
    }
    assert.equal(now.shown, rules(name));
    assert.deepEqual(now.chains, [name]);
  }

  for (const [index, [name, script]] of ways.entries()) {
    test(`saved by ${name}`, async () => {
      const good = `good${index}`;
      assert.equal((await inFirewall(script, rules(good))).status, 0, await mount.run(`cat ${firewall}/error`));
      await expectRunning(good);
      assert.equal(await mount.run(`cat ${firewall}/config/nf_conf`), rules(good));
      await inFirewall(script, 'table inet filter { nonsense }\n');
      // What only the end of the file saves is judged a moment later.
      const deadline = Date.now() + 5000;
      while ((await mount.run(`cat ${firewall}/error`)) === '' && Date.now() < deadline) await delay(20);
      assert.match(await mount.run(`cat ${firewall}/error`), /^save: nf_conf line 1: syntax error/);
      await expectRunning(good);
      await inFirewall('cp config/.applied/nf_conf config/nf_conf');
      await inFirewall('rm -rf config/next config/same config/d');
    });
  }

  test('is emptied on purpose by : >, truncate, and truncate(2)', async () => {
    for (const [index, script] of [
      ': > config/nf_conf',
      'truncate -s 0 config/nf_conf',
      python("os.truncate('config/nf_conf', 0)"),
    ].entries()) {
      await inFirewall('printf %s "$new" > config/nf_conf', rules(`full${index}`));
      await expectRunning(`full${index}`);
      assert.equal((await inFirewall(script)).status, 0);
      for (const deadline = Date.now() + 5000; Date.now() < deadline && (await running()).chains.length > 0; ) await delay(50);
      assert.deepEqual(await running(), { shown: '', chains: [] });
    }
  });

  test('that is refused is told by sync, fsync and error, each time', async () => {
    await inFirewall('printf %s "$new" > config/nf_conf', rules('before'));
    assert.equal((await inFirewall("printf 'nonsense\\n' > config/nf_conf")).status, 0, 'bash does not look at what close says');
    for (let time = 0; time < 2; time += 1) {
      const { status, stderr } = await inFirewall('sync config/nf_conf');
      assert.equal(status, 1);
      assert.match(stderr, /Invalid argument/);
      assert.match(await mount.run(`cat ${firewall}/error`), /^save: nf_conf line 1: /);
    }
    const twice = python(
      "f = os.open('config/nf_conf', os.O_WRONLY | os.O_TRUNC); os.write(f, b'nonsense\\n')\nfor i in 1, 2:\n  try: os.fsync(f); print('ok')\n  except OSError as e: print(e.errno)",
    );
    assert.equal((await inFirewall(twice)).stdout, '22\n22\n');
    await expectRunning('before');
    assert.equal((await inFirewall('cp config/.applied/nf_conf config/nf_conf && sync config/nf_conf')).status, 0);
    assert.equal(await mount.run(`cat ${firewall}/error`), '');
  });

  test('is a regular file: a link in its place is refused', async () => {
    await inFirewall('printf %s "$new" > config/nf_conf', rules('regular'));
    assert.notEqual((await inFirewall('ln -sf /etc/passwd config/nf_conf')).status, 0);
    assert.notEqual((await inFirewall('rm config/nf_conf; ln -s /etc/passwd config/nf_conf')).status, 0);
    assert.equal((await running()).shown, rules('regular'));
    await inFirewall('cp config/.applied/nf_conf config/nf_conf');
  });

  test('that runs is nobody’s to write while the VNF is deployed, and part of a copy', async () => {
    await inFirewall('printf %s "$new" > config/nf_conf', rules('kept'));
    await inFirewall("printf 'nonsense\\n' > config/nf_conf");
    for (const script of [
      'echo x > config/.applied/nf_conf',
      'rm config/.applied/nf_conf',
      'mv config/.applied config/x',
      'touch config/.applied/y',
    ]) {
      assert.notEqual((await inFirewall(script)).status, 0, script);
    }
    await mount.run('cd nf-types/firewall; cp -r fw copy; cmp copy/config/.applied/nf_conf fw/config/.applied/nf_conf; rm -r copy');
    await inFirewall('cp config/.applied/nf_conf config/nf_conf');
  });

  test('that two VNFs have under one name each is saved for both', async () => {
    await inFirewall('echo activate > ../other/action; rm ../other/config/nf_conf; ln config/nf_conf ../other/config/nf_conf');
    await inFirewall('printf %s "$new" > config/nf_conf', rules('both'));
    await expectRunning('both');
    assert.equal(await mount.run(`cat nf-types/firewall/other/config/.applied/nf_conf`), rules('both'));
    await inFirewall('echo destroy > ../other/action');
  });

  test('that is saved while the VNF is paused is in force when it goes on', async () => {
    await inFirewall('printf %s "$new" > config/nf_conf; echo pause > action', rules('awake'));
    await inFirewall('printf %s "$new" > config/nf_conf', rules('asleep'));
    assert.equal((await inFirewall('echo unpause > action')).status, 0);
    await expectRunning('asleep');
  });

  test('whose writer is killed, before it wrote or in the middle, is not in force', async () => {
    await inFirewall('printf %s "$new" > config/nf_conf', rules('whole'));
    for (const script of [
      'timeout 0.3 bash -c "exec > config/nf_conf; sleep 20"',
      'timeout 0.5 bash -c "exec > config/nf_conf; echo \'# the first line\'; sleep 20"',
      python("f = os.open('config/nf_conf', os.O_RDWR | os.O_TRUNC); os.write(f, b'# the first line'); os.kill(os.getpid(), 9)"),
    ]) {
      await inFirewall(script);
      await inFirewall('echo true > command'); // what was under way before is over
      await expectRunning('whole');
    }
    const child = 'exec 3> config/nf_conf; timeout 0.1 sleep 9 3>&3; printf %s "$new" >&3; exec 3>&-';
    await inFirewall(child, rules('child'));
    await expectRunning('child');
  });

  test('that another has begun to write over what was written is for that one to save', async () => {
    await inFirewall('printf %s "$new" > config/nf_conf', rules('before'));
    const overtaken = python(`
one = os.open('config/nf_conf', os.O_WRONLY | os.O_TRUNC); os.write(one, b'# the first part')
other = os.open('config/nf_conf', os.O_RDWR | os.O_TRUNC)
os.close(one); print('before' in open('config/.applied/nf_conf').read())
os.write(other, new.encode()); os.close(other)`);
    assert.equal((await inFirewall(overtaken, rules('other'))).stdout, 'True\n');
    await expectRunning('other');
    // Who only holds it, emptied, keeps nobody from saving.
    await inFirewall('exec 3> config/nf_conf; printf %s "$new" > config/nf_conf; sync config/nf_conf; exec 3>&-', rules('held'));
    await expectRunning('held');
  });

  test('that was written when the server was killed is in force after the close', async () => {
    await inFirewall('printf %s "$new" > config/nf_conf', rules('first'));
    const writing = inFirewall('exec 3> config/nf_conf; printf %s "$new" >&3; sleep 1.5; exec 3>&-', rules('second'));
    await delay(500);
    process.kill(await mount.server(), 'SIGKILL');
    await writing;
    await expectRunning('second');
  });
});

test('saving and syncing leaves no descriptor behind that the end of the server would close for somebody else', async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/firewall/fw; echo activate > nf-types/firewall/fw/action');
  const saves =
    'for i in 1 2 3 4 5 6 7 8; do cat .applied/nf_conf > nf_conf; dd if=nf_conf of=other conv=fsync status=none; sync other; done';
  await mount.run(`cd nf-types/firewall/fw/config; (${saves}) & (${saves}); wait`, { timeoutMs: 60_000 });
  await mount.unmount();
  const log = await mount.log();
  await mount.mount();
  assert.equal(log, '');
});

describe('a value', () => {
  let mount: TestMount;
  before(async () => {
    mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host/h/ports/eth0 nf-types/host/spare networks/lan; echo 10.1.0.0/24 > networks/lan/subnet');
    await mount.run('cd nf-types/host/h/ports/eth0; echo lan > network; echo 10.1.0.7/24 > address');
  });
  after(() => mount[Symbol.asyncDispose]());
  const port = 'nf-types/host/h/ports/eth0';
  const inPort = async (script: string): Promise<string> => {
    const { stdout, status } = await mount.sh(`cd ${port}; ${script}`, { env: { new: '', tmp: '' } });
    return `${stdout}${status === 0 ? '' : `status ${status}\n`}`;
  };

  test('stays while a child of who opened it ends, and after it was only opened', async () => {
    assert.equal(await inPort('{ sleep 0.1; cat address; echo 10.1.0.8/24; } > /dev/null; cat address'), '10.1.0.7/24\n');
    assert.equal(
      await inPort('{ sleep 0.1; cat address >&2; echo 10.1.0.8/24; } 2>&1 > address; cat address'),
      '10.1.0.7/24\n10.1.0.8/24\n',
    );
    assert.equal(
      await inPort('exec 3> address; /bin/true; cat address; echo 10.1.0.7/24 >&3; exec 3>&-; cat address'),
      '10.1.0.8/24\n10.1.0.7/24\n',
    );
  });

  test('is all that was written through one descriptor', async () => {
    assert.equal(await inPort('{ echo 10.1.0.9/24; echo fd00::9/64; } > address && cat address'), '10.1.0.9/24\nfd00::9/64\n');
    assert.equal(await inPort('printf 10.1.0.9 > address 2>&1; cat address'), '10.1.0.9/24\nfd00::9/64\n');
    assert.equal(await inPort('{ echo 10.1.0.10/24; echo nonsense; echo more; } > address; cat address'), '10.1.0.9/24\nfd00::9/64\n');
    assert.match(await inPort('cat ../../error'), /^ports\/eth0\/address: .*nonsense/);
    assert.equal(await inPort('echo 10.1.0.7/24 > address; cat ../../error address'), '10.1.0.7/24\n');
  });

  test('is kept when what an editor writes over it is refused', async () => {
    const edit = (text: string): string =>
      python(
        `f = open('address', 'r+'); f.truncate(0); f.seek(0)\ntry: f.write('${text}'); f.close(); print('ok')\nexcept OSError as e: print(e.errno)`,
      );
    assert.equal(await inPort(`${edit('nonsense')}\ncat address`), '22\n10.1.0.7/24\n');
    assert.equal(await inPort(`${edit('10.1.0.8/24')}\ncat address`), 'ok\n10.1.0.8/24\n');
  });

  test('is emptied by : >, truncate -s 0 and truncate(2)', async () => {
    for (const script of [': > address', 'truncate -s 0 address', python("os.truncate('address', 0)")]) {
      assert.equal(await inPort(`echo 10.1.0.7/24 > address; ${script}\ncat address`), '');
    }
  });

  test('of an action is one verb a line', async () => {
    const h = 'nf-types/host/spare';
    assert.equal(await mount.run(`printf 'deploy\\nstart\\n' > ${h}/action; cat ${h}/status`), 'running\n');
    assert.equal(await mount.run(`{ echo stop; echo start; } > ${h}/action; cat ${h}/status; echo destroy > ${h}/action`), 'running\n');
    const over = await mount.sh(`echo activate > /tmp/$$; cp /tmp/$$ ${h}/action; echo $?; rm /tmp/$$; cat ${h}/error ${h}/status`);
    assert.match(over.stdout, /^1\naction: a file that is copied or renamed over action does nothing/);
    assert.match(over.stdout, /undeployed\n$/);
    const running = await mount.sh(
      `echo activate > ${h}/action; echo stop > /tmp/$$; cp /tmp/$$ ${h}/action; echo $?; rm /tmp/$$; cat ${h}/error ${h}/status; echo destroy > ${h}/action`,
    );
    assert.match(running.stdout, /^1\naction: a file that is copied or renamed over action does nothing.*\nrunning\n$/);
    const moved = await mount.sh(
      `cd ${h}; ${python("os.close(os.open('.t', os.O_CREAT | os.O_EXCL | os.O_WRONLY)); open('.t', 'w').write('activate')\ntry: os.rename('.t', 'action')\nexcept OSError as e: print(e.errno)")}`,
      { env: { new: '', tmp: '' } },
    );
    assert.equal(moved.stdout, '95\n');
  });
});
