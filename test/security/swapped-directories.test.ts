import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/*
 * A user swaps a directory in her config/ for a link to one of the machine's while nf.io, as root, works in it. `d` is the directory; it has a file with the name
 * of one that is there as well.
 */

const alice = 12345;
const rules = 'table inet filter { chain forward { type filter hook forward priority filter; policy drop; }; }';

/** Has fw's nf_conf get the file d/v in one way while d is swapped, so many times; the VNF is busy with saves beside it. */
const replaceWhileSwapped = (way: readonly string[]): string => `python3 - <<'PY'
import os, subprocess, threading, time
os.chdir('nf-types/firewall')
rules = '${rules}\\n'
done = False
def save():
    while not done:
        try:
            with open('fw/config/nf_conf', 'w') as f: f.write(rules)
        except OSError: pass
saver = threading.Thread(target=save); saver.start()
for turn in range(20):
    with open('other/config/d/v', 'w') as f: f.write(rules)
    ${way[0] === 'ln' ? "subprocess.run(['rm', '-f', 'fw/config/nf_conf'])" : 'pass'}
    process = subprocess.Popen(${JSON.stringify(way)} + ['other/config/d/v', 'fw/config/nf_conf'], stderr=subprocess.DEVNULL)
    time.sleep(0.006 + 0.004 * (turn % 8))
    os.rename('other/config/d', 'other/config/e'); os.symlink(os.environ['victim'], 'other/config/d')
    process.wait()
    os.unlink('other/config/d'); os.rename('other/config/e', 'other/config/d')
done = True; saver.join()
PY`;

/** Clones the hop's instance again and again while d is swapped. */
const cloneWhileSwapped = `python3 - <<'PY'
import os, threading
config = 'nf-types/firewall/other/config'
for number in range(400):
    with open(f'{config}/d/a{number}', 'w') as f: f.write('mine')
done = False
def swap():
    while not done:
        os.rename(config + '/d', config + '/e'); os.symlink(os.environ['victim'], config + '/d')
        os.unlink(config + '/d'); os.rename(config + '/e', config + '/d')
swapper = threading.Thread(target=swap); swapper.start()
seen = set()
for turn in range(8):
    for count in '2', '1':
        try:
            with open('chns/hers/hop/replicas', 'w') as f: f.write(count)
        except OSError: pass
        try: seen.add(open('nf-types/firewall/other-2/config/d/v').read())
        except OSError: pass
done = True; swapper.join()
print('secret' in seen)
PY`;

describe('a directory of config/ that is swapped for a link', { skip: whyNoGuests() ?? false, timeout: 300_000 }, () => {
  let mount: TestMount;
  let victim: string;

  before(async () => {
    mount = await TestMount.start();
    victim = `${mount.root}.victim`;
    await mkdir(victim);
    await writeFile(`${victim}/v`, 'secret', { mode: 0o600 });
    await mount.run(`mkdir -p nf-types/firewall/fw nf-types/firewall/other chns/hers; ln -s ../../nf-types/firewall/other chns/hers/hop
      chown ${alice} nf-types/firewall; chown -R ${alice}:${alice} nf-types/firewall/* chns/hers; echo activate > nf-types/firewall/fw/action`);
    await mount.run('mkdir nf-types/firewall/other/config/d', { uid: alice });
  });
  after(async () => {
    await rm(victim, { recursive: true, force: true });
    await mount[Symbol.asyncDispose]();
  });

  const asAlice = (script: string): Promise<string> => mount.run(script, { uid: alice, env: { victim }, timeoutMs: 120_000 });

  for (const way of [['mv', '-f'], ['ln']]) {
    test(`has no file of the machine renamed or linked (${way[0]})`, async () => {
      await asAlice(replaceWhileSwapped(way));
      assert.equal(await readFile(`${victim}/v`, 'utf8'), 'secret');
      assert.equal((await stat(`${victim}/v`)).nlink, 1);
    });
  }

  test('brings no file of the machine into a clone', async () => {
    await asAlice(`echo mine > nf-types/firewall/other/config/d/v`);
    assert.equal(await asAlice(cloneWhileSwapped), 'False\n');
    assert.equal(await readFile(`${victim}/v`, 'utf8'), 'secret');
  });
});
