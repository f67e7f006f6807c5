import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Right } from '../../src/cli/doctor/rights.ts';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* docs/sharing.md, pasted: by root, by Alice, and then Bob of the same class tries what he may not. */

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'sharing.md'), 'utf8');
const [forClass = '', forAlice = '', byAlice = ''] = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);

const nfio = join(import.meta.dirname, '..', '..', 'bin', 'nfio');

/** Users that no machine has, as numbers. */
const [alice, bob, group] = [61_001, 61_002, 61_000];

describe('a mount that a class shares', { skip: whyNoGuests() ?? false, timeout: 90_000 }, () => {
  let mount: TestMount;
  const as = (uid: number, script: string) =>
    mount.sh(`setpriv --reuid ${uid} --regid ${uid} --groups ${group} bash <<'END'\n${script}\nEND`);

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`${forClass}${forAlice}`.replaceAll('chgrp class', `chgrp ${group}`).replaceAll('chown -R alice', `chown -R ${alice}`));
  });
  after(() => mount?.[Symbol.asyncDispose]());

  test('Alice makes her VNFs, her network and her service chain', async () => {
    const { status, stdout, stderr } = await as(alice, `set -e\n${byAlice}\ncat chns/alice/path nf-types/host/alice-pc/status`);
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'alice → alice-fw → alice-dmz\nrunning\n', stderr: '' });
  });

  for (const [what, script, why] of [
    ['stop her VNF', 'echo stop > nf-types/host/alice-pc/action', /Permission denied/],
    ['remove it', 'rmdir nf-types/host/alice-pc', /Operation not permitted/],
    ['read its log', 'cat nf-types/host/alice-pc/log', /Permission denied/],
    ['change what her network is', 'echo 10.9.0.0/24 > networks/alice/subnet', /Permission denied/],
    [
      'put a port on it',
      'mkdir -p nf-types/host/bob/ports/eth0 && echo alice > nf-types/host/bob/ports/eth0/network',
      /Operation not permitted/,
    ],
    ['make a network', 'mkdir networks/bob', /Permission denied/],
  ] as const) {
    test(`Bob cannot ${what}`, async () => {
      const { status, stderr } = await as(bob, script);
      assert.equal(status, 1);
      assert.match(stderr, why);
    });
  }

  test('`nfio doctor --as` tells what a user may do, as the mount then does', async () => {
    const told = (user: string): Promise<string> => mount.run(`"${nfio}" doctor --as ${user} --json`);
    const rights = async (user: string): Promise<readonly Right[]> =>
      (JSON.parse(await told(user)) as { readonly places: readonly { readonly place: string; readonly rights: readonly Right[] }[] }).places
        .filter(({ place }) => place === 'everywhere' || place === mount.path)
        .flatMap((each) => each.rights);
    const row = async (user: string, what: RegExp): Promise<readonly [string, boolean][]> =>
      (await rights(user)).filter((right) => what.test(right.what)).map((right) => [right.what, right.may]);
    await mount.run('chmod 1777 nf-types/host; chown -R nobody networks/lan; chmod 755 networks/lan/ports');
    assert.deepEqual(await row('nobody', /make VNFs of/), [
      ['make VNFs of host', true],
      ['make VNFs of firewall', false],
    ]);
    assert.deepEqual(await row('nobody', /put ports on/), [
      ['put ports on lan', true],
      ['put ports on alice, alice-dmz', false],
    ]);
    assert.deepEqual(await row('nobody', /^change/), [
      ['change networks/lan', true],
      ['change networks/alice, networks/alice-dmz, chns/alice, hosts/local', false],
    ]);
    assert.deepEqual(
      await row('nobody', /uplink|boot.conf|quotas/),
      (await row('root', /uplink|boot.conf|quotas/)).map(([what]) => [what, false]),
    );
    assert.ok((await rights('root')).every(({ may }) => may));
    assert.match(
      (await mount.sh(`"${nfio}" doctor --as nfio-none`)).stderr,
      /^nfio: nfio-none is no user of this machine\. See who is: getent passwd$/m,
    );
  });

  test('root is told what to give, who would open all networks', async () => {
    assert.match((await mount.sh('chmod 1777 networks')).stderr, /Operation not permitted/);
    assert.match(
      await mount.run('tail -n 1 events'),
      /"path":"networks","what":"chmod failed",.*Run: mkdir networks\/NAME; chown -R USER networks\/NAME"/,
    );
  });
});
