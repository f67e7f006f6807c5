import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { linkLocalAddress, signingAddress } from '../../src/domain/chains/chain-ports.ts';
import { checkConflicts } from '../../src/domain/chains/conflicts.ts';
import { type HopPort, hopSetup } from '../../src/domain/chains/hop-setup.ts';
import { subnetConditions } from '../../src/domain/chains/match-expression.ts';
import { planSteering, reachOf, SteeringPlanner, type SteeringWorld, upstreamOf } from '../../src/domain/chains/steering-plan.ts';
import { parseCidr } from '../../src/domain/ip.ts';
import { networkCommands, undo } from '../../src/domain/network-change.ts';
import { derivedMac } from '../../src/domain/port-plan.ts';
import type { ChainSteering, Direction, Onward, SteeredSegment } from '../../src/domain/ports/steering.ts';
import { type AppliedChain, type ChainRecord, type HopMode, idOf } from '../../src/domain/records.ts';
import { transition } from '../../src/network/steering/apply.ts';
import { atName, programOf } from '../../src/network/steering/program.ts';
import { chain, network, placedPort } from '../support/records.ts';

const lan = network('lan', { subnet: '10.1.0.0/24' });
const wan = network('wan', { subnet: '10.2.0.0/24' });
const dmz = network('dmz', { subnet: '10.3.0.0/24' });
const client = placedPort(31, { network: 'lan', address: '10.1.0.10/24' });

/** A world in which all VNFs run but those named. */
function world(dead: readonly number[] = []): SteeringWorld {
  return {
    mountId: 'abcdefgh',
    forwards: (type) => type === 'router',
    network: (name) => [lan, wan, dmz].find((each) => each.name === name),
    networks: () => [lan, wan, dmz],
    portsOn: (name) => (name === 'lan' ? [client] : []),
    runs: (serial) => !dead.includes(serial),
  };
}

const lan6 = network('six', { subnet: 'fd00:1::/64' });
const wan6 = network('wan', { subnet: 'fd00:2::/64' });
const world6: SteeringWorld = { ...world(), networks: () => [lan6, wan6] };

/** A hop with the instances 1xx, whose ports are 2xx towards the ingress and 3xx towards the egress. */
function hop(name: string, mode: HopMode, ...instances: readonly number[]): AppliedChain['hops'][number] {
  return { serial: 90, name, mode, instances: instances.map((n) => ({ vnf: 100 + n, ingressPort: 200 + n, egressPort: 300 + n })) };
}

function applied(hops: AppliedChain['hops'], more: Partial<AppliedChain> = {}): ChainRecord {
  const match = { text: '', forward: 'tcp dport 80', backward: 'tcp sport 80', conditions: [] };
  return chain('web', { applied: { ingress: lan.serial, egress: wan.serial, match, priority: 100, failure: 'closed', hops, ...more } });
}

function plan(record: ChainRecord, dead: readonly number[] = []): ChainSteering {
  const [only] = planSteering([record], world(dead)).chains;
  assert.ok(only);
  return only;
}

/** The way of a packet in words. */
function way(steering: ChainSteering, direction: Direction): string {
  const words = [steering.classifiers[direction].segment === idOf(lan.serial) ? 'lan' : 'wan'];
  let onward: Onward | undefined = steering.entries[direction];
  while (onward !== undefined) {
    words.push(...onward.copies.map((port) => `copy:${Number.parseInt(port, 36)}`));
    const { target }: Onward = onward;
    if (target.kind !== 'hop') {
      words.push(target.kind === 'segment' ? (target.segment === idOf(lan.serial) ? 'lan' : 'wan') : target.kind);
      return words.join(' ');
    }
    const serial = Number.parseInt(target.entries[0]?.port ?? '', 36);
    words.push(target.entries.map(({ port, mac }) => `${Number.parseInt(port, 36)}${mac === undefined ? '~' : ''}`).join('|'));
    const out = direction === 'forward' ? serial + 100 : serial - 100;
    onward = steering.ports.find(({ port }) => port === idOf(out))?.onward;
  }
  return `${words.join(' ')} ?`;
}

