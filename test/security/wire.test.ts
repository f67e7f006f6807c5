import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';
import { patient } from '../support/patience.ts';

/* What guest root sends in the name of others, by raw sockets, and what another guest on its network sees of it. */

const alice = 12345;

/** Perl that makes frames and sends them by eth0. `forged` and `honest` have frames by name; the name is in each frame, for tcpdump to show. */
const frames = `
my ($own, $other) = ('10.9.0.1', '10.9.0.3');
my ($own6, $other6) = ('fd0009000000000000000000000000' . '01', 'fd0009000000000000000000000000' . '03');
sub text { my ($path) = @_; open my $file, '<', $path or die; chomp(my $text = <$file>); return $text }
my $mac = text('/sys/class/net/eth0/address') =~ s/://gr;
my $index = text('/sys/class/net/eth0/ifindex');
my $link = 'fe80000000000000' . sprintf('%02x', hex(substr $mac, 0, 2) ^ 2) . substr($mac, 2, 4) . 'fffe' . substr($mac, 6);
sub ip { pack 'C4', split /\\./, $_[0] }
sub ethernet { my ($source, $type, $payload) = @_; return pack('H12 H12', 'ffffffffffff', $source) . pack('H*', $type) . $payload }
sub arp { my ($hardware, $address) = @_; return pack('H*', '0001080006040002') . pack('H12', $hardware) . ip($address) . "\\0" x 6 . ip('10.9.0.2') }
sub ipv4 { my ($source, $payload) = @_; return pack('C C n n n C C n', 0x45, 0, 20 + length $payload, 0, 0, 64, 17, 0) . ip($source) . ip('10.9.0.2') . $payload }
sub udp { my ($from, $to, $text) = @_; return pack('n n n n', $from, $to, 8 + length $text, 0) . $text }
sub ipv6 { my ($source, $next, $payload) = @_; return pack('N n C C', 0x60000000, length $payload, $next, 255) . pack('H32 H32', $source, 'ff020000000000000000000000000001') . $payload }
sub discovery { my ($type, $target) = @_; return pack('C C n N', $type, 0, 0, 0x20000000) . pack('H32', $target) }
my %forged = (
  mac => ethernet('066600000001', '88b5', ''),
  arp => ethernet($mac, '0806', arp($mac, $other)),
  hardware => ethernet($mac, '0806', arp('066600000001', $own)),
  source => ethernet($mac, '0800', ipv4($other, udp(1000, 1000, ''))),
  tagged => ethernet($mac, '810000000800', ipv4($other, udp(1000, 1000, ''))),
  source6 => ethernet($mac, '86dd', ipv6($other6, 59, '')),
  neighbour => ethernet($mac, '86dd', ipv6($own6, 58, discovery(136, $other6))),
  claim => ethernet($mac, '86dd', ipv6('0' x 32, 58, discovery(135, $other6))),
);
my %served = (
  offer => ethernet($mac, '0800', ipv4($own, udp(67, 68, ''))),
  advertisement => ethernet($mac, '86dd', ipv6($link, 58, pack('C C n C C n N N', 134, 0, 0, 64, 0, 1800, 0, 0))),
);
my %honest = (
  mac => ethernet($mac, '88b5', ''),
  arp => ethernet($mac, '0806', arp($mac, $own)),
  source => ethernet($mac, '0800', ipv4($own, udp(1000, 1000, ''))),
  source6 => ethernet($mac, '86dd', ipv6($own6, 59, '')),
  neighbour => ethernet($mac, '86dd', ipv6($own6, 58, discovery(136, $own6))),
);
my %loose = (free => ethernet($mac, '0800', ipv4('10.9.0.77', udp(1000, 1000, ''))), freearp => ethernet($mac, '0806', arp($mac, '10.9.0.77')));
socket(my $socket, 17, 3, 0) or die $!;
sub emit { send $socket, $_[0] . "$_[1]\\n" . ' ' x 40, 0, pack('S n l S C C a8', 17, 0, $index, 0, 0, 6, '') or die $! }
sub all { my ($kind, %those) = @_; emit($those{$_}, "=$kind-$_=") for sort keys %those }
`;
const [forged, served, honest] = [
  ['arp', 'claim', 'hardware', 'mac', 'neighbour', 'source', 'source6', 'tagged'].map((name) => `forged-${name}`),
  ['advertisement', 'offer'].map((name) => `served-${name}`),
  ['arp', 'mac', 'neighbour', 'source', 'source6'].map((name) => `honest-${name}`),
];

