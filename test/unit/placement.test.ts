import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressOf, hostAddress, localHost, placementFor } from '../../src/domain/placement.ts';
import type { HostRecord } from '../../src/domain/records.ts';

const entries: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  local: localHost('netns', 0).settings,
  b: { address: 'tcp://10.0.0.2:2376', hypervisor: 'docker' },
  here: { address: '127.0.0.1', hypervisor: 'docker' },
  nowhere: {},
  '10.0.0.9': { address: 'ssh://root@10.0.0.9' },
};

const surroundings = {
  hypervisor: 'netns',
  host: (name: string): HostRecord | undefined => {
    const settings = entries[name];
    return settings === undefined ? undefined : { ...localHost('netns', 0), serial: 99, name, settings };
  },
} as const;

const placed = (wanted: string): string => {
  const placement = placementFor(wanted, surroundings);
  return `${placement.hypervisor} ${placement.host} ${addressOf(placement, surroundings)}`;
};

describe('where a guest goes', () => {
  test('nothing, and words for this machine, mean this machine', () => {
    for (const wanted of ['', '127.0.0.1', '::1', 'localhost']) assert.equal(placed(wanted), 'netns  ');
    assert.equal(placed('local'), 'netns local ');
  });

  test('an entry of hosts/ gives its hypervisor and address', () => {
    assert.equal(placed('b'), 'docker b tcp://10.0.0.2:2376');
    assert.equal(placed('here'), 'docker here ');
    assert.equal(placed('10.0.0.9'), 'netns 10.0.0.9 ssh://root@10.0.0.9');
  });

  test('an entry without an address is nowhere, not here', () => {
    assert.equal(placed('nowhere'), 'netns nowhere undefined');
    assert.equal(hostAddress({ ...localHost('netns', 0), settings: {} }), undefined);
  });

  test('anything else is an address as the driver takes it', () => {
    assert.equal(placed('10.0.0.15'), 'netns 10.0.0.15 10.0.0.15');
  });
});
