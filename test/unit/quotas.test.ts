import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Turns, takeTurn } from '../../src/domain/pace.ts';
import { canonicalLimit, defaultQuota, limitsOf, limitText, machineLimits, noUse, useOf } from '../../src/domain/quotas.ts';
import type { QuotaRecord, StoredRecord } from '../../src/domain/records.ts';
import { Inventory } from '../../src/orchestrator/inventory.ts';
import * as records from '../support/records.ts';

const [alice, bob] = [1001, 1002];
const forAll = defaultQuota(0);

function quota(settings: Readonly<Record<string, string>>): QuotaRecord {
  return { ...forAll, serial: 30, name: 'alice', settings: { uid: String(alice), ...settings } };
}

function of<T extends StoredRecord>(uid: number, record: T): T {
  return { ...record, uid };
}

const port = records.placedPort(70, {}).port;

describe('what counts for whom', () => {
  for (const [what, record, use] of [
    ['a VNF with a port', records.vnf(20, { ports: [port] }), { ...noUse, vnfs: 1, ports: 1 }],
    [
      'a deployed VNF that says nothing of processors and memory',
      { ...records.vnf(20), deployed: true },
      { ...noUse, vnfs: 1, vcpus: 1, memory: 256 * 2 ** 20 },
    ],
    [
      'a deployed VNF that says what it wants',
      { ...records.vnf(20), deployed: true, settings: { 'machine/vm.vcpu': '0.5', 'machine/vm.memory': '4194304' } },
      { ...noUse, vnfs: 1, vcpus: 0.5, memory: 4194304 },
    ],
    ['a network', records.network('lan', {}), { ...noUse, networks: 1 }],
    [
      'a service chain: each hop, and each link in it',
      records.chain('c', { start: 'a', hops: { a: { next: '../b', x: '../../nf-types/t/x' }, b: { y: '../../nf-types/t/y' } } }),
      { ...noUse, chains: 1, hops: 6 },
    ],
    ['an entry of quotas/', quota({}), noUse],
  ] as const) {
    test(what, () => assert.deepEqual(useOf(of(alice, record)), { uid: alice, use }));
  }

  test('what was given away counts for the new owner', () => {
    const given = { ...of(alice, records.vnf(20)), ownership: { '': { uid: bob, gid: bob, mode: 0o755 } } };
    assert.equal(useOf(given).uid, bob);
  });
});

describe('counts', () => {
  test('of fractions of processors do not drift', () => {
    const inventory = new Inventory();
    const settings = { 'machine/vm.vcpu': '0.1' };
    for (let serial = 20; serial < 30; serial += 1) inventory.put({ ...of(alice, records.vnf(serial)), deployed: true, settings });
    assert.equal(inventory.used.of(alice).vcpus, 1);
  });

  test('follow records that are made, changed, given away and removed', () => {
    const inventory = new Inventory();
    const count = (uid: number) => inventory.used.of(uid);
    const vnf = of(alice, records.vnf(20));
    inventory.put(vnf);
    inventory.put(of(alice, records.network('lan', {})));
    inventory.put({ ...vnf, ports: [port] });
    assert.deepEqual(count(alice), { ...noUse, vnfs: 1, ports: 1, networks: 1 });
    const given = { ...vnf, ports: [port], ownership: { '': { uid: bob, gid: bob, mode: 0o755 } } };
    inventory.put(given);
    assert.deepEqual(
      [count(alice), count(bob)],
      [
        { ...noUse, networks: 1 },
        { ...noUse, vnfs: 1, ports: 1 },
      ],
    );
    inventory.remove(given);
    inventory.remove(given);
    inventory.remove(of(alice, records.network('lan', {})));
    assert.deepEqual([count(alice), count(bob)], [noUse, noUse]);
  });
});

describe('limits', () => {
  const unlimited = Number.POSITIVE_INFINITY;
  const machine = { vnfs: 16, ports: 64, hops: 64, vcpus: unlimited, memory: unlimited, verbs_per_second: 50, handles: unlimited };

  test('are one’s own, else those for all, else what the machine bears', () => {
    assert.deepEqual(limitsOf(undefined, forAll, machine), machine);
    const said = { ...forAll, settings: { vnfs: '5', ports: 'unlimited' } };
    assert.deepEqual(limitsOf(undefined, said, machine), { ...machine, vnfs: 5, ports: unlimited });
    assert.deepEqual(limitsOf(quota({ vnfs: '0', ports: '' }), said, machine), { ...machine, vnfs: 0, ports: unlimited });
  });

  test('follow from the memory of the machine, within bounds', () => {
    assert.deepEqual(
      [1, 8, 1024].map((gib) => machineLimits(gib * 2 ** 30).vnfs),
      [16, 64, 256],
    );
  });

  for (const [what, text, canonical] of [
    ['vnfs', '20', '20'],
    ['vnfs', '007', '7'],
    ['vnfs', '0', '0'],
    ['vnfs', 'unlimited', 'unlimited'],
    ['memory', '2G', String(2 ** 31)],
    ['memory', '0', '0'],
    ['memory', 'unlimited', 'unlimited'],
    ['vcpus', '1.5', '1.5'],
  ] as const) {
    test(`${what} "${text}" is ${canonical}`, () => assert.equal(canonicalLimit(what, text), canonical));
  }

  for (const [what, text] of [
    ['vnfs', '-1'],
    ['vnfs', '1.5'],
    ['ports', '2e3'],
    ['hops', '1234567890'],
    ['verbs_per_second', 'many'],
    ['memory', '2 apples'],
    ['vcpus', '-1'],
  ] as const) {
    test(`${what} "${text}" is none`, () => assert.throws(() => canonicalLimit(what, text), { code: 'InvalidValueError' }));
  }

  test('read as they are written', () => {
    assert.deepEqual([limitText(20), limitText(Number.POSITIVE_INFINITY)], ['20', 'unlimited']);
  });
});

describe('verbs in a second', () => {
  /** How many of so many verbs are taken that come so far apart. */
  function taken(count: number, apartMs: number, perSecond: number): number {
    let turns: Turns | undefined;
    let sum = 0;
    for (let verb = 0; verb < count; verb += 1) {
      const next = takeTurn(turns, perSecond, verb * apartMs);
      if (next === undefined) continue;
      turns = next;
      sum += 1;
    }
    return sum;
  }

  test('may come at once, and then as fast as they come back', () => {
    assert.equal(taken(10, 0, 5), 5);
    assert.equal(taken(100, 200, 5), 100);
    assert.equal(taken(101, 100, 5), 5 + 50);
  });

  test('are not saved up, and a clock that goes back gives none', () => {
    const later = takeTurn({ left: 1, atMs: 0 }, 5, 3_600_000);
    assert.equal(later?.left, 4);
    assert.equal(takeTurn({ left: 0, atMs: 5000 }, 5, 0), undefined);
  });

  test('are none where none is allowed', () => assert.equal(taken(10, 1000, 0), 0));
});
