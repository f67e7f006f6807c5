import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { testImage } from '../support/guest-image.ts';
import { TestMount } from '../support/mount.ts';

/* The README's way to containers: an entry in hosts/ of a mount whose VNFs are namespaces otherwise. */

describe('an entry in hosts/ that is the Docker Engine of this machine', { skip: whyNoEngine() ?? false, timeout: 240_000 }, () => {
  let engine: TestEngine;
  let mount: TestMount;

  before(async () => {
    engine = await TestEngine.start();
    mount = await TestMount.start({ dockerSocket: engine.socket });
    await mount.run(`mkdir -p hosts/c networks/lan nf-types/host/h/ports/eth0
      echo docker > hosts/c/hypervisor; echo localhost > hosts/c/address; echo 10.1.0.0/24 > networks/lan/subnet
      cd nf-types/host/h; echo c > machine/ip; echo ${testImage} > machine/vm.image; echo lan > ports/eth0/network; echo 10.1.0.5/24 > ports/eth0/address`);
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
  });

  test('is followed as long as the entry is there, and its connection is told once', async () => {
    for (let round = 0; round < 3; round += 1)
      await mount.run('echo activate > nf-types/host/h/action; echo destroy > nf-types/host/h/action');
    assert.equal(await mount.run('cat hosts/c/status; grep -c \'"hosts/c","what":"up"\' events'), 'up\n1\n');
  });

  test('a main process that ends at once fails the activation, with what it said', async () => {
    const refused = await mount.sh(`cd nf-types/host/h; echo 'command=sh -c "echo no such licence; exit 3"' > config/boot.conf
      echo activate > action; echo "status $?"; cat status error log`);
    assert.equal(
      refused.stdout,
      `status 1\nundeployed\nactivate: its main process ended (exit status 3): no such licence. See all of it: cat nf-types/host/h/log\nno such licence\n`,
    );
  });
});
