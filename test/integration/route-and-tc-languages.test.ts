import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { routes } from '../../src/middleboxes/languages/routes/language.ts';
import { trafficControl } from '../../src/middleboxes/languages/tc/language.ts';
import { joinGuests, NamespaceGuest, whyNoNamespaces } from '../support/network-guest.ts';

const guestPath = '/etc/nfio/nf_conf';
const skip = whyNoNamespaces() ?? false;

/** A guest with the ports lan and wan, and one behind each. */
function router(): { readonly guest: NamespaceGuest; readonly peers: readonly [NamespaceGuest, NamespaceGuest] } & Disposable {
  const guest = new NamespaceGuest(['lan', 'wan']);
  const peers = [new NamespaceGuest(['eth0']), new NamespaceGuest(['eth0'])] as const;
  joinGuests([
    { guest, port: 'lan', addresses: ['10.1.0.1/24', 'fd01::1/64'] },
    { guest: peers[0], port: 'eth0', addresses: ['10.1.0.2/24', 'fd01::2/64'] },
  ]);
  joinGuests([
    { guest, port: 'wan', addresses: ['10.2.0.1/24', 'fd02::1/64'] },
    { guest: peers[1], port: 'eth0', addresses: ['10.2.0.2/24', 'fd02::2/64'] },
  ]);
  const parts = [guest, ...peers];
  return { guest, peers, [Symbol.dispose]: () => parts.forEach((part) => void part[Symbol.dispose]()) };
}

function routesOf(guest: NamespaceGuest): string[] {
  const listing = guest.sync(['sh', '-c', 'ip -4 route show table all proto 110; ip -6 route show table all proto 110']);
  return listing
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .sort();
}

