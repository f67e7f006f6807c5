import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortSpec } from '../../src/domain/ports/network.ts';
import { loopbackRequest, newPortRequests } from '../../src/network/index.ts';

const link = { mac: '02:00:00:00:00:01', mtu: undefined, rateBps: undefined, delayUsec: undefined, lossPercent: undefined };
const port: PortSpec = { id: '00000a', name: 'eth0', segment: undefined, addresses: [], gateway: undefined, up: true, ...link };

/** Groups of hexadecimal digits, with what they are after "#". */
function bytes(text: string): string {
  return text.replaceAll(/#.*/g, '').replaceAll(/\s/g, '');
}

const requestsOf = (changes: Partial<PortSpec>, bridge?: number): string[] =>
  newPortRequests({ ...port, ...changes }, bridge).map(({ namespace, what }) => `${namespace}: ${what}`);

describe('messages to rtnetlink', () => {
  it('bring the loopback interface up', () => {
    const expected = `
      20000000 1000 0500 00000000 00000000  # 32 bytes, RTM_NEWLINK, REQUEST and ACK, no sequence number, from whoever
      00 00 0000 01000000 01000000 01000000 # AF_UNSPEC, interface 1, IFF_UP of the bits IFF_UP`;
    equal(loopbackRequest().message.toString('hex'), bytes(expected));
  });

  it('make both ends of a port, with the fabric’s on its bridge', () => {
    const [made] = newPortRequests({ ...port, mtu: 1400 }, 7);
    const hex = made?.message.toString('hex') ?? '';
    equal(made?.message.readUInt32LE(0), made?.message.length, 'nlmsg_len is the length');
    const begin = `
      1000 0506 00000000 00000000           # RTM_NEWLINK, REQUEST, ACK, CREATE and EXCL
      00 00 0000 4a0caa3b 01000000 01000000 # interface 1,001,000,010, up`;
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
    const [, four, six] = newPortRequests({ ...port, addresses: ['10.1.0.10/24', 'fd00::1/64'] }, 7);
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
    const route = newPortRequests({ ...port, gateway: '10.1.0.1' }, 7).at(-1);
    const expected = `
      2c000000 1800 0505 00000000 00000000 # RTM_NEWROUTE
      02 00 00 00 fe 03 00 01 00000000     # AF_INET, /0, main table, RTPROT_BOOT, universe, unicast
      08000500 0a010001 08000400 4a420f00  # RTA_GATEWAY, RTA_OIF`;
    equal(route?.message.toString('hex'), bytes(expected));
    equal(route?.what, 'port eth0, default route via 10.1.0.1');
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
