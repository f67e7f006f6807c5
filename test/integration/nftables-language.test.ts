import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { nftables } from '../../src/middleboxes/languages/nftables/language.ts';
import { joinGuests, NamespaceGuest, whyNoNamespaces } from '../support/network-guest.ts';

const guestPath = '/etc/nfio/nf_conf';
const language = nftables();

/** A chain at the guest's input, with these lines. Of IPv4: neighbour discovery of IPv6 comes when it likes, and would be counted too. */
function input(lines: string, policy = 'accept', family = 'ip'): string {
  return `table ${family} t {\n chain other {\n  ip saddr 10.1.0.2 return\n }\n chain input {\n  type filter hook input priority 0; policy ${policy};\n${lines}\n }\n}\n`;
}

describe('nftables counts what it drops', { skip: whyNoNamespaces() ?? false, timeout: 360_000 }, () => {
  let guest: NamespaceGuest;
  let peer: NamespaceGuest;

  before(() => {
    guest = new NamespaceGuest(['lan', 'wan']);
    peer = new NamespaceGuest(['eth0']);
    joinGuests([
      { guest, port: 'lan', addresses: ['10.1.0.1/24', 'fd01::1/64'] },
      { guest: peer, port: 'eth0', addresses: ['10.1.0.2/24', 'fd01::2/64'] },
    ]);
    guest.sync(['ip', 'link', 'add', 'name', 'wan', 'type', 'veth', 'peer', 'name', 'wan-peer']);
    peer.sync(['ping', '-c1', '-W2', '10.1.0.1']);
  });
  after(() => {
    guest[Symbol.dispose]();
    peer[Symbol.dispose]();
  });

  /** Sends so many echo requests that get no answer, unless `answered`. */
  async function ping(count: number, options: { readonly answered?: boolean; readonly address?: string } = {}): Promise<void> {
    const address = options.address ?? '10.1.0.1';
    const { exitCode, stdout } = await peer.executeInNetwork({
      argv: ['ping', '-q', '-i', '0.01', '-W', '0.2', '-c', String(count), address],
    });
    assert.equal(exitCode, options.answered === true ? 0 : 1, stdout);
  }

  async function dropsDuring(text: string, send: () => Promise<void>): Promise<number> {
    await language.check({ text, guestPath }, guest);
    await language.apply({ text, guestPath }, guest);
    const before = await language.drops(guest);
    await send();
    return (await language.drops(guest)) - before;
  }

  const stopping: Readonly<Record<string, string>> = {
    'a drop rule': input('icmp type echo-request drop'),
    'a drop rule with a counter of its own': input('icmp type echo-request counter drop comment "drop, not accept"'),
    'a reject rule': input('ip protocol icmp reject with icmp type admin-prohibited'),
    'a drop policy': input('ct state established accept', 'drop'),
    'return from a chain whose policy is drop': input('icmp type echo-request return', 'drop'),
    'return in a verdict map where the policy is drop': input('icmp type vmap { echo-request : return }', 'drop'),
    'a chain jumped to, back to a drop policy': input('jump other', 'drop'),
    'a chain gone to, back to a drop policy': input('goto other\naccept', 'drop'),
    'a verdict map in a rule': input('icmp type vmap { echo-request : drop, echo-reply : accept }'),
    'a named verdict map': `table ip t {\n map v {\n type icmp_type : verdict\n elements = { echo-request : drop }\n }\n chain i { type filter hook input priority 0; icmp type vmap @v; }\n}`,
    'a set': `table ip t {\n set bad { type ipv4_addr; flags interval; elements = { 10.1.0.0/28, 10.9.0.0/16 } }\n chain i { type filter hook input priority 0; ip saddr @bad drop; }\n}`,
    'a variable and a list': `define bad = { 10.1.0.2, 10.1.0.3 }\n${input('ip saddr $bad log prefix "drop " drop')}`,
    'a chain at ingress': `table netdev t {\n chain i {\n type filter hook ingress device "lan" priority 0; policy accept;\n icmp type echo-request drop\n }\n}`,
    'an interface by index': input('iif lan icmp type echo-request drop'),
    'two chains of two tables': `table ip a { chain i { type filter hook input priority 0; icmp type echo-request meta mark set 1; }; }\ntable ip b { chain i { type filter hook input priority 1; mark 1 drop; }; }`,
    'connection tracking': input('ct state new icmp type echo-request drop'),
    'a conventional file': `#!/usr/sbin/nft -f\nflush ruleset\n${input('icmp type echo-request drop')}# the end`,
  };
  for (const [name, text] of Object.entries(stopping)) {
    it(`by ${name}`, async () => assert.equal(await dropsDuring(text, () => ping(5)), 5));
  }

  it('and only that', async () => {
    const text = input('icmp type vmap { echo-request : jump other, destination-unreachable : drop }\nudp dport 9 drop');
    assert.equal(await dropsDuring(text, () => ping(5, { answered: true })), 0);
  });

  it('of IPv6 as well', async () => {
    const text = input('icmpv6 type echo-request drop', 'accept', 'inet');
    assert.equal(await dropsDuring(text, () => ping(4, { address: 'fd01::1' })), 4);
  });

  it('over a rate limit: what was answered and what was dropped are what was sent', async () => {
    const text = input('icmp type echo-request limit rate over 2/second burst 3 packets drop');
    let received = 0;
    const drops = await dropsDuring(text, async () => {
      const { stdout } = await peer.executeInNetwork({ argv: ['ping', '-q', '-i', '0.01', '-W', '0.2', '-c', '20', '10.1.0.1'] });
      received = Number(/(\d+) received/.exec(stdout)?.[1]);
    });
    assert.ok(received >= 3 && received < 20, `${received} received`);
    assert.equal(drops, 20 - received);
  });

  it('over reloads, without losing one', async () => {
    const texts = [
      input('icmp type echo-request drop'),
      input('', 'drop'),
      `table ip other { chain i { type filter hook input priority 0; ip protocol icmp drop; }; }`,
    ];
    const seen: number[] = [];
    const drops = await dropsDuring(texts[0] ?? '', async () => {
      const pinging = ping(300);
      for (let round = 0; round < 6; round += 1) {
        await language.apply({ text: texts[round % 3] ?? '', guestPath }, guest);
        seen.push(await language.drops(guest));
      }
      await pinging;
    });
    assert.equal(drops, 300);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
      'never backwards',
    );
  });

  it('and keeps what runs when new rules are refused', async () => {
    const drops = await dropsDuring(input('icmp type echo-request drop'), async () => {
      await assert.rejects(language.apply({ text: 'table ip t { chain c { tcp dport 23 dropp\n}\n}\n', guestPath }, guest), {
        errnoName: 'EINVAL',
      });
      await ping(3);
    });
    assert.equal(drops, 3);
  });

  it('with one process for the first rules, known already, and three for the next', async () => {
    const text = input('icmp type echo-request drop');
    await language.check({ text, guestPath }, undefined);
    using fresh = new NamespaceGuest([]);
    await language.apply({ text, guestPath }, fresh);
    assert.equal(fresh.runs, 1);
    await language.apply({ text, guestPath }, fresh);
    assert.equal(fresh.runs, 4);
  });

  it('leaves nothing of the rules before', async () => {
    using fresh = new NamespaceGuest(['lan']);
    const first = `table inet a {\n counter c { }\n quota q { over 1 mbytes }\n limit l { rate 10/second }\n ct helper ftp { type "ftp" protocol tcp; }\n set s { type ipv4_addr; elements = { 10.0.0.1 } }\n map v { type ipv4_addr : verdict; elements = { 10.0.0.2 : jump x } }\n chain x { drop; }\n chain i { type filter hook input priority 0; policy drop; ip saddr @s drop; ip saddr vmap @v; counter name "c"; quota name "q"; ct helper set "ftp"; jump x; }\n}`;
    await language.apply({ text: first, guestPath }, fresh);
    await language.apply({ text: input('tcp dport 23 drop'), guestPath }, fresh);
    const listing = fresh.sync(['nft', 'list', 'table', 'inet', 'a']);
    assert.equal(listing.replaceAll(/\s+/g, ' '), 'table inet a { counter nfio_drops { packets 0 bytes 0 } } ');
  });
});

