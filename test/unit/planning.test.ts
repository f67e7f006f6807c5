import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PlacedPort } from '../../src/domain/addressing.ts';
import { isVerbList, planAgain, planVerb, type VnfState, verbs, verbsFor, verbThatRuns } from '../../src/domain/lifecycle.ts';
import { derivedMac, namedMac, nextHops, type PortSurroundings, planPorts, planSegment, portChanges } from '../../src/domain/port-plan.ts';
import { network, placedPort } from '../support/records.ts';

const states: readonly VnfState[] = ['undeployed', 'created', 'running', 'paused', 'exited', 'unknown', 'inconsistent', 'unreadable'];

describe('verbs', () => {
  test('each state allows these, and says so when asked for another', () => {
    assert.deepEqual(Object.fromEntries(states.map((state) => [state, verbsFor(state).join(' ')])), {
      undeployed: 'activate deploy',
      created: 'start destroy',
      running: 'stop restart pause reload destroy',
      paused: 'unpause stop destroy',
      exited: 'start restart destroy',
      unknown: 'stop destroy',
      inconsistent: 'destroy',
      unreadable: '',
    });
    for (const state of states) {
      for (const verb of verbs) {
        if (verbsFor(state).includes(verb)) assert.ok(planVerb(state, verb).length > 0);
        else
          assert.throws(() => planVerb(state, verb), {
            code: 'InvalidActionError',
            message: new RegExp(`^${verb}: |the VNF is ${state}; possible now: ${verbsFor(state).join(', ')}`),
          });
      }
    }
  });

  test('after one of which it runs are named where something needs that', () => {
    const named = states.map((state) => verbThatRuns(state) ?? '');
    assert.deepEqual(named, ['activate', 'start', '', 'unpause', 'start', '', '', '']);
  });

  test('become steps that check before they change', () => {
    assert.deepEqual(planVerb('undeployed', 'activate'), ['check', 'deploy', 'start', 'configure', 'open']);
    assert.deepEqual(planVerb('exited', 'restart'), ['check', 'restart', 'configure', 'open']);
    assert.deepEqual(planVerb('inconsistent', 'destroy'), ['destroy']);
  });

  test('that come again do what is left', () => {
    assert.deepEqual(planAgain('undeployed', 'activate'), planVerb('undeployed', 'activate'));
    assert.deepEqual(planAgain('created', 'activate'), planVerb('created', 'start'));
    for (const verb of ['activate', 'start', 'unpause'] as const)
      assert.deepEqual(planAgain('running', verb), ['check', 'configure', 'open']);
    assert.deepEqual(planAgain('exited', 'deploy'), ['destroy', 'deploy']);
    assert.deepEqual(planAgain('created', 'restart'), planVerb('created', 'start'));
    assert.deepEqual(planAgain('running', 'restart'), planVerb('running', 'restart'));
    for (const [state, verb] of [
      ['exited', 'stop'],
      ['paused', 'pause'],
      ['undeployed', 'destroy'],
      ['created', 'deploy'],
    ] as const)
      assert.deepEqual(planAgain(state, verb), []);
    assert.throws(() => planAgain('undeployed', 'stop'), { code: 'InvalidActionError' });
  });

  test('a list of them is what a copy writes back', () => {
    for (const state of states.filter((each) => each !== 'inconsistent' && each !== 'unreadable'))
      assert.ok(isVerbList(`${verbsFor(state).join(' ')}\n`), state);
    assert.ok(isVerbList('stop destroy rotate', ['rotate']));
    assert.ok(!isVerbList('stop destroy rotate'));
    assert.ok(!isVerbList('destroy'));
    assert.ok(!isVerbList(''));
  });
});

