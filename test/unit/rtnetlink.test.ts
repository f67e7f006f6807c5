import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NetworkChange } from '../../src/domain/network-change.ts';
import type { PortSpec } from '../../src/domain/ports/network.ts';
import { changeRequests } from '../../src/network/change-requests.ts';
import { loopbackRequest, newPortRequests } from '../../src/network/index.ts';
import type { LinkRequest } from '../../src/network/link-request.ts';

const link = { mac: '02:00:00:00:00:01', mtu: undefined, rateBps: undefined, delayUsec: undefined, lossPercent: undefined };
const port: PortSpec = { id: '00000a', name: 'eth0', segment: undefined, addresses: [], gateway: undefined, up: true, ...link };

const onBridge = { guestPid: 1, bridge: 7 };

/** Groups of hexadecimal digits, with what they are after "#". */
function bytes(text: string): string {
  return text.replaceAll(/#.*/g, '').replaceAll(/\s/g, '');
}

const requestsOf = (changes: Partial<PortSpec>, bridge?: number): string[] =>
  newPortRequests({ ...port, ...changes }, { guestPid: 1, bridge }).map(({ namespace, what }) => `${namespace}: ${what}`);

describe('messages to rtnetlink', () => {
  it('bring the loopback interface up', () => {
    const expected = `
      20000000 1000 0500 00000000 00000000  # 32 bytes, RTM_NEWLINK, REQUEST and ACK, no sequence number, from whoever
      00 00 0000 01000000 01000000 01000000 # AF_UNSPEC, interface 1, IFF_UP of the bits IFF_UP`;
    equal(loopbackRequest().message.toString('hex'), bytes(expected));
  });

  it('make both ends of a port, with the fabric’s on its bridge', () => {
    const [made] = newPortRequests({ ...port, mtu: 1400 }, onBridge);
    const hex = made?.message.toString('hex') ?? '';
    equal(made?.message.readUInt32LE(0), made?.message.length, 'nlmsg_len is the length');
    const begin = `
      1000 0506 00000000 00000000           # RTM_NEWLINK, REQUEST, ACK, CREATE and EXCL
      00 00 0000 4a0caa3b 00000000 00000000 # interface 1,001,000,010, closed: its state is left alone`;
    equal(hex.slice(8, 64), bytes(begin));
    for (const part of [
      '0c000300 7030303030306100', // IFLA_IFNAME p00000a
      '08000400 78050000', // IFLA_MTU
      '09000100 7665746800 000000', // IFLA_INFO_KIND veth
      '00000000 4a420f00 00000000 00000000 09000300 6574683000 000000', // the peer: interface 1,000,010, its state left alone, eth0
      '0a000100 020000000001 0000', // IFLA_ADDRESS
      '08001300 01000000', // IFLA_NET_NS_PID 1
      '08000a00 07000000', // IFLA_MASTER
    ]) {
      equal(hex.includes(bytes(part)), true, part);
    }
  });

  it('give addresses of both families', () => {
    const [, four, six] = newPortRequests({ ...port, addresses: ['10.1.0.10/24', 'fd00::1/64'] }, onBridge);
    const address4 = `
      28000000 1400 0505 00000000 00000000 # RTM_NEWADDR, REQUEST, ACK, REPLACE and CREATE
      02 18 00 00 4a420f00                 # AF_INET, /24, universe
      08000200 0a01000a 08000100 0a01000a  # IFA_LOCAL, IFA_ADDRESS`;
    equal(four?.message.toString('hex'), bytes(address4));
    const address6 = `
      40000000 1400 0505 00000000 00000000
      0a 40 02 00 4a420f00                 # AF_INET6, /64, IFA_F_NODAD
      14000200 fd000000000000000000000000000001 14000100 fd000000000000000000000000000001`;
    equal(six?.message.toString('hex'), bytes(address6));
  });

  it('give a default route', () => {
    const route = newPortRequests({ ...port, gateway: '10.1.0.1' }, onBridge).at(-1);
    const expected = `
      34000000 1800 0505 00000000 00000000 # RTM_NEWROUTE
      02 00 00 00 00 03 00 01 00000000     # AF_INET, /0, a table named below, RTPROT_BOOT, universe, unicast
      08000f00 fe000000                    # RTA_TABLE main
      08000500 0a010001 08000400 4a420f00  # RTA_GATEWAY, RTA_OIF`;
    equal(route?.message.toString('hex'), bytes(expected));
    equal(route?.what, 'port eth0, default route via 10.1.0.1');
    const both = newPortRequests({ ...port, gateway: '10.1.0.1', secondGateway: 'fd00::1' }, onBridge).slice(-2);
    deepEqual(
      both.map(({ what, message }) => [what, message.readUInt8(16)]),
      [
        ['port eth0, default route via 10.1.0.1', 2],
        ['port eth0, default route via fd00::1', 10],
      ],
    );
  });

  it('come in an order in which each finds what it needs', () => {
    const addresses = ['10.1.0.10/24'];
    deepEqual(requestsOf({ addresses, gateway: '10.1.0.1' }, 7), [
      'fabric: port eth0',
      'guest: port eth0, address 10.1.0.10/24',
      'guest: port eth0',
      'guest: port eth0, default route via 10.1.0.1',
    ]);
    deepEqual(requestsOf({ up: false, addresses, gateway: '10.1.0.1' }), ['fabric: port eth0', 'guest: port eth0, address 10.1.0.10/24']);
    deepEqual(requestsOf({ up: false, name: 'a-very-long-name-of-a-port' }).length, 2, 'the name as alias');
  });
});

describe('changes of a guest’s network', () => {
  const web = { name: 'web.out', index: 1_000_011 };
  const messages = (change: NetworkChange): LinkRequest[] =>
    changeRequests(change).filter((request): request is LinkRequest => request.namespace !== 'sysctl');
  const hex = (change: NetworkChange): string[] => messages(change).map(({ message }) => message.toString('hex').slice(8));

  it('give a table a route to a subnet by an interface, and take it back', () => {
    const route: NetworkChange = { verb: 'add', kind: 'route', family: 4, table: 0x40000001, to: '10.2.0.0/24', by: web };
    const added = `
      1800 0505 00000000 00000000          # RTM_NEWROUTE, REQUEST, ACK, REPLACE and CREATE
      02 18 00 00 00 03 fd 01 00000000     # AF_INET, /24, a table named below, RTPROT_BOOT, link, unicast
      08000f00 01000040                    # RTA_TABLE
      08000100 0a020000 08000400 4b420f00  # RTA_DST, RTA_OIF`;
    deepEqual(hex(route), [bytes(added)]);
    const removed = `
      1900 0500 00000000 00000000          # RTM_DELROUTE
      02 18 00 00 00 00 ff 00 00000000     # nowhere, whatever type
      08000f00 01000040 08000100 0a020000 08000400 4b420f00`;
    deepEqual(hex({ ...route, verb: 'remove' }), [bytes(removed)]);
  });

  it('give a table an end: what it has no route for is unreachable', () => {
    const unreachable = `
      1800 0505 00000000 00000000
      02 00 00 00 00 03 00 07 00000000     # /0, universe, unreachable
      08000f00 01000040 08000600 ffffffff  # RTA_TABLE, RTA_PRIORITY`;
    deepEqual(hex({ verb: 'add', kind: 'route', family: 4, table: 0x40000001, to: undefined, by: undefined }), [bytes(unreachable)]);
  });

  it('send what comes in by an interface to a table; a rule that is there already does no harm', () => {
    const rule: NetworkChange = { verb: 'add', kind: 'rule', family: 4, preference: 1000, table: 0x40000001, input: 'web.in' };
    const added = `
      2000 0506 00000000 00000000          # RTM_NEWRULE, REQUEST, ACK, CREATE and EXCL
      02 00 00 00 00 00 00 01 00000000     # AF_INET, FR_ACT_TO_TBL
      08000600 e8030000 08000f00 01000040  # FRA_PRIORITY, FRA_TABLE
      0b000300 7765622e696e0000            # FRA_IIFNAME, padded`;
    deepEqual(hex(rule), [bytes(added)]);
    deepEqual(
      messages(rule).map(({ what, mayBeDone }) => `${mayBeDone} ${what}`),
      ['true rule add pref 1000 iif web.in lookup 1073741825'],
    );
  });

  it('send what the guest says with a mark to a table', () => {
    const rule: NetworkChange = { verb: 'add', kind: 'rule', family: 4, preference: 800, table: 0x40000002, input: 'lo', mark: 0xc0000001 };
    const added = `
      2000 0506 00000000 00000000
      02 00 00 00 00 00 00 01 00000000
      08000600 20030000 08000f00 02000040  # FRA_PRIORITY, FRA_TABLE
      07000300 6c6f0000 08000a00 010000c0  # FRA_IIFNAME lo, FRA_FWMARK`;
    deepEqual(hex(rule), [bytes(added)]);
  });

  it('give an interface an IPv6 address, and take it away', () => {
    const change: NetworkChange = { verb: 'add', kind: 'address', on: web, address: 'fd00::1/128' };
    const body = `0a 80 02 00 4b420f00 14000200 fd000000000000000000000000000001 14000100 fd000000000000000000000000000001`;
    deepEqual(hex(change), [bytes(`1400 0505 00000000 00000000 ${body}`)]);
    deepEqual(hex({ ...change, verb: 'remove' }), [bytes(`1500 0500 00000000 00000000 ${body}`)]);
  });

  it('are of the version of IP that they say, where no address tells', () => {
    const end: NetworkChange = { verb: 'add', kind: 'route', family: 6, table: 0x40000001, to: undefined, by: undefined };
    const rule: NetworkChange = { verb: 'add', kind: 'rule', family: 6, preference: 1000, table: 0x40000001, input: 'web.in' };
    for (const change of [end, rule]) equal(hex(change)[0]?.slice(24, 26), '0a');
  });

  it('set what is below /proc/sys in its turn', () => {
    const setting: NetworkChange = { verb: 'add', kind: 'setting', path: 'net/a', value: '1', otherwise: 'net/b' };
    deepEqual(changeRequests(setting), [{ namespace: 'sysctl', words: 'net/a 1 net/b' }]);
    deepEqual(changeRequests({ ...setting, verb: 'remove' }), []);
  });

  it('put interfaces on a bridge that learns nothing', () => {
    const bridge = { name: 'b1', index: 2_001_000_001 };
    const [made, up] = messages({ verb: 'add', kind: 'bridge', bridge });
    equal(made?.message.toString('hex').includes(bytes('0b000100 6272696467650000 0c000200 05001700 00000000')), true, 'mcast_snooping 0');
    equal(up?.message.toString('hex').slice(8), bytes('1000 0500 00000000 00000000 00 00 0000 41d64477 01000000 01000000'));
    const [joined, learning] = messages({ verb: 'add', kind: 'bridge port', port: web, bridge });
    equal(joined?.message.toString('hex').endsWith(bytes('4b420f00 01000000 01000000 08000a00 41d64477')), true, 'IFLA_MASTER, up');
    equal(learning?.message.toString('hex').endsWith(bytes('0c000500 05000800 00000000')), true, 'IFLA_BRPORT_LEARNING 0');
  });
});
