import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

describe('a configuration that does not go on the disk', { skip: whyNoGuests() ?? false, timeout: 120_000 }, () => {
  const disk = mkdtempSync('/tmp/nfio-full-');
  let mount: TestMount;

  before(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', disk]);
    mount = await TestMount.start({ root: disk });
    await mount.run(`mkdir -p nf-types/firewall/fw; echo activate > nf-types/firewall/fw/action
      echo 'table inet filter { chain whole { type filter hook forward priority filter; policy drop; }; }' > nf-types/firewall/fw/config/nf_conf`);
  });
  after(async () => {
    await mount.sh(`rm -f ${disk}/fill`);
    await mount[Symbol.asyncDispose]();
    execFileSync('umount', ['--lazy', disk]); // the last of a guest may go a moment later
    rmdirSync(disk);
  });

  test('is not in force in part, nor empty: what ran runs on', async () => {
    const inFirewall = (script: string): ReturnType<TestMount['sh']> => mount.sh(`cd nf-types/firewall/fw; ${script}`);
    for (const way of ['cat > config/nf_conf', 'dd of=config/nf_conf bs=512', 'cp /dev/stdin config/nf_conf']) {
      await mount.sh(`cat /dev/zero > ${disk}/fill; truncate -s -4096 ${disk}/fill`, { cwd: '/' });
      const { status } = await inFirewall(`set -o pipefail; seq 20000 | sed 's/^/# /' | ${way}`);
      assert.notEqual(status, 0, way);
      await mount.run(`rm ${disk}/fill`);
      await inFirewall('echo true > command');
      assert.match((await inFirewall("echo 'nft list ruleset' > command; cat command")).stdout, /chain whole .*\n.*policy drop/, way);
    }
  });
});
