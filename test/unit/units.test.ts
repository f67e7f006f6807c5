import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBytes, parseDuration, parsePercent, parseRate, parseVcpu } from '../../src/domain/units.ts';

type Parser = (text: string) => number;

const good: readonly [name: string, parse: Parser, values: Readonly<Record<string, number>>][] = [
  [
    'parseBytes',
    parseBytes,
    { '1': 1, '64M': 67108864, '2G': 2147483648, '1.5G': 1610612736, '64 MiB': 67108864, '64mb': 67108864, ' 4k\n': 4096 },
  ],
  ['parseVcpu', parseVcpu, { '1': 1, '0.5': 0.5, '0.01': 0.01, '1.00009': 1.0001, '64': 64 }],
  ['parseRate', parseRate, { '10mbit': 1e7, '1gbit': 1e9, '64000': 64000, '1.5Mbit': 1.5e6, '1kibit': 1024, '8': 8 }],
  ['parseDuration', parseDuration, { '10ms': 10000, '1s': 1e6, '200us': 200, '200': 200, '1.5s': 1.5e6, '0': 0, '0.4us': 0 }],
  ['parsePercent', parsePercent, { '5': 5, '0.1%': 0.1, '100%': 100, '0': 0, '0.00001': 0 }],
];

const bad: readonly [name: string, parse: Parser, values: readonly string[]][] = [
  [
    'parseBytes',
    parseBytes,
    ['', '0', '0M', '-1', '1e30', '64X', 'M', '9007199254740992', '9999999999T', '0x10', '1.2.3', '64M 2', 'NaN', 'constructor'],
  ],
  ['parseVcpu', parseVcpu, ['', '0', '0.001', '-1', '1e3', '8193', 'two', '1%', '∞']],
  ['parseRate', parseRate, ['', '0', '7', '10mbps', '1 lightyear', '-5mbit', '9999999tbit', 'toString']],
  ['parseDuration', parseDuration, ['', '-1', '61s', '1h', '10 m s', 'valueOf']],
  ['parsePercent', parsePercent, ['', '101', '-1', '5%%', '100.1%', '5ms']],
];

describe('units', () => {
  for (const [name, parse, values] of good) {
    for (const [text, expected] of Object.entries(values)) {
      it(`${name} takes ${JSON.stringify(text)}`, () => {
        assert.equal(parse(text), expected);
        assert.equal(parse(String(expected || '0')), expected, 'the canonical text reads back');
      });
    }
  }
  for (const [name, parse, values] of bad) {
    for (const text of values) {
      it(`${name} refuses ${JSON.stringify(text)}`, () => {
        assert.throws(() => parse(text), { code: 'InvalidValueError', errnoName: 'EINVAL' });
      });
    }
  }

  it('refuses sizes below the least and says what that is', () => {
    assert.equal(parseBytes('4M', { least: 4194304 }), 4194304);
    assert.throws(() => parseBytes('3M', { least: 4194304 }), { message: '"3M" is too little: at least 4194304 bytes' });
  });
});
