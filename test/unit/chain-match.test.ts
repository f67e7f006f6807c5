import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admits } from '../../src/domain/chains/families.ts';
import { areDisjoint, checkExpressions, conditionsOf, exchange, subnetConditions } from '../../src/domain/chains/match-expression.ts';
import { spread } from '../../src/domain/chains/spread.ts';

type Expression = Parameters<typeof conditionsOf>[0][number];

const field = (protocol: string, name: string): Expression => ({ payload: { protocol, field: name } });
const is = (left: Expression, right: Expression, op = '=='): Expression => ({ match: { op, left, right } });
const port = (right: Expression, op?: string): Expression[] => [is(field('tcp', 'dport'), right, op)];

describe('a match', () => {
  test('is turned round for packets that come back', () => {
    assert.deepEqual(exchange(is(field('tcp', 'dport'), 80)), is(field('tcp', 'sport'), 80));
    assert.deepEqual(exchange(is(field('ip', 'saddr'), '10.1.0.1')), is(field('ip', 'daddr'), '10.1.0.1'));
    assert.deepEqual(exchange(is(field('icmp', 'type'), 'echo-request')), is(field('icmp', 'type'), 'echo-reply'));
    const both = { concat: [field('ip', 'saddr'), field('udp', 'dport')] };
    assert.deepEqual(
      exchange(is(both, { set: [{ concat: ['10.1.0.1', 53] }] })),
      is({ concat: [field('ip', 'daddr'), field('udp', 'sport')] }, { set: [{ concat: ['10.1.0.1', 53] }] }),
    );
  });

  const allowed: Expression[] = [
    is(field('tcp', 'dport'), 80),
    is({ meta: { key: 'l4proto' } }, 'tcp'),
    is({ '&': [field('tcp', 'flags'), 'syn'] }, 'syn'),
  ];
  test('may compare what is in the packet', () => assert.doesNotThrow(() => checkExpressions(allowed)));
  for (const [what, expression] of Object.entries<Expression>({
    'a counter': { counter: null },
    'a verdict map': { vmap: { key: field('tcp', 'dport'), data: { set: [] } } },
    'a change': { mangle: { key: field('ip', 'dscp'), value: 1 } },
    'an interface': is({ meta: { key: 'iifname' } }, 'eth0'),
    'a mark': is({ meta: { key: 'mark' } }, 1),
    'a connection': is({ ct: { key: 'state' } }, 'new'),
    'a hardware address': is(field('ether', 'saddr'), '02:00:00:00:00:01'),
    'raw payload': is({ payload: { base: 'th', offset: 0, len: 16 } }, 1),
    chance: is({ numgen: { mode: 'random', mod: 2, offset: 0 } }, 0),
    'a named set': is(field('ip', 'saddr'), '@set'),
    'an interface in a concatenation': is({ concat: [field('tcp', 'dport'), { meta: { key: 'iif' } }] }, 1),
  })) {
    test(`is refused with ${what}`, () =>
      assert.throws(() => checkExpressions([expression]), { code: 'InvalidValueError', errnoName: 'EINVAL' }));
  }

  const disjoint = (one: readonly Expression[], other: readonly Expression[]): boolean =>
    areDisjoint(conditionsOf(one), conditionsOf(other));
  test('is told apart from one that no packet can satisfy too', () => {
    assert.ok(disjoint(port(80), port(443)));
    assert.ok(disjoint(port({ set: [80, 8080] }), port({ range: [100, 200] })));
    assert.ok(disjoint(port(80, '!='), port(80)));
    assert.ok(disjoint(port(1024, '<'), port(1024, '>=')));
    assert.ok(disjoint([is(field('tcp', 'dport'), 53)], [is(field('udp', 'dport'), 53)]));
    assert.ok(disjoint([is(field('ip', 'saddr'), { prefix: { addr: '10.1.0.0', len: 28 } })], [is(field('ip', 'saddr'), '10.1.0.16')]));
    assert.ok(areDisjoint(subnetConditions('ip saddr', '10.1.0.0/24'), subnetConditions('ip saddr', '10.1.1.0/24')));
    for (const [one, other] of [
      ['fd00:1::/64', 'fd00:2::/64'],
      ['fd12:3456:789a:1::/64', 'fd12:3456:789a:2::/64'],
      ['fd00::1/128', 'fd00::2/128'],
    ] as const)
      assert.ok(areDisjoint(subnetConditions('ip6 saddr', one), subnetConditions('ip6 saddr', other)), one);
    assert.ok(disjoint([is(field('ip6', 'saddr'), 'fd00::1')], [is(field('ip6', 'saddr'), { prefix: { addr: 'fd01::', len: 16 } })]));
    assert.ok(disjoint([is(field('ip', 'ttl'), 7)], [is(field('ip6', 'hoplimit'), 7)]));
    assert.ok(disjoint([is(field('icmp', 'type'), 'echo-request')], [is(field('icmpv6', 'type'), 'echo-request')]));
    assert.ok(disjoint([is({ meta: { key: 'protocol' } }, 'ip')], [is(field('ip6', 'saddr'), 'fd00::1')]));
  });
  test('is not told apart where one packet can satisfy both, or it is not known', () => {
    assert.ok(!disjoint(port(80), port({ range: [1, 100] })));
    assert.ok(!disjoint(port(80), [is(field('ip', 'saddr'), '10.1.0.1')]));
    assert.ok(!disjoint([], port(80)));
    assert.ok(!disjoint([is({ meta: { key: 'l4proto' } }, { set: ['tcp', 'udp'] })], port(80)));
    assert.ok(!areDisjoint(subnetConditions('ip6 saddr', 'fd00:1::/32'), subnetConditions('ip6 saddr', 'fd00:1:0:9::/64')));
    for (const right of [{ range: ['fd00::1', 'fd00::9'] }, { set: ['fd00::1', { range: ['fd00::3', 'fd00::9'] }] }])
      assert.ok(!disjoint([is(field('ip6', 'saddr'), right)], [is(field('ip6', 'saddr'), 'fd01::1')]));
    assert.ok(!disjoint([is(field('ip6', 'saddr'), 'fd00::1', '<')], [is(field('ip6', 'saddr'), 'fd00::0')]));
    assert.ok(!disjoint([is({ meta: { key: 'protocol' } }, 'ip', '!=')], [is(field('ip6', 'saddr'), 'fd00::1')]));
    assert.ok(!disjoint([is({ '&': [field('tcp', 'flags'), 'syn'] }, 'syn')], [is({ '&': [field('tcp', 'flags'), 'syn'] }, 0)]));
  });
});

