import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* Sizes at stat(2), which programs trust that copy: each of them takes an instance as `cat` shows it. */

let mount: TestMount;
let out: string;

before(async () => {
  mount = await TestMount.start();
  out = await mkdtemp(join(tmpdir(), 'nfio-sizes-'));
  await mount.run(`mkdir -p networks/lan nf-types/firewall/f/ports/eth0 nf-types/ids/i nf-types/host/h; cd nf-types/firewall/f; echo lan > ports/eth0/network
    echo 10.1.0.9/24 > ports/eth0/address; echo 'table inet t { }' > config/nf_conf; echo 256M > machine/vm.memory; echo wrong > machine/vm.vcpu || true; mkdir -p config/deep; seq 5000 > config/deep/big`);
});

after(async () => {
  await mount[Symbol.asyncDispose]();
  await rm(out, { recursive: true, force: true });
});

/** What `cat` shows of every file of the instances, made in a directory. */
const reference = `ref=$(mktemp -d); for i in firewall/f ids/i; do (cd nf-types/$i; find . -path ./rfs -prune -o -type d -print | while read -r d; do mkdir -p "$ref/$i/$d"; done
  find . -path ./rfs -prune -o -type f -print | while read -r f; do cat "$f" > "$ref/$i/$f"; done); done; `;

const copiers = {
  'git add, and a checkout of it': `git init -q $out/repo; git --git-dir=$out/repo/.git --work-tree=nf-types add firewall ids; (cd $out/repo; git checkout-index -a); mkdir $out/copy; mv $out/repo/firewall $out/repo/ids $out/copy`,
  'Python tarfile': `mkdir $out/copy; python3 -c "
import tarfile, sys
t = tarfile.open(sys.argv[1] + '/t', 'w'); t.add('nf-types/firewall', 'firewall'); t.add('nf-types/ids', 'ids'); t.close(); tarfile.open(sys.argv[1] + '/t').extractall(sys.argv[1] + '/copy')" $out`,
  'busybox tar': `mkdir $out/copy; busybox tar -C nf-types -cf $out/t firewall ids; tar -C $out/copy -xf $out/t`,
  'GNU tar, and cp -a': `mkdir $out/copy $out/half; tar -C nf-types -cf - firewall | tar -C $out/copy -xf -; cp -a nf-types/ids $out/copy`,
  'C++ copy_file': `mkdir $out/copy; printf '%s\n' '#include <filesystem>' 'using namespace std::filesystem;' 'int main(int, char **a) { for (int i = 1; i < 3; i++) copy(path("nf-types") / a[i], path(a[3]) / a[i], copy_options::recursive); }' > $out/c.cc
    g++ -std=c++17 -o $out/c $out/c.cc; $out/c firewall ids $out/copy`,
  'Node cpSync': `"${process.execPath}" -e "const fs = require('fs'); for (const n of ['firewall', 'ids']) fs.cpSync('nf-types/' + n, process.argv[1] + '/copy/' + n, { recursive: true })" $out`,
};

describe('an instance is copied whole by', () => {
  for (const [name, copy] of Object.entries(copiers)) {
    test(name, async (context) => {
      const program = copy.includes('g++') ? 'g++' : copy.startsWith('git') ? 'git' : copy.includes('busybox') ? 'busybox' : 'tar';
      if ((await mount.sh(`command -v ${program}`)).status !== 0)
        return context.skip(`${program} is not installed: apt-get install ${program}`);
      const script = `set -e; export HOME=${out}; out=$(mktemp -d); trap 'rm -rf $out $ref' EXIT; ${reference} ${copy}
        [ -s $out/copy/firewall/f/status ] && [ -s $out/copy/firewall/f/action ] && [ -s $out/copy/firewall/f/error ] && [ ! -s $out/copy/firewall/f/stats/rx_bytes ]
        for i in firewall/f ids/i; do rm -rf $out/copy/$i/rfs; (cd $ref/$i; find . -type f -exec cmp {} $out/copy/$i/{} ';'); done; echo same`;
      assert.equal(await mount.run(script), 'same\n');
    });
  }

  test('Node cpSync into a new instance, which then is one', async () => {
    await mount.run(`"${process.execPath}" -e "require('fs').cpSync('nf-types/firewall/f', 'nf-types/firewall/g', { recursive: true })"`);
    assert.equal(
      await mount.run(
        'cd nf-types/firewall/g; cat ports/eth0/address ports/eth0/network machine/vm.memory config/nf_conf status; cmp config/deep/big ../f/config/deep/big',
      ),
      '10.1.0.9/24\nlan\n268435456\ntable inet t { }\nundeployed\n',
    );
  });
});

describe('sizes of what runs', () => {
  before(() => mount.run('echo activate > nf-types/host/h/action'));

  test('are true where it is text, and the constant of counters', async () => {
    const text = await mount.run(
      'cd nf-types/host/h; stat -c %s status action error stats/rx_bytes; cat status action error | wc -c; cat stats/rx_bytes | wc -c',
    );
    const [status, action, error, counter, all, digits] = text.trim().split('\n').map(Number);
    assert.equal((status ?? 0) + (action ?? 0) + (error ?? 0), all);
    assert.equal(counter, 1000);
    assert.ok((digits ?? 0) < 30);
  });

  test('a stat by another process does not make the first read of an open file stale', async () => {
    const counter = 'nf-types/host/h/stats/cpu_usec';
    // Nor does the program itself look the counter up again: that is a stat by the process that has it open.
    const program = `import os, subprocess
f = os.open('${counter}', os.O_RDONLY); s = os.open('nf-types/host/h/machine/vm.image', os.O_RDONLY)
subprocess.run(['stat', '-L', '${counter}', 'nf-types/host/h/machine/vm.image'], stdout=subprocess.DEVNULL)
open('nf-types/host/h/machine/vm.image', 'w').write('newer\\n')
subprocess.run(['sh', '-c', 'echo "i=0; while [ \\$i -lt 3000 ]; do i=\\$((i + 1)); done" > nf-types/host/h/command'])
before = int(subprocess.check_output(['cat', '${counter}'])); print(os.read(s, 99), int(os.read(f, 99)) >= before)`;
    assert.equal(await mount.run(`python3 - <<'E'\n${program}\nE`), "b'newer\\n' True\n");
  });

  test('a program in which one thread opens and another asks gets what it was promised', async () => {
    const program = `const fs = require('fs').promises; (async () => { for (let i = 0; i < 20; i++) { const h = await fs.open('nf-types/host/h/stats/rx_bytes');
      const { size } = await h.stat(); const { bytesRead } = await h.read(Buffer.alloc(99), 0, 99, 0); if (size !== bytesRead) throw Error(size + ' ' + bytesRead); await h.close(); } console.log('ok'); })()`;
    assert.equal(await mount.run(`"${process.execPath}" -e "${program.replaceAll('\n', ' ')}"`), 'ok\n');
  });
});