describe('ports', () => {
  const lan = network('lan', { subnet: '10.1.0.0/24' });
  const surroundings = (ports: readonly PlacedPort[], lanSettings = lan.settings): PortSurroundings => ({
    mountId: 'abcdefgh',
    forwards: (type) => type === 'router',
    runs: () => true,
    chainWays: () => [],
    network: (name) => (name === 'lan' ? { ...lan, settings: lanSettings } : undefined),
    portsOn: () => ports,
  });
  const host = placedPort(1, { network: 'lan', address: '10.1.0.5/24' });
  const router = placedPort(2, { network: 'lan', address: '10.1.0.1/24' }, 'router');

  test('have what their records say, and defaults for the rest', () => {
    const full = placedPort(7, {
      network: 'lan',
      address: '10.1.0.7/24',
      mac: '02:00:00:00:00:09',
      mtu: '1400',
      state: 'down',
      rate: '1000',
      delay: '5',
      loss: '0.5',
    });
    assert.deepEqual(planPorts([full, placedPort(8, {})], surroundings([])), [
      {
        id: '000007',
        name: 'p7',
        segment: planSegment(lan),
        addresses: ['10.1.0.7/24'],
        gateway: undefined,
        mac: '02:00:00:00:00:09',
        mtu: 1400,
        up: false,
        rateBps: 1000,
        delayUsec: 5,
        lossPercent: 0.5,
        guard: { forwards: false, trusted: false, gateways: [] },
      },
      {
        id: '000008',
        name: 'p8',
        segment: undefined,
        addresses: [],
        gateway: undefined,
        mac: namedMac('abcdefgh', placedPort(8, {})),
        mtu: undefined,
        up: true,
        rateBps: undefined,
        delayUsec: undefined,
        lossPercent: undefined,
      },
    ]);
  });

  test('get a default route from their network’s gateway, or from its only router', () => {
    const gateway = (ports: readonly PlacedPort[], settings = lan.settings): string | undefined =>
      planPorts([host], surroundings(ports, settings))[0]?.gateway;
    assert.equal(gateway([host, router]), '10.1.0.1');
    assert.equal(gateway([host, router, placedPort(3, { network: 'lan', address: '10.1.0.2/24' }, 'router')]), undefined);
    assert.equal(gateway([host, router], { ...lan.settings, gateway: '10.1.0.254' }), '10.1.0.254');
    assert.equal(gateway([host], { ...lan.settings, gateway: '10.1.0.5' }), undefined, 'not from oneself');
    assert.equal(gateway([host]), undefined);
    assert.equal(planPorts([router], surroundings([host, router]))[0]?.gateway, undefined);
    const two = [host, placedPort(4, { network: 'lan', address: '10.1.0.6/24' })];
    assert.deepEqual(
      planPorts(two, surroundings([router])).map((port) => port.gateway),
      ['10.1.0.1', undefined],
      'one default route a guest',
    );
  });

  test('get one of each version of IP', () => {
    const settings = { subnet: '10.1.0.0/24\nfd00:1::/64' };
    const dual = placedPort(1, { network: 'lan', address: '10.1.0.5/24\nfd00:1::5/64' });
    const only = placedPort(2, { network: 'lan', address: '10.1.0.1/24\nfd00:1::1/64' }, 'router');
    const hops = (ports: readonly PlacedPort[], more = {}): string[] =>
      planPorts(ports, surroundings([dual, only], { ...settings, ...more })).flatMap(nextHops);
    assert.deepEqual(hops([dual]), ['10.1.0.1', 'fd00:1::1']);
    assert.deepEqual(hops([dual], { gateway: 'fd00:1::fe' }), ['10.1.0.1', 'fd00:1::fe']);
    const four = placedPort(5, { network: 'lan', address: '10.1.0.6/24' });
    assert.deepEqual(hops([four, dual]), ['10.1.0.1', 'fd00:1::1'], 'each from the first port that has it');
    assert.deepEqual(Object.keys(planPorts([four], surroundings([only]))[0] ?? {}).includes('secondGateway'), false);
  });

  test('that differ are changed, removals first', () => {
    const [a, b] = planPorts([host, router], surroundings([])) as [ReturnType<typeof planPorts>[0], ReturnType<typeof planPorts>[0]];
    assert.deepEqual(portChanges([a, b], [a, b]), []);
    assert.deepEqual(portChanges([a], [{ ...b }]), [
      { before: a, after: undefined },
      { before: undefined, after: b },
    ]);
    const slower = { ...a, rateBps: 5 };
    assert.deepEqual(portChanges([a, b], [slower, b]), [{ before: a, after: slower }]);
  });

  test('have MAC addresses of their own in each mount, always the same ones', () => {
    assert.equal(derivedMac('abcdefgh', 7), derivedMac('abcdefgh', 7));
    assert.match(derivedMac('abcdefgh', 7), /^02(:[0-9a-f]{2}){5}$/);
    assert.equal(new Set([derivedMac('abcdefgh', 7), derivedMac('abcdefgh', 8), derivedMac('abcdefgi', 7)]).size, 3);
    const { vnf, port } = placedPort(7, {});
    const macs = [
      namedMac('abcdefgh', { vnf, port }),
      namedMac('abcdefgi', { vnf, port }),
      namedMac('abcdefgh', { vnf: { ...vnf, name: 'other' }, port }),
      namedMac('abcdefgh', { vnf: { ...vnf, type: 'nat' }, port }),
      namedMac('abcdefgh', { vnf, port: { ...port, name: 'other' } }),
    ];
    assert.equal(new Set(macs).size, macs.length);
    const again = { vnf: { ...vnf, serial: 100 }, port: { ...port, serial: 101 } };
    assert.equal(namedMac('abcdefgh', again), macs[0], 'made anew under its name');
  });
});
