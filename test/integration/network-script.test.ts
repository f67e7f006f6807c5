import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type HopPort, hopSetup } from '../../src/domain/chains/hop-setup.ts';
import { networkCommands } from '../../src/domain/network-change.ts';
import { failureIn, networkScript } from '../../src/hypervisor/libvirt/network-script.ts';
import { whyNoGuests } from '../support/netns-world.ts';
import { shell } from '../support/shell.ts';

/* What makes a guest a hop where the guest itself runs it, in a network namespace of its own. */

const port = (name: string, number: number): HopPort => ({
  interface: { name, index: number },
  number,
  ways: {
    4: { address: `169.254.1.${number}`, subnet: `10.${number}.0.0/24`, upstream: undefined },
    6: { address: `fd99::${number}`, linkLocal: `fe80::${number}`, subnet: `fd00:${number}::/64`, upstream: `fd00:${number}::1` },
  },
});
const { settings, changes } = hopSetup({
  mode: 'routed',
  intercepts: false,
  ingress: port('web.in', 1),
  egress: port('web.out', 2),
  bridge: { name: 'b', index: 3 },
});

const ports = `for each in in out; do
  ip link add name web.$each type veth peer name $each; ip link set $each up; ip link set web.$each up; ip addr add 169.254.1.1/32 dev web.$each
done`;
const show = 'ip -6 addr show dev web.in; ip -6 rule; ip rule; ip -6 route show table all; cat /proc/sys/net/ipv4/conf/web.in/forwarding';

/** Runs the script with these commands, after some preparations. */
async function run(
  prepare: string,
  commands: readonly string[],
): Promise<{ status: number | 'timeout'; stdout: string; failed: string | undefined }> {
  const words = settings.flat().join(' ');
  const file = `cat >script <<'EOS'${networkScript}\nEOS\ncat >commands <<'EOS'\n${commands.join('\n')}\nEOS`;
  const script = `cd $(mktemp -d); ${file}\nunshare --net sh -c '${prepare}\nsh script ${words} <commands; status=$?; ${show}; exit $status' 2>said; status=$?
cat said >&2; rm -r "$PWD"; exit $status`;
  const { status, stdout, stderr } = await shell(script, {});
  return { status, stdout, failed: failureIn(stderr, commands) };
}

describe('the network script', { skip: whyNoGuests() ?? false }, () => {
  const commands = changes.flatMap(networkCommands);

  test('makes a hop of both versions of IP', async () => {
    const { status, stdout, failed } = await run(ports, commands);
    assert.equal(failed, undefined);
    assert.equal(status, 0);
    for (const line of [
      /inet6 fd99::1\/128 .*nodad/,
      /inet6 fe80::1\/64 .*nodad/,
      /^1000:\s+from all iif web\.in lookup 1073741825/m,
      /^1001:\s+from fd99::2 lookup/m,
      /^1001:\s+from 169\.254\.1\.2 lookup/m,
      /^default via fd00:2::1 dev web\.out table 1073741825 .*onlink/m,
      /^unreachable default dev lo table 1073741826/m,
      /^1$/m,
    ])
      assert.match(stdout, line);
    assert.equal(stdout.match(/inet6/g)?.length, 2, 'it has no address that it was not given');
  });

  test('does no harm where its work is done', async () => {
    const { status, failed } = await run(ports, [...commands, ...commands]);
    assert.equal(failed, undefined);
    assert.ok(Number(status) <= 1);
  });

  test('names the first command that failed, of either version of IP', async () => {
    const wrong = 'route replace 10.9.0.0/24 dev nosuch';
    assert.match(
      (await run(ports, [...commands, wrong])).failed ?? '',
      /^ip route replace 10\.9\.0\.0\/24 dev nosuch: Cannot find device "nosuch"$/,
    );
    const wrong6 = '-6 route replace fd00:9::/64 dev nosuch';
    assert.match((await run(ports, [wrong6, ...commands])).failed ?? '', /^ip -6 route replace fd00:9::\/64 dev nosuch: Cannot find/);
    const { status, failed } = await run('true', commands);
    assert.equal(status, 3, 'a setting that cannot be made');
    assert.match(failed ?? '', /web\.out/);
  });
});
