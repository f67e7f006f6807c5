import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* Address translation as a hop: what comes back is for the hop's own address, and passes the service chain all the same. */

/** Says to each connection who it takes its peer for. */
const whoServer = `use IO::Socket::IP; my $l = IO::Socket::IP->new(LocalHost => shift, LocalPort => 8080, Listen => 8, ReuseAddr => 1) or die;
while (1) { my $p = $l->accept or next; print $p $p->peerhost, "\\n"; close $p }`;

const rules = (statement: string): string =>
  `table inet nat { chain post { type nat hook postrouting priority srcnat; policy accept; oifname "web.out" ${statement}; }; }`;

for (const family of [4, 6] as const) {
  const own = family === 4 ? '10.2.0.5' : 'fd00:2::5';
  const gateway = family === 4 ? '10.2.0.1' : 'fd00:2::1';
  const prefix = family === 4 ? 24 : 64;

  describe(`a nat as a hop, IPv${family}`, { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
    let lab: ChainLab;
    const peer = async (): Promise<string> => (await lab.connect(8080)).trim();
    const verify = (): Promise<string> => lab.run('echo 1 > chns/web/verify; cat chns/web/verify');
    const configure = (type: string, name: string, text: string): Promise<string> =>
      lab.run(`echo '${text}' > nf-types/${type}/${name}/config/nf_conf`);
    const activate = async (...hops: readonly string[]): Promise<void> => {
      await lab.run('[ ! -e chns/web ] || { echo stop > chns/web/action || true; rm -r chns/web; }');
      const links = hops.map(
        (hop, index) =>
          `ln -s ${lab.vnf(hop, hop === 'n' ? 'nat' : 'firewall')} ${hop}; ${index + 1 < hops.length ? `ln -s ../${hops[index + 1]} ${hop}/next` : ''}`,
      );
      await lab.run(
        `mkdir chns/web; cd chns/web; ${links.join('\n')}\nln -s ${hops[0]} start; echo lan > ingress; echo wan > egress; echo 'tcp dport 8080' > match; echo activate > action`,
      );
    };

    before(async () => {
      lab = await ChainLab.start(['a', 'b'], { families: [family] });
      await lab.run(`echo ${gateway} > networks/wan/gateway; mkdir -p nf-types/nat/n/ports/wan; echo activate > nf-types/nat/n/action`);
      await lab.in('server', `setsid perl -e '${whoServer.replaceAll("'", '')}' ${lab.server} </dev/null >/dev/null 2>&1 &`);
    });
    after(() => lab[Symbol.asyncDispose]());

    test('is refused without an address that the egress returns to, and with a second instance', async () => {
      const refused = await lab.sh(
        `mkdir chns/web; cd chns/web; ln -s ${lab.vnf('n', 'nat')} n; ln -s n start; echo lan > ingress; echo wan > egress; echo activate > action`,
      );
      assert.equal(errnoText(refused), 'Invalid argument');
      assert.match(
        await lab.run('cat chns/web/error'),
        /^activate: hop n: nf-types\/nat\/n translates addresses, and has none on wan for what comes back\. Run: .*echo wan > nf-types\/nat\/n\/ports\/wan\/network/,
      );
      await lab.run(`echo wan > nf-types/nat/n/ports/wan/network; echo ${own}/${prefix} > nf-types/nat/n/ports/wan/address`);
      await lab.run(`mkdir nf-types/nat/m; echo activate > nf-types/nat/m/action; ln -s ${lab.vnf('m', 'nat')} chns/web/n/`);
      assert.equal(errnoText(await lab.sh('echo activate > chns/web/action')), 'Invalid argument');
      assert.match(await lab.run('cat chns/web/error'), /^activate: hop n: .* translate addresses: .* cannot share a hop/);
      await lab.run('echo destroy > nf-types/nat/m/action; rm chns/web/n/m; rmdir nf-types/nat/m');
    });

    for (const hops of [
      ['a', 'n', 'b'],
      ['n', 'a'],
      ['a', 'n'],
    ] as const) {
      test(`passes connections both ways through every hop: ${hops.join(', ')}`, async () => {
        await activate(...hops);
        await configure('nat', 'n', rules('masquerade'));
        for (let round = 0; round < 3; round += 1) assert.equal(await peer(), own);
        const counts = await lab.counts('web', ...hops);
        assert.ok((counts[0] ?? 0) >= 24, `three connections, both ways: ${counts}`);
        assert.equal(new Set(counts).size, 1, `each hop has seen all: ${counts}`);
        assert.deepEqual(await lab.values('web', 'stats/drops'), ['0']);
        assert.match(await verify(), /^ok\n/);
        await configure('nat', 'n', rules(`snat ip${family === 6 ? '6' : ''} to ${own}`));
        assert.equal(await peer(), own);
        // As a router it is one.
        await configure('nat', 'n', '');
        assert.notEqual(await peer(), own);
        assert.match(await verify(), /^ok\n/);
      });
    }

    test('with rules of a firewall before and behind it, which know connections', async () => {
      await activate('a', 'n', 'b');
      const stateful =
        'table inet f { chain f { type filter hook forward priority 0; policy drop; ct state established accept; iifname "web.in" ct state new accept; }; }';
      for (const each of ['a', 'b']) await configure('firewall', each, stateful);
      await configure('nat', 'n', rules('masquerade'));
      assert.equal(await peer(), own);
      assert.match(await verify(), /^ok\n/);
      for (const each of ['a', 'b']) await configure('firewall', each, '');
    });

    test('takes what its match says of who sends and what for', async () => {
      const client = lab.client;
      for (const match of [`ip${family === 6 ? '6' : ''} saddr ${client} tcp dport 8080`, 'tcp sport >= 1024', 'meta l4proto tcp', '']) {
        await lab.run(`echo '${match}' > chns/web/match`);
        assert.equal(await peer(), own, match);
      }
      assert.equal(await lab.ping(3), 3);
      assert.match(await verify(), /^ok\n/);
    });

    test('answers for its address under one hardware address', async () => {
      const mac = (await lab.run('cat nf-types/nat/n/ports/wan/mac')).trim();
      assert.equal(await peer(), own);
      const known = await lab.in('server', `ip neigh show ${own} dev eth0`);
      assert.match(known, new RegExp(`lladdr ${mac} `));
    });

    test('follows its address, and is whole after nf.io was killed', async () => {
      const other = own.replace(/5$/, '6');
      await lab.run(`echo ${other}/${prefix} > nf-types/nat/n/ports/wan/address`);
      assert.equal(await peer(), other);
      process.kill(await lab.mount.server(), 'SIGKILL');
      assert.equal(await peer(), other);
      await lab.run(`echo ${own}/${prefix} > nf-types/nat/n/ports/wan/address`);
      assert.equal(await peer(), own);
    });

    test('by something that does not say that it translates is found by verify', async () => {
      await activate('a', 'b');
      await configure('firewall', 'a', rules('masquerade'));
      assert.match(await verify(), /^a translates .* to .*, and what is answered to that does not come back through the service chain/);
      await configure('firewall', 'a', '');
      assert.match(await verify(), /^ok\n/);
    });
  });
}
