import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChainSteering, HopEntry, Onward, PortSteering, SteeredSegment } from '../../src/domain/ports/steering.ts';
import { idOf } from '../../src/domain/records.ts';
import { counterOf, fastWaysOf, keyOf } from '../../src/network/steering/fast-ways.ts';
import { counterName } from '../../src/network/steering/program.ts';

const nowhere: Onward = { copies: [], target: { kind: 'nowhere' } };
const classifier = { segment: '000001', pairs: [], condition: '' };

function chain(onward: Onward, more: Partial<ChainSteering> = {}): ChainSteering {
  const port: PortSteering = { port: '00000a', direction: 'forward', asks: undefined, onward };
  const [classifiers, entries] = [
    { forward: classifier, backward: classifier },
    { forward: nowhere, backward: nowhere },
  ];
  return { id: '00000c', priority: 100, families: [4, 6], classifiers, entries, ports: [port], ...more };
}

function into(...entries: readonly Partial<HopEntry>[]): Onward {
  const whole = entries.map((entry) => ({ port: '00000b', mac: '02:00:00:00:00:0b', buckets: [], ...entry }));
  return { copies: [], target: { kind: 'hop', entries: whole } };
}

function words(steering: ChainSteering, segments: readonly SteeredSegment[] = []): string[] {
  const ways = fastWaysOf({ chains: [steering], segments });
  return [...ways].map(([key, offer]) => `${key}: ${offer.words.join(' ')}`);
}

describe('what the fast path is told', () => {
  const [from, next, out] = [counterName.from('00000a'), counterName.into('00000b'), counterName.out('00000c', 'forward')].map(keyOf);

  test('a way into the only instance of a hop, and out of the service chain', () => {
    assert.deepEqual(words(chain(into({}))), [`p00000a: p00000a p00000b 02000000000b 46 ${from} ${next}`]);
    const leaving: Onward = { copies: [], target: { kind: 'segment', segment: '00000z' } };
    assert.deepEqual(words(chain(leaving)), [`p00000a: p00000a  35 46 ${from} ${out}`]);
  });

  test('a bump in the wire gets packets as they are', () => {
    assert.deepEqual(words(chain(into({ mac: undefined }))), [`p00000a: p00000a p00000b  46 ${from} ${next}`]);
  });

  test('nothing that differs from packet to packet, that is looked at, or that goes nowhere', () => {
    const flow = { protocol: 'tcp', family: 4, source: { address: '', port: 1 }, destination: { address: '', port: 1 } } as const;
    const left = [
      chain(into({}, { port: '00000d' })),
      chain({ ...into({}), copies: ['00000e'] }),
      chain(into({}), { traced: { name: 't', flow } }),
      chain(into({}), { probe: { family: 4, label: 1, length: 60 } }),
      chain(nowhere),
      chain({ copies: [], target: { kind: 'plain' } }),
    ];
    assert.deepEqual(
      left.map((steering) => words(steering)),
      left.map(() => []),
    );
  });

  test('ports of a segment with an address of their own', () => {
    const ports = [
      { id: '000001', mac: '02:00:00:00:00:01', addresses: [] },
      { id: '000002', mac: '02:00:00:00:00:02', addresses: [] },
      { id: '000003', mac: '02:00:00:00:00:02', addresses: [] },
    ];
    const told = words(chain(nowhere), [{ id: '00000z', ports, uplink: '' }]);
    assert.deepEqual(told, [`00000z 02:00:00:00:00:01:  p000001 020000000001 35 ${keyOf('sent_000001')} `]);
  });
});

test('a counter of the fast path has a number of its own, and its name back', () => {
  const ids = [1, 35, 36 ** 6].map(idOf);
  const names = ids.flatMap((id) => [
    counterName.from(id),
    counterName.into(id),
    `sent_${id}`,
    counterName.out(id, 'forward'),
    counterName.out(id, 'backward'),
  ]);
  assert.deepEqual(
    names.map((name) => counterOf(Number(keyOf(name)))),
    names,
  );
  assert.equal(new Set(names.map(keyOf)).size, names.length);
  assert.deepEqual([counterName.lost('000001'), counterName.in('000001', 'forward'), 'trace_t_into_000001'].map(keyOf), ['', '', '']);
});
