import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkNetwork, checkPort, type PlacedPort } from '../../src/domain/addressing.ts';
import { guestInterfaceName } from '../../src/domain/guest-interface.ts';
import { contains, formatAddress, formatCidr, networkOf, overlaps, parseAddress, parseCidr } from '../../src/domain/ip.ts';
import { checkName } from '../../src/domain/names.ts';
import { networkSettings, parseSetting, portSettings, textOf, vnfSettings } from '../../src/domain/settings.ts';
import { network, placedPort } from '../support/records.ts';

const invalid = { code: 'InvalidValueError', errnoName: 'EINVAL' } as const;

describe('names', () => {
  test('of 1 to 63 characters, from a small set, are taken', () => {
    for (const name of ['a', '0', 'fw-a', 'PC1', 'HostA', 'a.b_c-d', 'x'.repeat(63)]) checkName('VNF', name);
  });

  test('others are refused, saying what is wrong', () => {
    const wrong: Readonly<Record<string, RegExp>> = {
      '': /must begin with/,
      '.a': /must begin with/,
      '-a': /must begin with/,
      'a b': /only letters of English/,
      aÄ: /only letters of English/,
      'a\n': /only letters of English/,
      ['x'.repeat(64)]: /longer than 63 characters \(64\)/,
    };
    for (const [name, message] of Object.entries(wrong)) {
      assert.throws(() => checkName('network', name), { code: 'InvalidNameError', errnoName: 'EINVAL', message }, JSON.stringify(name));
    }
  });

  test('a port cannot be called as what Linux has already', () => {
    assert.throws(() => checkName('port', 'lo'), { code: 'InvalidNameError' });
    checkName('VNF', 'lo');
  });

  test('an interface is called as its port as long as Linux takes that', () => {
    assert.equal(guestInterfaceName({ id: '00000a', name: 'exactly15-bytes' }), 'exactly15-bytes');
    assert.equal(guestInterfaceName({ id: '00000a', name: 'sixteen-bytes-xx' }), 'e00000a');
  });
});

describe('addresses', () => {
  test('are written in their canonical form', () => {
    const forms: Readonly<Record<string, string>> = {
      '10.1.0.10/24': '10.1.0.10/24',
      '0.0.0.0/0': '0.0.0.0/0',
      'FD00:0:0:0:0:0:0:1/64': 'fd00::1/64',
      '::/0': '::/0',
      '1:0:0:2:0:0:0:3/128': '1:0:0:2::3/128',
      '2001:db8:0:1:1:1:1:1/64': '2001:db8:0:1:1:1:1:1/64',
      '::ffff:1.2.3.4/128': '::ffff:102:304/128',
    };
    for (const [text, canonical] of Object.entries(forms)) assert.equal(formatCidr(parseCidr(text)), canonical);
    assert.equal(formatAddress(parseAddress('10.0.0.1')), '10.0.0.1');
  });

  test('that are none are refused', () => {
    for (const text of [
      '',
      '10.1.0.1',
      '10.1.0.1/33',
      '10.1.0.1/',
      '10.1.0.256/24',
      '10.1/16',
      '1::2::3/64',
      'fd00::1/129',
      '10.1.0.1/24/24',
      'fe80::1%eth0/64',
      '10.1.0.1/2a',
      ' 10.1.0.1/24',
    ])
      assert.throws(() => parseCidr(text), invalid, text);
    for (const text of ['10.1.0.1/24', 'x', '']) assert.throws(() => parseAddress(text), invalid, text);
  });

  test('know their network, and what lies in it', () => {
    assert.equal(formatCidr(networkOf(parseCidr('10.1.2.3/20'))), '10.1.0.0/20');
    assert.ok(contains(parseCidr('10.0.0.0/8'), parseCidr('10.1.0.0/16')));
    assert.ok(!contains(parseCidr('10.1.0.0/16'), parseCidr('10.0.0.0/8')));
    assert.ok(!contains(parseCidr('::/0'), parseCidr('10.0.0.0/8')));
    assert.ok(overlaps(parseCidr('10.1.0.0/16'), parseCidr('10.0.0.0/8')));
    assert.ok(!overlaps(parseCidr('10.0.0.0/9'), parseCidr('10.128.0.0/9')));
  });
});

