import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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
  const machine = { vnfs: 16, ports: 64, hops: 64 };

  test('are one’s own, else those for all, else what the machine bears', () => {
    assert.deepEqual(limitsOf(undefined, forAll, machine), machine);
    const said = { ...forAll, settings: { vnfs: '5', ports: 'unlimited' } };
    assert.deepEqual(limitsOf(undefined, said, machine), { vnfs: 5, ports: Number.POSITIVE_INFINITY, hops: 64 });
    assert.deepEqual(limitsOf(quota({ vnfs: '0', ports: '' }), said, machine), { vnfs: 0, ports: Number.POSITIVE_INFINITY, hops: 64 });
  });

  test('follow from the memory of the machine, within bounds', () => {
    assert.deepEqual(
      [1, 8, 1024].map((gib) => machineLimits(gib * 2 ** 30).vnfs),
      [16, 64, 256],
    );
  });

  for (const [text, canonical] of [
    ['20', '20'],
    ['007', '7'],
    ['0', '0'],
    ['unlimited', 'unlimited'],
    ['-1', undefined],
    ['1.5', undefined],
    ['2e3', undefined],
    ['1234567890', undefined],
    ['many', undefined],
  ] as const) {
    test(`"${text}" is ${canonical ?? 'none'}`, () => assert.equal(canonicalLimit(text), canonical));
  }

  test('read as they are written', () => {
    assert.deepEqual([limitText(20), limitText(Number.POSITIVE_INFINITY)], ['20', 'unlimited']);
  });
});
