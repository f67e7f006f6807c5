import { deepEqual, equal } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type GuardWorld, guardOf } from '../../src/domain/port-guard.ts';
import type { PortSpec } from '../../src/domain/ports/network.ts';
import { elementsOf } from '../../src/network/guard/elements.ts';
import { withoutForged } from '../../src/network/guard/entry.ts';
import { guardTransaction } from '../../src/network/guard/messages.ts';
import { network, placedPort, plainPort } from '../support/records.ts';

const host = { forwards: false, trusted: false, gateways: [] };
const port: PortSpec = {
  ...plainPort,
  id: '00000a',
  name: 'eth0',
  segment: { id: '000007', name: 'lan', uplink: '' },
  addresses: ['10.9.0.1/24'],
  mac: '02:00:00:00:00:01',
  guard: host,
};
const interfaceName = `${Buffer.from('p00000a').toString('hex')}${'00'.repeat(9)}`;
const mark = '07000000';

/** Elements as SET KEY VALUE, without the name of the port's interface. */
function shown(changes: Partial<PortSpec>): string[] {
  return elementsOf({ ...port, ...changes }).map(({ set, key, value }) => {
    const hex = key.replace(interfaceName, '');
    return [set, hex, value === undefined ? '' : Object.values(value).join()].join(' ').replaceAll(/ +/g, ' ').trim();
  });
}

describe('what may leave a guest by a port', () => {
  test('follows from its VNF, and from what the owner of its network says', () => {
    const placed = placedPort(1, { network: 'lan' });
    const lan = network('lan', { gateway: '10.9.0.254' });
    const world: GuardWorld = { forwards: (type) => type === 'router', network: () => lan };
    deepEqual(guardOf(placed, lan, world), { ...host, gateways: ['10.9.0.254'] });
    equal(guardOf(placedPort(1, { network: 'lan' }, 'router'), lan, world)?.forwards, true);
    equal(guardOf(placedPort(1, { network: 'lan', address: '10.9.0.254/24' }), lan, world)?.forwards, true, 'the gateway of a network');
    const { type, name } = placed.vnf;
    const trusting = network('lan', { trusted: `host/other\n${type}/${name}` });
    equal(guardOf(placed, trusting, world)?.trusted, true);
    equal(guardOf(placed, network('lan', { trusted: `other/${name}` }), world)?.trusted, false);
    equal(guardOf(placedPort(1, { network: 'lan', spoof: 'on' }), lan, world), undefined);
    equal(guardOf(placedPort(1, { network: 'lan', spoof: 'off' }), lan, world)?.forwards, false);
  });

  test('is, for a host, what is its own: it is loose in a version of IP that it has no address in', () => {
    deepEqual(shown({}), [
      `taken4 ${mark}0a090001`,
      'drops p00000a',
      'macs 0200000000010000',
      'ipv4 0a090001',
      'ipv6 fe80000000000000000000fffe000001',
      'loose6',
      'segments 07000000',
      'kinds host',
    ]);
    deepEqual(
      shown({ addresses: ['10.9.0.1/24', 'fd00::1/64'] }).filter((each) => /loose|segments/.test(each)),
      [],
    );
  });

  test('is anything for who forwards, but for the claims of a neighbour', () => {
    const elements = shown({ guard: { ...host, forwards: true, trusted: true } });
    deepEqual(elements.slice(-2), ['trusted', 'kinds forwarder']);
  });

  test('is everything where root says so: others take its addresses as little', () => {
    const { guard: _, ...unguarded } = port;
    deepEqual(
      elementsOf(unguarded).map(({ set, key }) => `${set} ${key}`),
      [`taken4 ${mark}0a090001`],
    );
    deepEqual(shown({ segment: undefined }), []);
  });

  test('is never the address of a gateway', () => {
    deepEqual(shown({ addresses: [], guard: { ...host, gateways: ['10.9.0.254', 'fd00::fe'] } }).slice(0, 2), [
      `taken4 ${mark}0a0900fe`,
      `taken6 ${mark}fd0000000000000000000000000000fe`,
    ]);
  });
});

describe('what service chains take of what a port sends', () => {
  const other = { id: '00000b', mac: '02:00:00:00:00:02', addresses: ['10.9.0.3/24', 'fd00::3/64'] };

  test('is what it sends in its own name', () => {
    deepEqual(withoutForged(port, [port, other]), [
      'ether saddr != 02:00:00:00:00:01 accept',
      'meta protocol arp arp saddr ip != { 10.9.0.1 } accept',
      'meta protocol ip ip saddr != { 10.9.0.1 } accept',
      'meta protocol ip6 icmpv6 type nd-neighbor-advert @th,64,128 { 0xfd000000000000000000000000000003 } accept',
      'meta protocol ip6 ip6 saddr { fd00::3 } accept',
    ]);
  });

  test('is, of who forwards, what is from no other port', () => {
    const forwarder = { ...port, guard: { ...host, forwards: true } };
    deepEqual(withoutForged(forwarder, [forwarder, other])[2], 'meta protocol ip ip saddr { 10.9.0.3 } accept');
  });

  test('is everything where root says so', () => {
    deepEqual(withoutForged(other, [port, other]), []);
  });
});

/** Groups of hexadecimal digits, with what they are after "#". */
function bytes(text: string): string {
  return text.replaceAll(/#.*/g, '').replaceAll(/\s/g, '');
}

describe('a transaction of nf_tables', () => {
  test('empties sets, takes from them, and puts into them, and asks whether all is done', () => {
    const [taken, drops] = elementsOf(port);
    const transaction = guardTransaction({
      emptied: ['macs'],
      added: drops === undefined ? [] : [drops],
      removed: taken === undefined ? [] : [taken],
    });
    const table = '0f000100 6e66696f5f6775617264 00 00'; // nfio_guard
    equal(
      transaction,
      bytes(`
        14000000 1000 0100 00000000 00000000 00 00 000a   # NFNL_MSG_BATCH_BEGIN, REQUEST, for nf_tables

        30000000 0e0a 0100 01000000 00000000 07 00 0000   # NFT_MSG_DELSETELEM of the family bridge, without elements: all
          ${table} 0900 0200 6d616373 00 000000           # macs

        48000000 0e0a 0100 02000000 00000000 07 00 0000
          ${table} 0b00 0200 74616b656e34 00 00           # taken4
          1800 0300 1400 0100                             # a list of one
            1000 0100 0c00 0100 07000000 0a090001         # its key: the mark of the segment, the address

        3c000000 120a 0104 03000000 00000000 07 00 0000   # NFT_MSG_NEWOBJ, CREATE
          ${table} 0c00 0200 703030303030 61 00           # p00000a
          0800 0300 00000001 0400 0400                    # a counter that begins at nothing

        5c000000 0c0a 0504 04000000 00000000 07 00 0000   # NFT_MSG_NEWSETELEM, CREATE, and an acknowledgement
          ${table} 0a00 0200 64726f7073 00 0000           # drops
          2c00 0300 2800 0100
            1800 0100 1400 0100 ${interfaceName}
            0c00 0900 703030303030 61 00                  # what it leads to

        14000000 1100 0100 05000000 00000000 00 00 000a   # NFNL_MSG_BATCH_END`),
    );
  });
});