describe('nftables refuses', { skip: whyNoNamespaces() ?? false, timeout: 60_000 }, () => {
  const refused: Readonly<Record<string, RegExp>> = {
    'table ip t {\n chain c {\n  tcp dportt 23 drop\n  tcp dport 1 accept\n  udp sportt 3\n  ip saddr 1.2.3.444 drop\n }\n}\n':
      /^nf_conf line 3: syntax error, .* \(and \d more, in lines 5, 6\)$/,
    'table ip t {\n chain c {\n  tcp dport 23 dropp\n }\n}\n': /^nf_conf line \d: syntax error, .*\(column \d+\)/,
    'table ip t {\n chain c {\n  ip saddr @nowhere drop\n }\n}\n': /^nf_conf line 3: No such file or directory/,
    'table ip t {\n chain c {\n  iif nowhere drop\n }\n}\n': /^nf_conf line 3: Interface does not exist/,
    'table ip t { }\ninclude "/etc/shadow"\n': /^nf_conf line 2: "include" is not allowed here/,
    '1include "/etc/shadow"': /^nf_conf line 1: "include"/,
    'table ip t { chain c { log prefix "a } }': /^nf_conf line 1: a " is not closed/,
    'table ip nfio_t { }': /^nf_conf line 1: names that begin with nfio_/,
    'table ip t { };\n monitor\n': /^nf_conf line 2: "monitor" would never end/,
    'table ip t { flags owner; }': /^nf_conf line 1: a table cannot have the flag owner/,
    'table ip t { }\n\0': /^nf_conf line 2: there is a NUL byte/,
  };
  for (const [text, message] of Object.entries(refused)) {
    it(JSON.stringify(text), async () => {
      using guest = new NamespaceGuest(['lan']);
      await assert.rejects(language.check({ text, guestPath }, guest), { code: 'ConfigurationError', errnoName: 'EINVAL', message });
      assert.equal(guest.runs, 0);
    });
  }

  it('more than a mebibyte', async () => {
    const text = `${'# rules\n'.repeat(200_000)}`;
    await assert.rejects(language.check({ text, guestPath }, undefined), { message: 'nf_conf is larger than 1048576 bytes' });
  });

  it('nothing that names interfaces while there is no guest', async () => {
    await language.check({ text: 'table ip t { chain c { iif "wan" oif { lan, dmz } accept; }; }', guestPath }, undefined);
  });
});
