import { equal, match, ok, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import { NetnsWorld, plainBoot, whyNoGuests } from '../support/netns-world.ts';

describe('packets between netns guests', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let world: NetnsWorld;
  let client: GuestSpec;
  let router: GuestSpec;

  before(async () => {
    world = new NetnsWorld();
    const { lan, wan } = world;
    client = await world.running({ ports: [world.port('10.7.1.10/24', { segment: lan, gateway: '10.7.1.1' })] });
    await world.running({ ports: [world.port('10.7.2.10/24', { segment: wan, gateway: '10.7.2.1' })] });
    router = await world.running({
      boot: { ...plainBoot, sysctl: { 'net.ipv4.ip_forward': '1' } },
      ports: [world.port('10.7.1.1/24', { name: 'lan', segment: lan }), world.port('10.7.2.1/24', { name: 'wan', segment: wan })],
    });
  });
  after(() => world.close());

  it('pass through a guest that forwards', async () => {
    const { stdout } = await world.sh(client, 'ping -n -c 3 -i 0.05 -W 1 10.7.2.10');
    match(stdout, /3 received/);
    match(stdout, /ttl=63/);
  });

  it('are counted by their segment: rx what its ports brought in, tx what they took', async () => {
    const { network, signal, lan } = world;
    const ids = [client, router].flatMap(({ ports }) => ports.filter(({ segment }) => segment === lan).map(({ id }) => id));
    const before = await network.counters(lan, ids, signal);
    await world.sh(client, 'ping -n -c 4 -i 0.05 -W 1 10.7.1.1');
    const after = await network.counters(lan, ids, signal);
    const grown = (counter: string): number => (after?.[counter] ?? 0) - (before?.[counter] ?? 0);
    ok(grown('rx_packets') >= 8 && grown('tx_packets') >= 8, JSON.stringify({ before, after }));
    equal(grown('rx_bytes'), grown('tx_bytes'), 'two ports: what one sends the other gets');
    equal((await network.counters(lan, [], signal))?.['rx_bytes'], 0, 'ports of other segments do not count');
    equal(await network.counters({ id: 'none00', name: 'none', uplink: '' }, ids, signal), undefined);
  });

  it('are dropped by rules set from the machine, and counted', async () => {
    const rules = 'table inet t { chain f { type filter hook forward priority 0; icmp type echo-request counter drop; }; }';
    const loaded = await world.driver.executeInNetwork(router, { argv: ['nft', '-f', '-'], stdin: rules }, { signal: world.signal });
    equal(loaded.exitCode, 0, loaded.stderr);
    match((await world.sh(client, 'ping -n -c 2 -i 0.05 -W 1 10.7.2.10')).stdout, / 0 received/);
    match((await world.sh(router, 'nft list ruleset')).stdout, /counter packets 2 /);
    await world.driver.executeInNetwork(router, { argv: ['nft', 'flush', 'ruleset'] }, { signal: world.signal });
  });

  it('are delayed where the kernel can, and refused by name of the module where it cannot', async () => {
    const [port] = client.ports;
    ok(port);
    const change = world.driver.setPort(client, { before: port, after: { ...port, delayUsec: 20_000, lossPercent: 1 } }, world.signal);
    if (existsSync('/sys/module/sch_netem')) return change;
    await rejects(change, (error: { code?: string; errnoName?: string; message?: string }) => {
      equal(error.code, 'UnsupportedError');
      equal(error.errnoName, 'EOPNOTSUPP');
      match(error.message ?? '', /sch_netem/);
      return true;
    });
    match((await world.sh(client, 'ping -n -c 1 -W 1 10.7.2.10')).stdout, /1 received/);
  });

  it('reach an interface of the machine through an uplink, which comes back', async () => {
    const { network, signal, lan } = world;
    const [inside, outside] = [`${world.mountId}a`, `${world.mountId}b`];
    execFileSync('ip', ['link', 'add', inside, 'type', 'veth', 'peer', 'name', outside]);
    try {
      execFileSync('ip', ['addr', 'add', '10.7.1.99/24', 'dev', outside]);
      execFileSync('ip', ['link', 'set', outside, 'up']);
      match(await network.setUplink({ ...lan, uplink: inside }, signal), new RegExp(`${inside} was moved`));
      match((await world.sh(client, 'ping -n -c 2 -i 0.05 -W 1 10.7.1.99')).stdout, /2 received/);
      match(await network.setUplink({ ...lan, uplink: inside }, signal), /is connected/);
      await rejects(network.setUplink({ ...lan, uplink: outside }, signal), { code: 'BusyError' });
      await rejects(network.setUplink({ ...lan, uplink: 'nosuchif0' }, signal), { code: 'NetworkError', errnoName: 'ENODEV' });
      match((await world.sh(client, 'ping -n -c 1 -W 1 10.7.1.99')).stdout, /1 received/);
      match(await network.setUplink(lan, signal), /given back/);
      ok(existsSync(`/sys/class/net/${inside}`));
    } finally {
      await network.setUplink(lan, signal);
      execFileSync('ip', ['link', 'del', outside]);
    }
  });
});
