import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* mtime moves when what it is of changes, and not otherwise: what `find -newer`, make, rsync and editors go by. */

let mount: TestMount;

before(async () => {
  mount = await TestMount.start({ attrTimeoutMs: 0 });
  await mount.run('mkdir nf-types/host nf-types/host/h networks/lan');
});

after(() => mount[Symbol.asyncDispose]());

/** A directory, what changes what is in it, and what does not. */
const changes: readonly (readonly [directory: string, change: string, other: string])[] = [
  ['nf-types', 'mkdir nf-types/router', 'mkdir nf-types/router/r'],
  ['nf-types/host', 'mkdir nf-types/host/new', 'echo 64M > nf-types/host/new/machine/vm.memory'],
  ['nf-types/host', 'mv nf-types/host/new nf-types/host/newer', 'touch nf-types/host/newer/config/x'],
  ['nf-types/host', 'rmdir nf-types/host/newer', 'echo 64M > nf-types/host/h/machine/vm.memory'],
  ['nf-types/host/h/ports', 'mkdir nf-types/host/h/ports/eth0', 'mkdir networks/wan'],
  ['networks/lan/ports', 'echo lan > nf-types/host/h/ports/eth0/network', 'echo 10.3.0.2/24 > nf-types/host/h/ports/eth0/address'],
  ['networks/wan/ports', 'echo wan > nf-types/host/h/ports/eth0/network', 'cat networks/wan/ports/*/mac'],
  ['networks', 'rmdir networks/lan', 'echo 10.9.0.0/24 > networks/wan/subnet'],
  ['hosts', 'mkdir hosts/b', 'echo 192.0.2.1 > hosts/b/address'],
  ['chns', 'mkdir chns/web', 'echo wan > chns/web/ingress'],
  ['chns/web', 'ln -s ../../nf-types/router/r chns/web/hop', 'echo wan > chns/web/egress'],
  ['nf-types/host/h/config', 'touch nf-types/host/h/config/f', 'echo 1 > nf-types/host/h/config/f'],
];

describe('the mtime of a directory moves when what is in it changes, and not otherwise', () => {
  for (const [directory, change, other] of changes) {
    test(`${directory}: ${change}`, async () => {
      const script = `m() { stat -c %.Y ${directory}; }; sleep 0.02; a=$(m); ${change}; b=$(m); sleep 0.02; ${other} > /dev/null; c=$(m); [ $b != $a ] && [ $(printf '%s\n' $a $b | sort -n | tail -n 1) = $b ] && echo moved; [ $b = $c ] && echo stays`;
      assert.equal(await mount.run(script), 'moved\nstays\n');
    });
  }

  test('a restart of the server leaves it as it is where something was made last', async () => {
    const times = 'stat -c "%n %.Y" . nf-types nf-types/* nf-types/host/h chns chns/web events';
    await mount.run('mkdir nf-types/host/last');
    const before = await mount.run(times);
    process.kill(await mount.server(), 'SIGKILL');
    assert.equal(await mount.run(times), before);
  });
});

test('the mtime of events and log moves with each line, and that of values with each write', async () => {
  const moved = `a=$(stat -c %.Y $f); sleep 0.02; eval "$change"; b=$(stat -c %.Y $f); [ $a != $b ] && echo "$f"`;
  const script = `set -e; echo 'command=sh -c "sleep 1000"' > nf-types/host/h/config/boot.conf; echo activate > nf-types/host/h/action
    f=events; change='echo restart > nf-types/host/h/action'; ${moved}; f=nf-types/host/h/machine/vm.memory; change='echo 96M > $f'; ${moved}`;
  assert.equal(await mount.run(script), 'events\nnf-types/host/h/machine/vm.memory\n');
  const log = `cd nf-types/host; mkdir l; echo 'command=sh -c "echo one; sleep 0.3; echo two; sleep 1000"' > l/config/boot.conf; echo activate > l/action
    wait_for() { for i in $(seq 200); do [ $(wc -l < l/log) -lt $1 ] || break; sleep 0.05; done; stat -c %.Y l/log; }; a=$(wait_for 1); b=$(wait_for 2)
    [ $a != $b ] && [ \${b%.*} -ge \${a%.*} ] && echo moved; cat l/log`;
  assert.equal(await mount.run(log), 'moved\none\ntwo\n');
});