describe('a plan for a service chain', () => {
  test('passes routed hops in order, and in reverse on the way back', () => {
    const steering = plan(applied([hop('a', 'routed', 1), hop('b', 'routed', 2)]));
    assert.equal(way(steering, 'forward'), 'lan 201 202 wan');
    assert.equal(way(steering, 'backward'), 'wan 302 301 lan');
    const [inner, outer] = ['10.1.0.0/24', '10.2.0.0/24'].map((only) => ({ only, except: [] }));
    const { forward, backward } = steering.classifiers;
    assert.deepEqual(forward.pairs, [{ family: 4, sources: inner, destinations: outer }]);
    assert.deepEqual(backward, {
      segment: idOf(wan.serial),
      pairs: [{ family: 4, sources: outer, destinations: inner }],
      condition: 'tcp sport 80',
    });
  });

  test('passes bumps in the wire as they are', () => {
    const steering = plan(applied([hop('t', 'transparent', 1), hop('b', 'routed', 2)]));
    assert.equal(way(steering, 'forward'), 'lan 201~ 202 wan');
    assert.equal(way(steering, 'backward'), 'wan 302 301~ lan');
    assert.equal(steering.ports.find(({ port }) => port === idOf(301))?.asks, undefined);
  });

  test('without a router bends back to where packets came from', () => {
    const steering = plan(applied([hop('t', 'transparent', 1), hop('u', 'transparent', 2)]));
    assert.equal(way(steering, 'forward'), 'lan 201~ 202~ lan');
    assert.equal(way(steering, 'backward'), 'lan 302~ 301~ lan');
  });

  test('gives mirrors copies, both ways, and goes on', () => {
    const steering = plan(applied([hop('m', 'mirror', 1), hop('b', 'routed', 2), hop('n', 'mirror', 3)]));
    assert.equal(way(steering, 'forward'), 'lan copy:201 202 copy:203 wan');
    assert.equal(way(steering, 'backward'), 'wan copy:203 302 copy:201 lan');
    assert.equal(way(plan(applied([hop('m', 'mirror', 1)])), 'forward'), 'lan copy:201 plain');
  });

  test('stops at a dead hop, or goes around it, as its policy says', () => {
    const hops = [hop('a', 'routed', 1), hop('b', 'routed', 2), hop('c', 'routed', 3)];
    assert.equal(way(plan(applied(hops), [102]), 'forward'), 'lan 201 nowhere');
    assert.equal(way(plan(applied(hops), [101]), 'forward'), 'lan nowhere');
    assert.equal(way(plan(applied(hops, { failure: 'open' }), [102]), 'forward'), 'lan 201 203 wan');
    assert.equal(way(plan(applied(hops, { failure: 'open' }), [102]), 'backward'), 'wan 303 301 lan');
    assert.equal(way(plan(applied(hops, { failure: 'open' }), [101, 102, 103]), 'forward'), 'lan plain');
    // A dead mirror stops nobody.
    assert.equal(way(plan(applied([hop('m', 'mirror', 1), hop('b', 'routed', 2)]), [101]), 'forward'), 'lan 202 wan');
  });

  test('sends nothing through a guest that runs and is not ready, and takes what comes out of it', () => {
    const isReady: NonNullable<SteeringWorld['isReady']> = (_, vnf) => vnf !== 102;
    for (const [failure, expected] of [
      ['closed', 'lan 201 nowhere'],
      ['open', 'lan 201 wan'],
    ] as const) {
      const record = applied([hop('a', 'routed', 1), hop('b', 'routed', 2)], { failure });
      const [steering] = planSteering([record], { ...world(), isReady }).chains;
      assert.ok(steering);
      assert.equal(way(steering, 'forward'), expected);
      assert.ok(steering.ports.some(({ port }) => port === idOf(302)));
    }
  });

  test('spreads flows over the instances that live', () => {
    const hops = [hop('a', 'routed', 1, 2, 3)];
    assert.equal(way(plan(applied(hops)), 'forward'), 'lan 201|202|203 wan');
    assert.equal(way(plan(applied(hops), [102]), 'backward'), 'wan 301|303 lan');
  });

  test('is empty for a network that is gone, and ordered by priority', () => {
    assert.deepEqual(planSteering([applied([hop('a', 'routed', 1)], { egress: 1 })], world()).chains, []);
    const first = applied([hop('a', 'routed', 1)], { priority: 7 });
    const chains = [first, { ...applied([hop('b', 'routed', 2)], { priority: 3 }), serial: first.serial + 1 }];
    assert.deepEqual(
      planSteering(chains, world()).chains.map(({ priority }) => priority),
      [3, 7],
    );
  });
});