describe('routes', { skip, timeout: 60_000 }, () => {
  const language = routes();
  const first = '10.3.0.0/24 via 10.2.0.2\n2001:db8::/32 via fd02::2\nblackhole 192.0.2.0/24 table 100\nunreachable 2001:db9::/32\n';
  const present = [
    '10.3.0.0/24 via 10.2.0.2 dev wan',
    '2001:db8::/32 via fd02::2 dev wan metric 1024 pref medium',
    'blackhole 192.0.2.0/24 table 100',
    'unreachable 2001:db9::/32 dev lo metric 1024 pref medium',
  ];

  it('are there after they were applied, and those of before are not', async () => {
    using parts = router();
    const { guest } = parts;
    await language.apply({ text: first, guestPath }, guest);
    assert.deepEqual(routesOf(guest), present);
    await language.apply({ text: first, guestPath }, guest);
    assert.deepEqual(routesOf(guest), present, 'again: no change');
    await language.apply({ text: '10.3.0.0/24 via 10.1.0.2\n', guestPath }, guest);
    assert.deepEqual(routesOf(guest), ['10.3.0.0/24 via 10.1.0.2 dev lan']);
    await language.apply({ text: '# none\n', guestPath }, guest);
    assert.deepEqual(routesOf(guest), []);
  });

  it('are all as before when one of them is refused', async () => {
    using parts = router();
    const { guest } = parts;
    await language.apply({ text: first, guestPath }, guest);
    const text = '10.3.0.0/24 via 10.1.0.2\n10.4.0.0/24 via 10.1.0.2\n# unreachable next hop\n10.5.0.0/24 via 10.99.0.1\n';
    await assert.rejects(language.apply({ text, guestPath }, guest), {
      code: 'ConfigurationError',
      message: 'nf_conf line 4: Nexthop has invalid gateway.',
    });
    assert.deepEqual(routesOf(guest), present);
  });

  it('carry packets', async () => {
    using parts = router();
    const { guest, peers } = parts;
    guest.sync(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    peers[0].sync(['ip', 'route', 'add', 'default', 'via', '10.1.0.1']);
    peers[1].sync(['ip', 'route', 'add', 'default', 'via', '10.2.0.1']);
    peers[1].sync(['ip', 'address', 'add', '10.3.0.1/32', 'dev', 'lo']);
    const ping = ['ping', '-c1', '-W1', '10.3.0.1'];
    assert.notEqual((await peers[0].executeInNetwork({ argv: ping })).exitCode, 0);
    await language.apply({ text: '10.3.0.0/24 via 10.2.0.2', guestPath }, guest);
    assert.equal((await peers[0].executeInNetwork({ argv: ping })).exitCode, 0);
  });
});

describe('traffic control', { skip, timeout: 60_000 }, () => {
  const language = trafficControl();
  const shaped =
    'qdisc add dev wan root handle 1: htb default 10\nclass add dev wan parent 1: classid 1:10 htb rate 80kbit burst 2k\nqdisc add dev wan parent 1:10 pfifo limit 3\n';

  function kinds(guest: NamespaceGuest): string[] {
    const queues = JSON.parse(guest.sync(['tc', '-j', 'qdisc', 'show'])) as readonly { readonly kind: string; readonly dev: string }[];
    return queues.filter(({ kind }) => kind !== 'noqueue').map(({ kind, dev }) => `${dev} ${kind}`);
  }

  it('is applied, replaced and taken away', async () => {
    using parts = router();
    const { guest } = parts;
    await language.check({ text: shaped, guestPath }, guest);
    await language.apply({ text: shaped, guestPath }, guest);
    assert.deepEqual(kinds(guest), ['wan htb', 'wan pfifo']);
    await language.apply({ text: 'qdisc add dev lan root tbf rate 1mbit burst 4k latency 50ms', guestPath }, guest);
    assert.deepEqual(kinds(guest), ['lan tbf']);
    await language.apply({ text: '', guestPath }, guest);
    assert.deepEqual(kinds(guest), []);
  });

  it('counts what its queues drop, once', async () => {
    using parts = router();
    const { guest } = parts;
    // Not from the guest itself: a sender is told when its own queue is full, and tries again.
    guest.sync(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    parts.peers[0].sync(['ip', 'route', 'add', 'default', 'via', '10.1.0.1']);
    parts.peers[1].sync(['ip', 'route', 'add', 'default', 'via', '10.2.0.1']);
    parts.peers[0].sync(['ping', '-c1', '-W2', '10.2.0.2']);
    // Only echo requests meet the short queue: neighbours' and multicast messages, which nobody counts here, go another way.
    const slowEcho = `${shaped.replace('default 10', 'default 20')}class add dev wan parent 1: classid 1:20 htb rate 100mbit
filter add dev wan parent 1: protocol ip prio 1 u32 match ip protocol 1 0xff flowid 1:10\n`;
    await language.apply({ text: slowEcho, guestPath }, guest);
    const { stdout } = await parts.peers[0].executeInNetwork({
      argv: ['ping', '-q', '-c', '20', '-i', '0.01', '-s', '1000', '-W', '2', '10.2.0.2'],
    });
    const received = Number(/(\d+) received/.exec(stdout)?.[1]);
    assert.ok(received > 0 && received < 20, stdout);
    assert.equal(await language.drops?.(guest), 20 - received);
    await language.apply({ text: 'qdisc add dev lan root tbf rate 1mbit burst 4k latency 50ms', guestPath }, guest);
    await language.apply({ text: shaped, guestPath }, guest);
    assert.equal(await language.drops?.(guest), 20 - received, 'other queues do not forget');
  });

  it('leaves the queue of a port that has one of its own, and is refused where it wants one at the same place', async () => {
    using parts = router();
    const guest = Object.assign(parts.guest, { shaped: ['wan'] });
    guest.sync(['tc', 'qdisc', 'add', 'dev', 'wan', 'root', 'handle', '2:', 'tbf', 'rate', '1mbit', 'burst', '4k', 'latency', '50ms']);
    const lan = 'qdisc add dev lan root tbf rate 1mbit burst 4k latency 50ms\n';
    const police = 'qdisc add dev wan ingress\n';
    await language.apply({ text: lan + police, guestPath }, guest);
    await language.apply({ text: lan + police, guestPath }, guest);
    assert.deepEqual(
      kinds(guest),
      ['wan tbf', 'wan ingress', 'lan tbf'].sort((a, b) => kinds(guest).indexOf(a) - kinds(guest).indexOf(b)),
    );
    await assert.rejects(language.apply({ text: lan + shaped, guestPath }, guest), {
      code: 'ConfigurationError',
      message: /^nf_conf line 2: ports\/wan has a rate, a delay or losses of its own/,
    });
    assert.equal(kinds(guest).length, 3);
  });

  it('is refused as a whole, with the line, and what was there stays', async () => {
    using parts = router();
    const { guest } = parts;
    await language.apply({ text: shaped, guestPath }, guest);
    const wrong =
      '# comment\nqdisc add dev lan root tbf rate 1mbit burst 4k latency 50ms\nclass add dev lan parent 7: classid 7:1 htb rate 1mbit\n';
    const refused = { code: 'ConfigurationError', message: /^nf_conf line 3: / };
    await assert.rejects(language.check({ text: wrong, guestPath }, undefined), refused);
    await assert.rejects(language.apply({ text: wrong, guestPath }, guest), refused);
    assert.deepEqual(kinds(guest), ['wan htb', 'wan pfifo']);
    await assert.rejects(language.check({ text: shaped.replaceAll('wan', 'dmz'), guestPath }, guest), {
      message: 'nf_conf line 1: the VNF has no port dmz',
    });
  });
});