describe('a guest on a network', { skip: whyNoGuests() ?? false, timeout: 300_000 }, () => {
  let mount: TestMount;
  let runs = 0;

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir networks/lan; printf '10.9.0.0/24\\nfd00:900::/64\\n' > networks/lan/subnet
      for h in a:1 b:2 c:3; do
        p=nf-types/host/\${h%:*}/ports/eth0; mkdir -p $p; echo lan > $p/network
        printf "10.9.0.\${h#*:}/24\\nfd00:900::\${h#*:}/64\\n" > $p/address
      done
      mkdir -p nf-types/host/d/ports/eth0; echo lan > nf-types/host/d/ports/eth0/network
      for h in a b c d; do echo activate > nf-types/host/$h/action; done
      chown -R ${alice} nf-types/host/a`);
  });

  after(() => mount[Symbol.asyncDispose]());

  /** Path of the network namespace of this mount. */
  function fabric(): string {
    const { mountId } = JSON.parse(readFileSync(join(mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
    return `/run/netns/nfio-${mountId}`;
  }

  const inGuest = (vnf: string, script: string): Promise<string> =>
    mount.run(`cat > nf-types/${vnf}/command <<'SCRIPT'\n${script}\nSCRIPT\ncat nf-types/${vnf}/command`, {
      timeoutMs: patient(60_000),
    });

  /** Has a guest send, and resolves to the names of the frames that tcpdump has seen in another guest, up to one that everyone may send. */
  async function seenOf(perl: string, vnf = 'host/a'): Promise<string[]> {
    runs += 1;
    const file = `/run/seen${runs}`;
    await inGuest(
      'host/b',
      `(timeout 120 tcpdump --immediate-mode -nn -l -A -i eth0 > ${file} 2> ${file}.err &)\nuntil grep -q listening ${file}.err; do sleep 0.05; done`,
    );
    await inGuest(vnf, `perl - <<'PERL'\n${frames}${perl};\nall('last', mac => $honest{mac});\nPERL`);
    const text = await inGuest('host/b', `until grep -q =last-mac= ${file}; do sleep 0.05; done; cat ${file}; pkill tcpdump`);
    const names = [...text.matchAll(/=(\w+-\w+)=/g)].map(([, name = '']) => name);
    return [...new Set(names)].filter((name) => name !== 'last-mac').sort();
  }

  const spoofed = async (vnf = 'host/a'): Promise<number> => Number(await mount.run(`cat nf-types/${vnf}/ports/eth0/spoofed`));

  test('sends nothing in the name of others, and all in its own', async () => {
    const earlier = await spoofed();
    assert.deepEqual(await seenOf("all('forged', %forged); all('served', %served); all('honest', %honest)"), honest);
    assert.equal((await spoofed()) - earlier, (forged ?? []).length + (served ?? []).length);
  });

  test('has what it forged told in events, once', async () => {
    await seenOf("all('forged', %forged)");
    const told = 'grep -c \'"spoofed"\' events';
    const end = Date.now() + patient(20_000);
    while (Number((await mount.sh(told)).stdout) === 0 && Date.now() < end) await sleep(100);
    await seenOf("all('forged', %forged) for 1 .. 50");
    const dropped = await spoofed();
    assert.ok(dropped > 400, String(dropped));
    await sleep(3000); // the next look of the server, and one more
    assert.equal(await mount.run(told), '1\n');
    assert.match(await mount.run('grep \'"spoofed"\' events'), /nf-types\/host\/a\/ports\/eth0.*spoof/);
  });

  test('does not fill the table of hardware addresses of its network', async () => {
    await seenOf("emit(ethernet(sprintf('0666%08x', $_), '88b5', ''), 'x') for 1 .. 5000");
    const table = await mount.run(`nsenter --net=${fabric()} bridge fdb show`);
    assert.match(table, /02:/);
    assert.doesNotMatch(table, /06:66:/);
  });

  test('answers DHCP and advertises a router where the owner of the network trusts it', async () => {
    await mount.run('echo host/a > networks/lan/trusted');
    assert.deepEqual(await seenOf("all('forged', %forged); all('served', %served)"), served);
    await mount.run('echo > networks/lan/trusted');
    assert.deepEqual(await seenOf("all('served', %served)"), []);
    const wrong = await mount.sh('echo a > networks/lan/trusted');
    assert.notEqual(wrong.status, 0);
    assert.match(await mount.run('cat networks/lan/error'), /write TYPE\/NAME/);
  });

  test('sends what it likes where root lets it, and only root does', async () => {
    const refused = await mount.sh('echo on > nf-types/host/a/ports/eth0/spoof', { uid: alice });
    assert.notEqual(refused.status, 0);
    assert.match(await mount.run('cat nf-types/host/a/error'), /only root may let a port send in the name of others/);
    await mount.run('echo on > nf-types/host/a/ports/eth0/spoof');
    assert.deepEqual(await seenOf("all('forged', %forged); all('served', %served)"), [...(forged ?? []), ...(served ?? [])].sort());
    await mount.run('echo off > nf-types/host/a/ports/eth0/spoof', { uid: alice });
    assert.deepEqual(await seenOf("all('forged', %forged)"), []);
  });

  test('whose port has no address takes any but those of other ports', async () => {
    assert.deepEqual(await seenOf("all('forged', source => $forged{source}, arp => $forged{arp}); all('loose', %loose)", 'host/d'), [
      'loose-free',
      'loose-freearp',
    ]);
  });

  test('forwards what others send, but in the name of no neighbour', async () => {
    await mount.run(
      `p=nf-types/firewall/f/ports/eth0; mkdir -p $p; echo lan > $p/network; echo 10.9.0.4/24 > $p/address; echo activate > nf-types/firewall/f/action`,
    );
    const beyond =
      "all('beyond', source => ethernet($mac, '0800', ipv4('192.0.2.7', udp(1, 1, ''))), arp => ethernet($mac, '0806', arp($mac, '192.0.2.7')));";
    const sent = `${beyond} $own = '10.9.0.4'; all('own', source => ethernet($mac, '0800', ipv4($own, udp(1, 1, ''))), arp => ethernet($mac, '0806', arp($mac, $own)));`;
    assert.deepEqual(await seenOf(`${sent} all('forged', %forged); all('served', %served)`, 'firewall/f'), [
      'beyond-source',
      'own-arp',
      'own-source',
    ]);
    await mount.run('echo destroy > nf-types/firewall/f/action; rmdir nf-types/firewall/f');
  });

  test('brings nothing in the name of others into a service chain', async () => {
    await mount.run(`mkdir networks/wan; echo 10.8.0.0/24 > networks/wan/subnet; mkdir -p nf-types/firewall/g; echo activate > nf-types/firewall/g/action
      mkdir chns/c; cd chns/c; ln -s ../../nf-types/firewall/g g; ln -s g start; echo lan > ingress; echo wan > egress; echo activate > action`);
    const into = async (perl: string): Promise<number> => {
      const count = async (): Promise<number> => Number(await mount.run('cat chns/c/stats/in_packets'));
      const earlier = await count();
      await seenOf(
        `sub away { ethernet($mac, '0800', substr(ipv4($_[0], udp(1, 1, '')), 0, 16) . ip('10.8.0.9') . udp(1, 1, '')) } ${perl}`,
      );
      return (await count()) - earlier;
    };
    const dropped = await spoofed();
    assert.equal(await into("emit(away($other), '') for 1 .. 10"), 0);
    assert.equal((await spoofed()) - dropped, 10);
    assert.equal(await into("emit(away($own), '') for 1 .. 10"), 10);
    await mount.run('echo stop > chns/c/action; rm -r chns/c');
  });

  test('has what it was given since, and no longer what was taken from it', async () => {
    await mount.run(`printf '10.9.0.9/24\\nfd00:900::9/64\\n' > nf-types/host/a/ports/eth0/address`);
    assert.deepEqual(
      await seenOf(
        "$own = '10.9.0.9'; all('new', source => ethernet($mac, '0800', ipv4($own, udp(1, 1, '')))); all('honest', source => $honest{source})",
      ),
      ['new-source'],
    );
    await mount.run(`printf '10.9.0.1/24\\nfd00:900::1/64\\n' > nf-types/host/a/ports/eth0/address`);
    assert.deepEqual(await seenOf("all('honest', %honest)"), honest);
  });

  test('is guarded by the next server too, and again after someone removed the rules', async () => {
    await mount.run(`kill -9 ${await mount.server()}`);
    await mount.run('cat nf-types/host/a/status');
    assert.deepEqual(await seenOf("all('forged', %forged); all('honest', %honest)"), honest);
    // What is put in its place is not of our make.
    for (const other of ['', '; add table bridge nfio_guard; add set bridge nfio_guard macs { type ipv4_addr; }']) {
      await mount.run(`nsenter --net=${fabric()} nft 'delete table bridge nfio_guard${other}'`);
      const end = Date.now() + patient(20_000);
      while ((await seenOf("all('forged', %forged)")).length > 0 && Date.now() < end);
      assert.deepEqual(await seenOf("all('forged', %forged); all('honest', %honest)"), honest);
    }
  });
});
