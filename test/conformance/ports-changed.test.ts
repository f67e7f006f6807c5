import { equal, match } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/** Everything that can be changed of a port that runs, there and back. `$p` is its directory. */
const changes: Readonly<Record<string, string>> = {
  'goes down and up': 'echo down > $p/state; echo up > $p/state',
  'has another mtu': 'echo 1400 > $p/mtu; echo 1500 > $p/mtu',
  'has another address': 'echo 10.2.0.9/24 > $p/address; echo 10.2.0.1/24 > $p/address',
  'has another hardware address': 'echo 02:00:00:00:00:77 > $p/mac; echo > $p/mac',
  'is on another network': 'echo > $p/network; echo wan > $p/network',
  'is removed and made': 'rmdir $p; mkdir $p; echo wan > $p/network; echo 10.2.0.1/24 > $p/address',
};

/** What is configured, and what tells that it is in force. */
const guests = {
  router: {
    configuration: '10.3.0.0/24 via 10.2.0.2\nblackhole 10.4.0.0/24',
    shows: 'ip route',
    expected: /10\.3\.0\.0\/24 via 10\.2\.0\.2 dev wan/,
  },
  shaper: {
    configuration: 'qdisc add dev wan root tbf rate 10mbit burst 32kbit latency 50ms',
    shows: 'tc qdisc show dev wan',
    expected: /tbf .*rate 10Mbit/,
  },
  firewall: {
    configuration: 'table inet f { chain forward { type filter hook forward priority filter; iif "wan" tcp dport 23 drop; }; }',
    shows: 'nft list table inet f',
    expected: /iif "wan" tcp dport 23/,
  },
} as const;

describe('the configuration of a VNF is whole after a port', { skip: whyNoGuests() ?? false, timeout: 300_000 }, () => {
  let mount: TestMount;

  before(async () => {
    mount = await TestMount.start();
    await mount.run('mkdir networks/wan networks/lan; echo 10.2.0.0/24 > networks/wan/subnet; echo 10.1.0.0/24 > networks/lan/subnet');
    for (const [type, { configuration }] of Object.entries(guests)) {
      await mount.run(`mkdir -p nf-types/${type}/v/ports/wan nf-types/${type}/v/ports/lan; cd nf-types/${type}/v
        printf '%s\\n' '${configuration}' > config/nf_conf`);
    }
  });
  after(() => mount[Symbol.asyncDispose]());

  for (const [type, { shows, expected }] of Object.entries(guests)) {
    it(`of a ${type}: ${Object.keys(changes).join(', ')}`, async () => {
      await mount.run(`cd nf-types/${type}/v; echo wan > ports/wan/network; echo 10.2.0.1/24 > ports/wan/address; echo activate > action`);
      for (const [what, script] of Object.entries(changes)) {
        const shown = await mount.run(`cd nf-types/${type}/v; p=ports/wan; ${script}; echo '${shows}' > command; cat command`);
        match(shown, expected, `${type}: it ${what}`);
      }
      await mount.run(
        `cd nf-types/${type}/v; echo down > ports/wan/state; echo down > ports/lan/state; echo up > ports/lan/state; echo up > ports/wan/state`,
      );
      match(await mount.run(`cd nf-types/${type}/v; echo '${shows}' > command; cat command`), expected, 'whatever is down meanwhile');
      const without = `cd nf-types/${type}/v; mv config/nf_conf config/away; echo down > ports/wan/state; echo up > ports/wan/state`;
      match(await mount.run(`${without}; echo '${shows}' > command; cat command`), expected, 'whatever became of the file');
      await mount.run(`cd nf-types/${type}/v; mv config/away config/nf_conf; echo destroy > action`);
    });
  }

  it('or else the change is refused, and a start that cannot be configured leaves no guest that runs', async () => {
    await mount.run(`cd nf-types/router/v; echo '10.3.0.0/24 via 10.2.0.2' > config/nf_conf; echo activate > action; echo stop > action
      echo '10.3.0.0/24 via 10.99.0.1' > config/nf_conf`);
    const { stdout, status } = await mount.sh('cd nf-types/router/v; echo start > action || { cat error status; exit 4; }');
    equal(status, 4);
    match(stdout, /^start: nf_conf line 1: .*\nexited/);
    await mount.run('echo destroy > nf-types/router/v/action');
    // A shaper whose nf_conf names a port that has been removed takes no new one before that is mended.
    await mount.run('cd nf-types/shaper/v; echo activate > action; rmdir ports/wan; mkdir ports/dmz');
    const refused = await mount.sh('cd nf-types/shaper/v; echo wan > ports/dmz/network || { cat error; exit 4; }');
    equal(refused.status, 4);
    match(refused.stdout, /nf_conf line 1: the VNF has no port wan/);
    await mount.run(`cd nf-types/shaper/v; sed -i s/wan/dmz/ config/nf_conf; echo wan > ports/dmz/network; echo destroy > action`);
  });

  it('with a rate of its own: a port has that or the queue of nf_conf, and what is refused changes neither', async () => {
    const queues = (port: string): Promise<string> =>
      mount.run(`cd nf-types/shaper/v; echo 'tc qdisc show dev ${port}' > command; cat command`);
    const refused = async (script: string): Promise<void> => {
      const { status, stdout } = await mount.sh(`cd nf-types/shaper/v; { ${script}; } || { cat error; exit 4; }`);
      equal(status, 4, script);
      match(stdout, /nf_conf line 1: ports\/dmz has a rate, a delay or losses of its own.*echo > ports\/dmz\/\$f/);
    };
    await mount.run(`cd nf-types/shaper/v; echo wan > ports/lan/network; echo 5000000 > ports/lan/rate; echo activate > action
      echo 'qdisc replace dev dmz root tbf rate 7mbit burst 32kbit latency 50ms' > config/nf_conf`);
    match(await queues('lan'), /tbf .*rate 5Mbit/);
    await refused('echo 4000000 > ports/dmz/rate');
    equal(await mount.run('cat nf-types/shaper/v/ports/dmz/rate'), '');
    match(await queues('dmz'), /tbf .*rate 7Mbit/);
    await mount.run(`cd nf-types/shaper/v; echo > config/nf_conf; echo 4000000 > ports/dmz/rate`);
    match(await queues('dmz'), /tbf .*rate 4Mbit/);
    await refused(`echo 'qdisc replace dev dmz root tbf rate 7mbit burst 32kbit latency 50ms' > config/nf_conf; sync config/nf_conf`);
    match(await queues('dmz'), /tbf .*rate 4Mbit/);
    await refused('echo restart > action');
    await mount.run('echo destroy > nf-types/shaper/v/action');
  });
});