describe('a match is for', () => {
  const taken = (...expressions: readonly Expression[]): number[] =>
    ([4, 6] as const).filter((family) => admits({ conditions: conditionsOf(expressions) }, family));
  const both = { concat: [field('ip6', 'saddr'), field('tcp', 'dport')] };
  for (const [what, expressions, families] of [
    ['ports: both versions of IP', port(80), [4, 6]],
    ['an IPv4 address: IPv4', [is(field('ip', 'saddr'), '10.1.0.1')], [4]],
    ['an IPv6 address: IPv6', [is(field('ip6', 'daddr'), 'fd00::1')], [6]],
    ['an address and a port together: that of the address', [is(both, { set: [] })], [6]],
    ['part of a field: that of the field', [is({ '&': [field('ip6', 'dscp'), 3] }, 1)], [6]],
    ['ICMP: IPv4', [is(field('icmp', 'type'), 'echo-request')], [4]],
    ['ICMPv6: IPv6', [is(field('icmpv6', 'type'), 'echo-request')], [6]],
    ['a protocol by name: it', [is({ meta: { key: 'protocol' } }, 'ip6')], [6]],
    ['not a protocol: the other', [is({ meta: { key: 'protocol' } }, 'ip6', '!=')], [4]],
    ['two of them: both', [is({ meta: { key: 'protocol' } }, { set: ['ip', 'ip6'] })], [4, 6]],
    ['both at once: none', [is(field('ip', 'saddr'), '10.1.0.1'), is(field('ip6', 'daddr'), 'fd00::1')], []],
  ] as const)
    test(what, () => assert.deepEqual(taken(...expressions), families));
});

describe('flows spread over instances', () => {
  test('all buckets are given out, and about as many to each', () => {
    const shares = spread(['a', 'b', 'c'], 128);
    assert.deepEqual(
      shares.flat().toSorted((a, b) => a - b),
      Array.from({ length: 128 }, (_, bucket) => bucket),
    );
    for (const share of shares) assert.ok(share.length > 25 && share.length < 65, `a share of ${share.length}`);
  });
  test('an instance that leaves or joins moves its own share only', () => {
    const [a = [], b = [], c = []] = spread(['a', 'b', 'c'], 128);
    const [left = [], right = []] = spread(['a', 'c'], 128);
    assert.ok(a.every((bucket) => left.includes(bucket)) && c.every((bucket) => right.includes(bucket)));
    assert.equal(left.length + right.length - a.length - c.length, b.length);
  });
  test('one has all', () => assert.equal(spread(['a'], 128)[0]?.length, 128));
});