describe('what is at an end', () => {
  test('is its subnet, and with a gateway of its own all that is on no other network', () => {
    assert.deepEqual(reachOf({ network: lan, family: 4, other: wan }, world()), { only: '10.1.0.0/24', except: [] });
    const wide = { ...wan, settings: { ...wan.settings, gateway: '10.2.0.254' } };
    const beyond = reachOf({ network: wide, family: 4, other: lan }, world());
    assert.deepEqual(beyond, { only: undefined, except: ['10.1.0.0/24', '10.3.0.0/24'] });
  });

  test('is of IPv6 nothing that is for hosts of one link or for groups', () => {
    const wide = { ...wan6, settings: { ...wan6.settings, gateway: 'fd00:2::fe' } };
    const beyond = reachOf({ network: wide, family: 6, other: lan6 }, world6);
    assert.deepEqual(beyond, { only: undefined, except: ['fd00:1::/64', 'fe80::/10', 'ff00::/8'] });
  });

  test('is not beyond a gateway that leads to the other end', () => {
    const wide = { ...wan, settings: { ...wan.settings, gateway: '10.2.0.1' } };
    const outer = placedPort(41, { network: 'wan', address: '10.2.0.1/24' }, 'router');
    assert.equal(
      upstreamOf({ network: wide, family: 4, other: lan }, () => [outer]),
      '10.2.0.1',
    );
    const inner = placedPort(42, { network: 'lan', address: '10.1.0.1/24' }, 'router').port;
    const between = { ...outer, vnf: { ...outer.vnf, ports: [outer.port, inner] } };
    assert.equal(
      upstreamOf({ network: wide, family: 4, other: lan }, () => [between]),
      undefined,
    );
    const deployed = { ...outer, vnf: { ...outer.vnf, deployed: true } };
    assert.equal(
      upstreamOf({ network: wide, family: 4, other: lan }, () => [between, deployed]),
      '10.2.0.1',
      'whatever a copy that is not deployed joins',
    );
  });
});

describe('two service chains', () => {
  const first = applied([hop('a', 'routed', 1)]);
  const other = (more: Partial<AppliedChain>): ChainRecord => ({ ...applied([hop('b', 'routed', 2)], more), serial: 5000, name: 'other' });
  const check = (second: ChainRecord): void =>
    checkConflicts({ serial: first.serial, applied: first.applied as AppliedChain }, [first, second], world());

  test('of one priority that can match the same packets are refused, in either direction', () => {
    assert.throws(() => check(other({})), { code: 'BusyError', errnoName: 'EEXIST', message: /chns\/other has priority 100 too/ });
    assert.throws(() => check(other({ ingress: wan.serial, egress: lan.serial })), { code: 'BusyError' });
  });
  test('are told apart by priority, by networks and by what they match', () => {
    assert.doesNotThrow(() => check(other({ priority: 99 })));
    assert.doesNotThrow(() => check(other({ egress: dmz.serial })));
  });
  test('of IPv6 as well', () => {
    const ends = { ingress: lan6.serial, egress: wan6.serial };
    const one = applied([hop('a', 'routed', 1)], ends);
    const against = (second: ChainRecord, around = world6): void =>
      checkConflicts({ serial: one.serial, applied: one.applied as AppliedChain }, [one, second], around);
    assert.throws(() => against(other(ends)), { code: 'BusyError' });
    assert.throws(() => against(other({ ingress: ends.egress, egress: ends.ingress })), { code: 'BusyError' });
    const match = { text: '', forward: '', backward: '', conditions: subnetConditions('ip6 daddr', 'fd00:3::/64') };
    assert.doesNotThrow(() => against(other({ ...ends, match })));
    const dmz6 = network('dmz', { subnet: 'fd00:3::/64' });
    assert.doesNotThrow(() => against(other({ ...ends, egress: dmz6.serial }), { ...world6, networks: () => [lan6, wan6, dmz6] }));
  });
});

