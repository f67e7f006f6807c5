import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* rmdir of a VNF while others list its files, and make more of them: it is removed, whole and for good, or it is as it was. */

describe('rmdir of a VNF', { timeout: 300_000 }, () => {
  let mount: TestMount;

  before(async () => {
    mount = await TestMount.start();
    await mount.run('mkdir nf-types/host');
  });

  after(() => mount[Symbol.asyncDispose]());

  test('beside those who list rfs/ and config/ and make files there leaves no ghost', async () => {
    const script = `
      end=$PWD/../stop; rm -f $end
      for i in 1 2 3; do (while [ ! -e $end ]; do ls -lR nf-types/host/h/rfs nf-types/host/h/config; done >/dev/null 2>&1) & done
      (n=0; while [ ! -e $end ]; do n=$((n+1)); mkdir nf-types/host/h/rfs/d nf-types/host/h/rfs/d/$n; : > nf-types/host/h/rfs/d/$n/f; : > nf-types/host/h/config/f$n; done >/dev/null 2>&1) &
      for round in $(seq 25); do
        mkdir nf-types/host/h || { echo "round $round: not made"; break; }
        echo x > nf-types/host/h/config/mine; mkdir -p nf-types/host/h/rfs/etc/own; echo x > nf-types/host/h/rfs/etc/own/f
        sleep 0.05
        if rmdir nf-types/host/h; then [ ! -e nf-types/host/h ] || echo "round $round: a ghost"
        else [ "$(cat nf-types/host/h/config/mine nf-types/host/h/rfs/etc/own/f nf-types/host/h/status | xargs)" = "x x undeployed" ] || echo "round $round: half of it"; rmdir nf-types/host/h || sleep 1; fi
      done; : > $end; wait; rm $end; ls nf-types/host; echo done`;
    assert.equal(await mount.run(script, { timeoutMs: 200_000 }), 'done\n');
    await mount.unmount();
    await mount.mount();
    assert.equal(
      await mount.run(
        'ls nf-types/host; mkdir nf-types/host/h; cat nf-types/host/h/status; ls nf-types/host/h/config; rmdir nf-types/host/h',
      ),
      'undeployed\n',
    );
  });

  test('that cannot be cleared away is a removal all the same, over a kill too', async () => {
    await mount.run(
      'mkdir nf-types/host/kept; mkdir -p nf-types/host/kept/rfs/d; echo x > nf-types/host/kept/rfs/d/f; echo x > nf-types/host/kept/config/f',
    );
    // Nothing in a directory with this attribute can be removed.
    await mount.run(`chattr +i ${mount.root}/guests/*/root/d ${mount.root}/nf-types/host/kept/config`);
    try {
      await mount.run(
        'rmdir nf-types/host/kept; [ ! -e nf-types/host/kept ]; mkdir nf-types/host/kept; ls nf-types/host/kept/config; ls nf-types/host/kept/rfs',
      );
      process.kill(await mount.server(), 'SIGKILL');
      assert.equal(
        await mount.run('ls nf-types/host; cat nf-types/host/kept/status; rmdir nf-types/host/kept; ls nf-types/host'),
        'kept\nundeployed\n',
      );
      assert.match(await mount.log(), /left behind by an object that is removed: .*Run: rm -r /);
    } finally {
      await mount.run(`chattr -R -i ${mount.root}/guests ${mount.root}/trash`);
    }
  });
});
