import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* A service chain as the only way between two networks: nothing else forwards, and hosts have no gateway. */

for (const family of [4, 6] as const) {
  const net = (which: number, host = ''): string => (family === 4 ? `10.${which}.0.${host || '0'}` : `fd00:${which}::${host}`);
  const prefix = family === 4 ? 24 : 64;
  const unreachable = /^nf-types\/host\/client does not send what is for \S+ onto lan: .*Network is unreachable.*networks\/lan\/gateway\n/;

  describe(`a service chain that is the only way, IPv${family}`, { skip: whyNoGuests() ?? false, timeout: 240_000 }, () => {
    let mount: TestMount;
    const run = (script: string): Promise<string> => mount.run(script, { timeoutMs: 40_000 });
    const inHost = async (name: string, command: string): Promise<string> =>
      (await run(`echo '${command}' > nf-types/host/${name}/command; cat nf-types/host/${name}/command`)).trim();
    const pings = async (from: string, to: string): Promise<number> =>
      Number(/(\d+) received/.exec(await inHost(from, `ping -n -q -c 2 -i 0.02 -W 1 ${to} 2>&1; true`))?.[1] ?? 0);
    const verify = (): Promise<string> => run('echo 1 > chns/web/verify; cat chns/web/verify');
    const [client, server] = [net(1, '10'), net(2, '10')];

    before(async () => {
      mount = await TestMount.start();
      await run(`mkdir networks/lan networks/wan; echo ${net(1)}/${prefix} > networks/lan/subnet; echo ${net(2)}/${prefix} > networks/wan/subnet
        mkdir -p nf-types/host/client/ports/eth0 nf-types/host/server/ports/eth0 nf-types/firewall/a nf-types/firewall/b; cd nf-types/host
        echo lan > client/ports/eth0/network; echo ${client}/${prefix} > client/ports/eth0/address
        echo wan > server/ports/eth0/network; echo ${server}/${prefix} > server/ports/eth0/address
        for v in host/client host/server firewall/a firewall/b; do echo activate > ../$v/action; done
        mkdir ../../chns/web; cd ../../chns/web; ln -s ${mount.path}/nf-types/firewall/a a; ln -s ${mount.path}/nf-types/firewall/b b
        ln -s a start; ln -s ../b a/next; echo lan > ingress; echo wan > egress; echo activate > action`);
    });
    after(() => mount[Symbol.asyncDispose]());

    test('is one for hosts, both ways, and verify tests it as they would use it', async () => {
      assert.equal(await pings('client', server), 2);
      assert.equal(await pings('server', client), 2);
      assert.equal(await run('cat chns/web/a/stats/in_packets'), '8\n');
      assert.match(await verify(), /^ok\n/);
    });

    test('is one for a host that comes later, that is started anew, and whose port was down', async () => {
      await run(
        `mkdir -p nf-types/host/late/ports/eth0; cd nf-types/host/late; echo lan > ports/eth0/network; echo ${net(1, '11')}/${prefix} > ports/eth0/address; echo activate > action`,
      );
      assert.equal(await pings('late', server), 2);
      await run('echo restart > nf-types/host/late/action');
      assert.equal(await pings('late', server), 2);
      await run('cd nf-types/host/late/ports/eth0; echo down > state; echo up > state');
      assert.equal(await pings('late', server), 2);
      await run('echo destroy > nf-types/host/late/action');
    });

    test('is none when it is stopped, and one again', async () => {
      await run('echo stop > chns/web/action');
      assert.match(await inHost('client', `ping -c 1 -W 1 ${server} 2>&1; true`), /unreachable/i);
      await run('echo activate > chns/web/action');
      assert.equal(await pings('client', server), 2);
      await run(`echo ${net(3)}/${prefix} > networks/wan/subnet || true`);
      await mount.unmount();
      await mount.mount();
      assert.equal(await pings('client', server), 2);
    });

    test('leaves the way to a gateway alone, where there is one', async () => {
      await run(`mkdir -p nf-types/router/r/ports/lan nf-types/router/r/ports/wan; cd nf-types/router/r/ports
        echo lan > lan/network; echo wan > wan/network; echo ${net(1, '1')}/${prefix} > lan/address; echo ${net(2, '1')}/${prefix} > wan/address; echo activate > ../action`);
      assert.match(await inHost('client', `ip -${family} route`), new RegExp(`^default via ${net(1, '1')} dev eth0`, 'm'));
      assert.doesNotMatch(await inHost('client', `ip -${family} route`), /via (169\.254|fe80)/);
      assert.equal(await pings('client', server), 2);
      assert.match(await verify(), /^ok\n/);
      await run('echo destroy > nf-types/router/r/action');
      assert.equal(await pings('client', server), 2);
    });

    test('is not, where nothing in it routes, and verify says so', async () => {
      await run('cd chns/web; for hop in a b; do echo transparent > $hop/mode; done');
      assert.equal(await pings('client', server), 0);
      assert.match(await verify(), unreachable);
      await run('cd chns/web; for hop in a b; do echo routed > $hop/mode; done');
      assert.equal(await pings('client', server), 2);
    });
  });
}