describe('networks and ports', () => {
  const lan = network('lan', { subnet: '10.1.0.0/24' });
  const port = (serial: number, address: string): PlacedPort => placedPort(serial, { network: 'lan', address });

  test('subnets must not overlap, a gateway must be inside', () => {
    checkNetwork(network('wan', { subnet: '10.2.0.0/24', gateway: '10.2.0.1' }), [lan]);
    checkNetwork(network('bare', {}), [lan]);
    assert.throws(() => checkNetwork(network('wan', { subnet: '10.0.0.0/8' }), [lan]), {
      ...invalid,
      message: /overlaps 10\.1\.0\.0\/24, the subnet of network lan/,
    });
    assert.throws(() => checkNetwork(network('wan', { subnet: '10.2.0.0/24', gateway: '10.3.0.1' }), []), invalid);
  });

  test('subnets of both versions of IP are looked at, each by itself', () => {
    const both = network('both', { subnet: '10.2.0.0/24\nfd00:2::/64', gateway: 'fd00:2::1\n10.2.0.1' });
    checkNetwork(both, [lan]);
    assert.throws(() => checkNetwork(both, [network('six', { subnet: 'fd00::/16' })]), { ...invalid, message: /^fd00:2::\/64 overlaps/ });
    const outside = { ...both, settings: { ...both.settings, gateway: 'fd00:3::1\n10.2.0.1' } };
    assert.throws(() => checkNetwork(outside, []), {
      ...invalid,
      message: /fd00:3::1 is outside the subnet 10\.2\.0\.0\/24 and fd00:2::\/64/,
    });
    checkPort(port(1, '10.2.0.5/24\nfd00:2::5/64'), both, []);
    assert.throws(() => checkPort(port(1, '10.2.0.5/24\nfd00:3::5/64'), both, []), { ...invalid, message: /outside fd00:2::\/64/ });
  });

  test('an address must be in the subnet of its family, and its own', () => {
    checkPort(port(1, '10.1.0.5/24'), lan, [port(1, '10.1.0.5/24'), port(2, '10.1.0.6/24'), port(3, '')]);
    checkPort(port(1, 'fd00::1/64'), lan, []);
    assert.throws(() => checkPort(port(1, '10.2.0.5/24'), lan, []), { ...invalid, message: /outside 10\.1\.0\.0\/24/ });
    assert.throws(() => checkPort(port(1, '10.1.0.7/24\n10.1.0.5/24'), lan, [port(2, '10.1.0.5/16')]), {
      code: 'InvalidValueError',
      errnoName: 'EADDRINUSE',
    });
  });
});

describe('settings', () => {
  test('are kept in base units and canonical form', () => {
    const kept: readonly (readonly [Parameters<typeof parseSetting>[0], string, string, string])[] = [
      [vnfSettings, 'machine/vm.memory', ' 64M ', '67108864'],
      [vnfSettings, 'machine/vm.vcpu', '0.50', '0.5'],
      [vnfSettings, 'machine/ip', 'host-1', 'host-1'],
      [portSettings, 'address', '10.1.0.1/24, FD00::1/64', '10.1.0.1/24\nfd00::1/64'],
      [portSettings, 'mac', '02:AB:00:00:00:01', '02:ab:00:00:00:01'],
      [portSettings, 'rate', '10mbit', '10000000'],
      [portSettings, 'delay', '10ms', '10000'],
      [portSettings, 'mtu', '9000', '9000'],
      [networkSettings, 'subnet', 'FD00::/64', 'fd00::/64'],
      [networkSettings, 'subnet', '10.1.0.0/24, FD00::/64', '10.1.0.0/24\nfd00::/64'],
      [networkSettings, 'gateway', 'fd00::1 10.1.0.1', 'fd00::1\n10.1.0.1'],
      [networkSettings, 'gateway', '10.1.0.1', '10.1.0.1'],
      [networkSettings, 'uplink', 'eth0', 'eth0'],
    ];
    for (const [table, path, written, expected] of kept) assert.equal(parseSetting(table, path, written), expected, path);
    for (const path of Object.keys(portSettings)) assert.equal(parseSetting(portSettings, path, ' \n'), '', path);
  });

  test('that are wrong are refused; a path that is none is EACCES', () => {
    for (const [path, text] of [
      ['mac', '01:00:00:00:00:00'],
      ['mac', '00:00:00:00:00:00'],
      ['state', 'UP'],
      ['mtu', '67'],
      ['address', '10.1.0.1/24,10.1.0.2/24,x'],
    ] as const)
      assert.throws(() => parseSetting(portSettings, path, text), invalid, `${path} ${text}`);
    for (const text of ['10.1.0.1/24', 'x', '10.1.0.0/24 10.3.0.0/24', 'fd00::/64,fd01::/64', '10.1.0.0/24 fd00::/64 fd01::/64'])
      assert.throws(() => parseSetting(networkSettings, 'subnet', text), invalid);
    for (const text of ['..', 'a/b', 'a:b', 'x'.repeat(16)]) assert.throws(() => parseSetting(networkSettings, 'uplink', text), invalid);
    assert.throws(() => parseSetting(vnfSettings, 'toString', 'x'), { errnoName: 'EACCES' });
  });

  test('what was written is text', () => {
    assert.equal(textOf(Buffer.from('a\r\n')), 'a');
    assert.equal(textOf(Buffer.from('a\n\n')), 'a\n');
    assert.throws(() => textOf(Buffer.from('a\0')), invalid);
    assert.throws(() => textOf(Buffer.from([0x61, 0xff])), { errnoName: 'EILSEQ' });
    assert.throws(() => textOf(Buffer.alloc(4097, 'x')), { errnoName: 'EFBIG' });
  });
});
