import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Actor, authorOf, may, type Objects, rootActor, type Verb } from '../../src/domain/authority.ts';
import type { HostRecord, NetworkRecord, Ownership, QuotaRecord } from '../../src/domain/records.ts';
import * as records from '../support/records.ts';

/* Who may what, row by row: the rules that modes of files cannot state. */

const alice: Actor = { uid: 1001, gid: 1001, groups: [] };
const inClass: Actor = { uid: 1002, gid: 1002, groups: [500, 501] };
const stranger: Actor = { uid: 1003, gid: 1003, groups: [] };
const actors = { root: rootActor, alice, inClass, stranger };

const alices = { uid: alice.uid, gid: alice.gid, mode: 0o755 };
const vnf = { ...records.vnf(1), ...alices };
const network: NetworkRecord = { ...records.network('lan', {}), ...alices };
const host: HostRecord = { ...alices, kind: 'host', serial: 3, createdMs: 0, ownership: {}, settings: {}, name: 'b' };
const quota: QuotaRecord = { ...host, kind: 'quota', name: 'alice' };
const chain = { ...records.chain('c', {}), ...alices };
const noPower: Objects['boot'] = { privileged: false, capabilities: [], mounts: [], network: undefined };

/** Who of `actors` may, in their order. */
function who<V extends Verb>(verb: V, object: Objects[V]): string {
  const those = Object.entries(actors).filter(([, actor]) => may(actor, verb, object));
  return those.map(([name]) => name).join(' ');
}

/** Alice's network, with other permissions. */
function lan(ownership: Readonly<Record<string, Ownership>>): NetworkRecord {
  return { ...network, ownership };
}

const forClass: Ownership = { uid: alice.uid, gid: 501, mode: 0o2775 };

describe('who may what', () => {
  for (const [what, found, expected] of [
    ['clone a VNF', who('clone', vnf), 'root alice'],
    ['clone a VNF that was given away', who('clone', { ...vnf, ownership: { '': { ...alices, uid: 1003 } } }), 'root stranger'],
    ['remove a clone', who('discard', vnf), 'root alice'],
    ['put a port on a network', who('attach', network), 'root alice'],
    ['… whose ports/ is a group’s', who('attach', lan({ ports: forClass })), 'root alice inClass'],
    ['… whose ports/ is everybody’s', who('attach', lan({ ports: { ...forClass, mode: 0o777 } })), 'root alice inClass stranger'],
    ['… that is closed', who('attach', lan({ '': { ...alices, mode: 0o700 }, ports: { ...forClass, mode: 0o777 } })), 'root alice'],
    ['… where the group may less than others', who('attach', lan({ ports: { ...forClass, mode: 0o757 } })), 'root alice stranger'],
    ['connect a network of her own to the machine', who('uplink', network), 'root'],
    ['let a port of her own VNF send in the name of others', who('spoof', records.placedPort(1, {})), 'root'],
    ['say where a host of her own is', who('direct', host), 'root'],
    ['say how much she may have herself', who('limit', quota), 'root'],
    ['use a machine in hosts/', who('place', { name: 'b', host }), 'root alice inClass stranger'],
    ['start from a file of another machine', who('lend', { host: 'b', path: '/k', said: 'machine/vm.image' }), 'root'],
    ['use a machine that is not in hosts/', who('place', { name: '192.0.2.1', host: undefined }), 'root'],
    ['boot without powers', who('boot', noPower), 'root alice inClass stranger'],
    ['boot privileged', who('boot', { ...noPower, privileged: true }), 'root'],
    ['boot with capabilities', who('boot', { ...noPower, capabilities: ['sys_admin'] }), 'root'],
    ['boot with directories of the machine', who('boot', { ...noPower, mounts: [{ source: '/a', target: '/a', readOnly: true }] }), 'root'],
    ['boot on a network of the engine’s', who('boot', { ...noPower, network: 'bridge' }), 'root'],
    ['steer traffic of a network', who('steer', { chain, record: network }), 'root alice'],
    ['steer traffic through a VNF', who('steer', { chain, record: vnf }), 'root alice'],
  ] as const) {
    test(`${what}: ${expected}`, () => assert.equal(found, expected));
  }
});

describe('the author of files', () => {
  const roots = { uid: 0, mode: 0o755 };

  test('is root when only root could write them', () => {
    assert.equal(authorOf(roots), rootActor);
    assert.equal(authorOf({ uid: 0, mode: 0o600 }, roots), rootActor);
  });

  test('is not root when another owns one of them, or may write to it', () => {
    for (const file of [
      { uid: 1001, mode: 0o644 },
      { uid: 0, mode: 0o664 },
      { uid: 0, mode: 0o646 },
    ]) {
      assert.equal(may(authorOf(file, roots), 'boot', { ...noPower, privileged: true }), false);
      assert.equal(may(authorOf(roots, file), 'boot', { ...noPower, privileged: true }), false);
    }
  });
});