describe('a plan made again', () => {
  test('keeps what has not changed, and takes in what has', () => {
    const planner = new SteeringPlanner();
    const other = { ...applied([hop('b', 'routed', 2)]), serial: 5000 };
    const first = planner.plan([applied([hop('a', 'routed', 1)]), other], world());
    const again = planner.plan([applied([hop('a', 'routed', 1)]), other], world([102]), new Set([other.serial]));
    assert.equal(again.chains[0], first.chains[0], 'the very same');
    assert.deepEqual(again.chains[1]?.entries.forward.target, { kind: 'nowhere' });
    assert.deepEqual(planner.plan([other], world(), new Set()).chains, [again.chains[1]], 'one that is gone is left out');
    assert.notDeepEqual(planner.plan([other], world()).chains, [again.chains[1]], 'all is planned anew where anything may have changed');
  });
});

describe('rules of the fabric', () => {
  const six = programOf(planSteering([applied([hop('a', 'routed', 1), hop('b', 'routed', 2)], { ingress: lan6.serial })], world6));
  const one = programOf(planSteering([applied([hop('a', 'routed', 1), hop('b', 'routed', 2)])], world()));

  test('pass frames from port to port, and to the segment at the end', () => {
    const [a, b, next] = [idOf(301), idOf(302), idOf(202)];
    assert.ok(![...one.chains.values()].some(({ rules }) => rules.some((rule) => rule.includes('ip6'))));
    const passing = one.chains.get(atName(`p${a}`))?.rules[0] ?? '';
    assert.match(
      passing,
      new RegExp(`^meta protocol ip counter name from_${a} counter name into_${next} @ll,0,48 set 0x[0-9a-f]{12} fwd to "p${next}"$`),
    );
    const last = `meta protocol ip counter name from_${b} counter name out_forward_${idOf(2001)} goto onto_${idOf(wan.serial)}`;
    assert.equal(one.chains.get(atName(`p${b}`))?.rules[0], last);
    assert.equal(one.chains.get(`onto_${idOf(wan.serial)}`)?.rules.at(-1), `fwd to "br${idOf(wan.serial)}"`);
    assert.equal(one.chains.get(atName(`p${a}`))?.policy, 'drop');
  });

  test('take frames straight to a port of the segment, unless several have its hardware address', () => {
    const port = (id: string, mac: string): SteeredSegment['ports'][number] => ({ id, mac, addresses: [] });
    const ports = [port('00000a', '02:00:00:00:00:0a'), port('00000b', '02:00:00:00:00:0b'), port('00000c', '02:00:00:00:00:0b')];
    const { chains } = programOf({ chains: [], segments: [{ id: '000001', ports, uplink: '' }] });
    assert.deepEqual(chains.get('onto_000001')?.rules, ['fwd to ether daddr map { 02:00:00:00:00:0a : "p00000a" }', 'fwd to "br000001"']);
  });

  test('know the link-local address of a port by its hardware address', () =>
    assert.equal(linkLocalAddress('02:37:d4:da:b6:95'), 'fe80::37:d4ff:feda:b695'));

  test('pass IPv6 frames on, and of neighbour discovery only what a hop asks in its own name', () => {
    const { rules = [] } = six.chains.get(atName(`p${idOf(301)}`)) ?? {};
    assert.equal(rules[0], `icmpv6 type 133-137 goto ask_${idOf(301)}`);
    assert.match(rules[1] ?? '', new RegExp(`^ip6 daddr < fe80:: counter name from_${idOf(301)} counter name into_${idOf(202)} `));
    assert.equal(rules.length, 2);
    const asked = six.chains.get(`ask_${idOf(301)}`)?.rules ?? [];
    const mac = derivedMac('abcdefgh', 301);
    assert.deepEqual(
      asked.map((rule) => / ip6 saddr (\S+) /.exec(rule)?.[1]),
      [linkLocalAddress(mac), signingAddress('abcdefgh', 301)],
    );
    for (const rule of asked)
      assert.match(
        rule,
        new RegExp(`^ip6 length 32 .* nd-neighbor-solicit @th,192,64 0x0101${mac.replaceAll(':', '')} fwd to "br${idOf(wan6.serial)}"$`),
      );
    const segment = six.chains.get(`segment_${idOf(wan6.serial)}`)?.rules ?? [];
    assert.equal(
      segment[0],
      `ip6 saddr fd00:2::/64 ip6 daddr fd00:1::/64 tcp sport 80 counter name in_backward_${idOf(2001)} counter name into_${idOf(302)} @ll,0,48 set 0x${derivedMac('abcdefgh', 302).replaceAll(':', '')} fwd to "p${idOf(302)}"`,
    );
    assert.match(segment[1] ?? '', /^icmpv6 type nd-neighbor-advert fwd to ether daddr map \{ /);
    assert.equal(segment.length, 2);
  });

  test('change in one transaction that touches only what differs', () => {
    assert.equal(transition(one, one), '');
    const without = programOf(planSteering([applied([hop('b', 'routed', 2)])], world()));
    const script = transition(one, without);
    assert.match(script, /^add table netdev nfio_chains\n/);
    assert.match(script, new RegExp(`flush chain netdev nfio_chains segment_${idOf(lan.serial)}\n`));
    assert.match(script, new RegExp(`delete chain netdev nfio_chains ${atName(`p${idOf(301)}`)}\n`));
    assert.match(script, new RegExp(`delete counter netdev nfio_chains from_${idOf(301)}\n`));
    assert.doesNotMatch(script, new RegExp(`(flush|delete) chain netdev nfio_chains ${atName(`p${idOf(302)}`)}\n`));
  });

  test('of service chains far apart are loaded apart, in the order of their priorities', () => {
    const web = applied([hop('a', 'routed', 1)]);
    const later = { ...applied([hop('b', 'routed', 2)], { priority: 50 }), name: 'later', serial: web.serial + 10_000 };
    const both = programOf(planSteering([web, later], world()));
    const [first = '', second = '', ...others] = both.chains.get(`segment_${idOf(lan.serial)}`)?.rules ?? [];
    assert.match(first, new RegExp(`^jump segment_${idOf(lan.serial)}_50_`));
    assert.match(second, new RegExp(`^jump segment_${idOf(lan.serial)}_100_`));
    assert.deepEqual(others, []);
    const mended = programOf(
      planSteering([web, { ...later, applied: { ...later.applied, failure: 'open' } as AppliedChain }], world([102])),
    );
    const script = transition(both, mended);
    assert.ok(script.includes(`flush chain netdev nfio_chains ${first.slice('jump '.length)}\n`));
    assert.ok(!script.includes(second.slice('jump '.length)), script);
  });

  test('name interfaces of users without a way out of the name', () => {
    assert.match(atName('eth0.7-x'), /^at_[a-z0-9_]+$/);
    assert.notEqual(atName('a.b'), atName('a-b'));
  });
});

describe('what makes a guest a hop', () => {
  const port = (name: string, number: number, subnet: string, upstream?: string): HopPort => {
    const address = `169.254.1.${number}`;
    const six = { address: `fd99::${number}`, linkLocal: `fe80::${number}`, subnet, upstream };
    const ways = parseCidr(subnet).family === 6 ? { 6: six } : { 4: { address, subnet, upstream } };
    return { interface: { name, index: number }, number, ways };
  };
  const bridge = { name: 'b1', index: 3 };
  const ports = {
    ingress: port('web.in', 1, '10.1.0.0/24'),
    egress: port('web.out', 2, '10.2.0.0/24', '10.2.0.254'),
    bridge,
    intercepts: false,
  };

  test('routes what comes in by one port out of the other, and lets nothing out by its own routes', () => {
    const { changes, settings } = hopSetup({ mode: 'routed', ...ports });
    const commands = changes.flatMap(networkCommands);
    assert.ok(commands.includes('route replace 10.2.0.0/24 dev web.out table 1073741825'));
    assert.ok(commands.includes('route replace default via 10.2.0.254 dev web.out table 1073741825 onlink'));
    assert.ok(commands.includes('rule add pref 1000 iif web.in lookup 1073741825'));
    assert.equal(commands.filter((command) => command.startsWith('route replace unreachable')).length, 2);
    assert.ok(settings.some(([path, value]) => path === 'net/ipv4/conf/web.in/forwarding' && value === '1'));
  });
  test('gives one that intercepts a mark with each packet, and what it sends the way of the mark', () => {
    const { changes, tables = {} } = hopSetup({ mode: 'routed', ...ports, intercepts: true });
    const commands = changes.flatMap(networkCommands);
    assert.deepEqual(Object.keys(tables), ['nfio_web.in']);
    assert.match(tables['nfio_web.in'] ?? '', /iifname "web.in" meta mark set 1073741825\niifname "web.out" meta mark set 1073741826\n/);
    // What goes on, as from the client; what is answered, as from the server; and the same the other way round.
    for (const [mark, table] of [
      [0x40000001, 0x40000001],
      [0xc0000001, 0x40000002],
      [0x40000002, 0x40000002],
      [0xc0000002, 0x40000001],
    ])
      assert.ok(commands.includes(`rule add pref 800 iif lo fwmark ${mark} lookup ${table}`));
    assert.deepEqual(
      commands.filter((command) => command.includes('pref 33001')),
      ['rule add pref 33001 iif lo lookup 1073741825'],
    );
    assert.equal(hopSetup({ mode: 'routed', ...ports }).tables, undefined);
  });
  test('can be taken back', () => {
    const undone = undo(hopSetup({ mode: 'routed', ...ports }).changes).flatMap(networkCommands);
    assert.ok(undone.includes('rule del pref 1000 iif web.in lookup 1073741825'));
    assert.ok(undone.includes('route del default via 10.2.0.254 dev web.out table 1073741825'));
    assert.deepEqual(undo(hopSetup({ mode: 'transparent', ...ports }).changes).flatMap(networkCommands), ['link del dev b1']);
    assert.deepEqual(undo(hopSetup({ mode: 'mirror', ...ports }).changes).flatMap(networkCommands), ['link set dev web.in promisc off']);
  });

  const six = {
    ingress: port('web.in', 1, 'fd00:1::/64'),
    egress: port('web.out', 2, 'fd00:2::/64', 'fd00:2::fe'),
    bridge,
    intercepts: false,
  };
  test('has nothing to do with IPv6 where the networks have none', () => {
    const { settings, changes } = hopSetup({ mode: 'routed', ...ports });
    assert.ok(changes.flatMap(networkCommands).every((command) => !/ipv6|-6/.test(command)));
    assert.ok(settings.every(([path]) => path.startsWith('net/ipv4/')));
  });
  test('gives its ports IPv6 of their own before it routes by them, and nothing of IPv4 where the networks have none', () => {
    const { changes, settings } = hopSetup({ mode: 'routed', ...six });
    const commands = changes.flatMap(networkCommands);
    assert.deepEqual(settings, []);
    const conf = 'sysctl net/ipv6/conf';
    assert.deepEqual(commands.slice(0, 7), [
      `${conf}/web.in/disable_ipv6 1`,
      `${conf}/web.in/addr_gen_mode 1`,
      `${conf}/web.in/accept_ra 0`,
      `${conf}/web.in/force_forwarding 1 net/ipv6/conf/all/forwarding`,
      `${conf}/web.in/disable_ipv6 0`,
      '-6 addr replace fe80::1/64 dev web.in nodad',
      '-6 addr replace fd99::1/128 dev web.in nodad',
    ]);
    assert.ok(commands.includes('-6 route replace default via fd00:2::fe dev web.out table 1073741825 onlink'));
    assert.ok(commands.includes('-6 rule add pref 1001 from fd99::2 lookup 1073741825'));
    assert.ok(commands.every((command) => /^(-6|sysctl) /.test(command)));
    assert.equal(undo(changes).flatMap(networkCommands)[0], '-6 addr del fe80::1/64 dev web.in');
  });
});
