import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Hostile hops and hosts: what they send besides packets on their way, and to whom. */

/** Sends frames, in hexadecimal, by an interface. */
const sendFrames = `my ($device, @frames) = @ARGV;
socket(my $socket, 17, 3, 0) or die;
open my $file, "<", "/sys/class/net/$device/ifindex" or die;
my $to = pack "S n i S C C a8", 17, 3, <$file>, 1, 0, 6, "";
send $socket, pack("H*", $_), 0, $to or die for @frames;`;

/** The flow label of all that is sent here, five digits: it is counted where it arrives. */
const mark = '06bad';

/** An Ethernet frame with an IPv6 packet. */
function frame(parts: {
  readonly from: string;
  readonly to: string;
  readonly next?: number;
  readonly body: string;
  readonly mac?: string;
}): string {
  const { from, to, next = 58, body, mac = '333300000001' } = parts;
  const length = (body.length / 2).toString(16).padStart(4, '0');
  return `${mac}02aaaaaaaaaa86dd600${mark}${length}${next.toString(16).padStart(2, '0')}ff${bytes(from)}${bytes(to)}${body}`;
}

/** An address of IPv6 as 32 digits. */
function bytes(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':').map((group) => group.padStart(4, '0')));
  const [left, right] = [groups(head), groups(tail)];
  return [...left, ...Array<string>(8 - left.length - right.length).fill('0000'), ...right].join('');
}

describe('neighbour discovery of hops', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;
  let own: { readonly mac: string; readonly linkLocal: string; readonly global: string };

  before(async () => {
    lab = await ChainLab.start(['a'], { families: [6] });
    await lab.chain('web', ['a'], { match: 'tcp dport 80' });
    await lab.act('web', 'activate');
    const shown = await lab.in('a', 'ip addr show dev web.in', 'firewall');
    const found = (pattern: RegExp): string => pattern.exec(shown)?.[1] ?? '';
    own = { mac: found(/ether (\S+)/).replaceAll(':', ''), linkLocal: found(/inet6 (fe80\S+)\/64/), global: found(/inet6 (fd\S+)\/128/) };
    await lab.in(
      'client',
      `nft -f - <<'EOR'\ntable netdev see {\n counter seen { }\n chain in { type filter hook ingress device "eth0" priority 0; ip6 flowlabel 0x${mark} counter name seen\n }\n}\nEOR`,
    );
  });
  after(() => lab[Symbol.asyncDispose]());

  /** How many of the frames that the hop sends towards the client get there. */
  async function arrived(...frames: readonly string[]): Promise<number> {
    await lab.in('client', 'nft reset counter netdev see seen');
    await lab.in('a', `perl -e '${sendFrames}' web.in ${frames.join(' ')}`, 'firewall');
    return Number(/packets (\d+)/.exec(await lab.in('client', 'nft list counter netdev see seen'))?.[1] ?? 'NaN');
  }

  const [client, router, groups] = ['fd00:1::10', 'fd00:1::1', ['ff02::1', 'ff02::1:ff00:10']] as const;
  const target = bytes(client);
  const solicitation = (mac: string, more = ''): string => `8700000000000000${target}0101${mac}${more}`;
  const advertisement = (of: string): string => `88000000e0000000${bytes(of)}020102aaaaaaaaaa`;
  const unicast = (): string => '020000000001';

  test('is let through where it asks in its own name', async () => {
    const asks = [own.linkLocal, own.global].flatMap((from) =>
      [client, ...groups].map((to) => frame({ from, to, body: solicitation(own.mac) })),
    );
    assert.equal(await arrived(...asks), asks.length);
  });

  test('is stopped where it asks in the name of another, or with another hardware address', async () => {
    const other = '02bbbbbbbbbb';
    for (const to of [client, ...groups]) {
      assert.equal(await arrived(frame({ from: router, to, body: solicitation(own.mac) })), 0);
      assert.equal(await arrived(frame({ from: '::', to, body: solicitation(own.mac) })), 0);
      assert.equal(await arrived(frame({ from: own.linkLocal, to, body: solicitation(other) })), 0);
      assert.equal(await arrived(frame({ from: own.linkLocal, to, body: solicitation(own.mac, `0101${other}`) })), 0);
    }
  });

  test('is stopped where it answers, for itself or for others, or plays the router, however it is wrapped', async () => {
    const said = [
      advertisement(router),
      advertisement(own.linkLocal),
      `8600000040000708${'0'.repeat(16)}0101${own.mac}`,
      `8900000000000000${bytes(router)}${bytes('fd00:2::10')}`,
    ];
    const options = `3a00010400000000`; // a header of options that say nothing
    for (const from of [router, own.linkLocal, own.global]) {
      const frames = said.flatMap((body) =>
        [client, ...groups].flatMap((to) => [
          frame({ from, to, body }),
          frame({ from, to, next: 0, body: `${options}${body}` }),
          frame({ from, to, next: 60, body: `${options}${body}` }),
        ]),
      );
      assert.equal(await arrived(...frames), 0, `from ${from}`);
    }
  });

  test('and nothing else for groups or hosts of the link comes through, while packets on their way do', async () => {
    const pong = '8100000000010001';
    assert.equal(await arrived(frame({ from: 'fd00:2::10', to: client, body: pong, mac: unicast() })), 1);
    const others = ['ff02::1', 'ff05::2', 'fe80::1'].map((to) => frame({ from: own.linkLocal, to, body: pong }));
    assert.equal(await arrived(...others), 0);
  });
});

for (const family of [4, 6] as const) {
  test(`a host sends hops nothing but answers: IPv${family}`, { skip: whyNoGuests() ?? false, timeout: 60_000 }, async () => {
    await using lab = await ChainLab.start(['a'], { families: [family] });
    await lab.serve(80);
    await lab.chain('web', ['a'], { match: 'tcp dport 80' });
    await lab.act('web', 'activate');
    assert.equal(await lab.connect(80), 'port 80\n');
    const mac = (await lab.in('a', 'cat /sys/class/net/web.in/address', 'firewall')).trim();
    const [net, address] = family === 4 ? ['10.2.0.0/24', '10.1.0.99'] : ['fd00:2::/64', 'fd00:1::99'];
    await lab.in('client', `ip neigh replace ${address} lladdr ${mac} dev eth0; ip route replace ${net} via ${address}`);
    const into = 'cat /sys/class/net/web.in/statistics/rx_packets';
    const before = await lab.in('a', into, 'firewall');
    assert.equal(await lab.ping(3, '-i 0.02 -W 0.2'), 0);
    assert.equal(await lab.in('a', into, 'firewall'), before);
    // What the service chain takes goes the chain's way, whoever it is addressed to.
    assert.equal(await lab.connect(80), 'port 80\n');
  });
}
