import { deepEqual, equal } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { addressIn } from '../../src/network/shown-address.ts';

/* What proc(5) shows of the addresses of a network, as Linux 6.18 printed it. */

const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth1:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;

const trie = (...addresses: string[]): string =>
  `Main:\n  +-- 0.0.0.0/0 3 0 5\n           |-- 127.0.0.1\n              /32 host LOCAL\n           |-- 127.0.0.0\n              /8 host LOCAL\n${addresses
    .map((address) => `           |-- ${address}\n              /32 host LOCAL\n`)
    .join('')}`;

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = `${head}eth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t0000010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\neth1\t0000020A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`;
const inet6 = `fd000000000000000000000000000007 04 40 00 80     eth0
fe800000000000000000000000000001 04 40 20 80     eth1
00000000000000000000000000000001 01 80 10 80       lo
`;

test('the address of the first interface is found, IPv4 before IPv6', () => {
  const files = { dev, fib_trie: trie('10.1.0.7', '10.2.0.7'), route, if_inet6: inet6 };
  equal(addressIn(files), '10.2.0.7');
  equal(addressIn({ ...files, fib_trie: trie('10.1.0.7') }), '10.1.0.7');
  equal(addressIn({ ...files, fib_trie: trie('169.254.3.4', '192.0.2.9') }), '192.0.2.9');
  equal(addressIn({ ...files, fib_trie: trie() }), 'fd00::7');
  equal(addressIn({ ...files, fib_trie: trie(), if_inet6: '' }), '');
  equal(addressIn({ dev: '', fib_trie: '', route: '', if_inet6: '' }), '');
});

test('this machine shows what ip(8) shows', { skip: spawnSync('ip', ['-V']).status !== 0 }, async () => {
  const { shownAddress } = await import('../../src/network/shown-address.ts');
  const { stdout } = spawnSync('ip', ['-json', 'addr', 'show'], { encoding: 'utf8' });
  const shown = (JSON.parse(stdout) as { ifname: string; addr_info: { family: string; local: string; scope: string }[] }[])
    .filter(({ ifname }) => ifname !== 'lo')
    .flatMap(({ addr_info: all }) => all.filter(({ scope }) => scope === 'global').map(({ local }) => local));
  const found = shownAddress(process.pid);
  deepEqual(shown.length === 0 ? [''] : shown.filter((each) => each === found), [found]);
});
