import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from '../../src/hypervisor/docker/engine/index.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { DockerWorld } from '../support/docker-world.ts';
import { freePort } from '../support/free-port.ts';
import { plainBoot } from '../support/hypervisor-world.ts';
import { Relay } from '../support/relay.ts';
import { SshServer } from '../support/ssh-server.ts';
import { makeCertificates } from '../support/tls-files.ts';

describe('docker engines, near and far', { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
  let engine: TestEngine;
  let world: DockerWorld;
  let relay: Relay;
  let far: string;
  let tlsPort: number;
  const servers: { close(): unknown }[] = [];

  before(async () => {
    tlsPort = await freePort();
    engine = await TestEngine.start({
      flags: (directory) => {
        const own = makeCertificates(directory, 'right').server;
        makeCertificates(directory, 'wrong');
        const files = [`--tlscacert=${own}/ca.pem`, `--tlscert=${own}/cert.pem`, `--tlskey=${own}/key.pem`];
        return ['--tlsverify', ...files, '-H', `tcp://127.0.0.1:${tlsPort}`];
      },
    });
    relay = await Relay.start(engine.socket);
    far = `127.0.0.1:${relay.port}`;
    world = new DockerWorld(engine, { insecureEngines: true });
  });
  after(async () => {
    for (const server of servers) server.close();
    await world?.close().finally(() => engine[Symbol.asyncDispose]());
    await relay?.[Symbol.asyncDispose]();
  });

  const deploy = (host: string): Promise<void> => world.driver.deploy(world.guest({ host }), world.signal);
  const listen = async (server: Server): Promise<string> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  /** Runs what can be done with any guest. */
  const live = async (host: string): Promise<void> => {
    const spec = world.guest({ host });
    await world.driver.deploy(spec, world.signal);
    await world.driver.start(spec, world.signal);
    equal((await world.sh(spec, 'hostname')).stdout, `${spec.name}\n`);
    const { stdout } = await world.driver.executeInGuest(
      spec,
      { argv: ['wc', '-c'], stdin: 'x'.repeat(200_000) },
      { signal: world.signal },
    );
    equal(stdout.trim(), '200000');
    await world.driver.restart(spec, world.signal);
    ok(((await world.driver.counters(spec, world.signal))['memory_bytes'] ?? 0) > 0);
    await world.driver.destroy(spec, { force: true, signal: world.signal });
    equal(world.driver.guestStatus(spec).state, 'absent');
  };

  it('say in a sentence why they cannot be used', async () => {
    const refused: readonly (readonly [string, object])[] = [
      [
        'unix:///no/such/socket',
        { code: 'HypervisorConnectionError', errnoName: 'ECONNREFUSED', message: /nothing listens there\. Start the engine/ },
      ],
      [`127.0.0.1:${await freePort()}`, { code: 'HypervisorConnectionError', errnoName: 'ECONNREFUSED' }],
      [
        'no-such-machine.invalid:2375',
        { code: 'HypervisorConnectionError', errnoName: 'EHOSTUNREACH', message: /no machine of that name/ },
      ],
      ['http://127.0.0.1', { code: 'InvalidValueError', errnoName: 'EINVAL', message: /is not the address/ }],
      ['ssh://-oProxyCommand=id', { code: 'InvalidValueError' }],
      ['a b', { code: 'InvalidValueError' }],
    ];
    for (const [address, error] of refused) await rejects(deploy(address), error, address);
  });

  it('of too old an API are refused, and so is what is no engine', async () => {
    const answering = (status: number, body: string): Promise<string> =>
      listen(createServer((_request, answer) => answer.writeHead(status, { 'Content-Type': 'application/json' }).end(body)));
    const old = await answering(200, '{"ApiVersion":"1.40","MinAPIVersion":"1.12","Version":"19.03.15"}');
    await rejects(deploy(old), {
      code: 'UnsupportedError',
      errnoName: 'EOPNOTSUPP',
      message: /19\.03\.15.*1\.40.*needs 1\.41.*Docker 20\.10/,
    });
    const later = await answering(200, '{"ApiVersion":"9.99","MinAPIVersion":"9.1"}');
    await rejects(deploy(later), { code: 'UnsupportedError', message: /9\.1 to 9\.99/ });
    for (const other of [await answering(404, 'no'), await answering(200, 'not JSON'), await answering(200, '{}')])
      await rejects(deploy(other), { code: 'HypervisorConnectionError', errnoName: 'EPROTO' }, other);
    const noise = await listen(createSocketServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-x\r\n')));
    await rejects(deploy(noise), { code: 'HypervisorConnectionError', errnoName: 'EPROTO', message: /does not speak HTTP/ });
  });

  it('that accept and never answer cost one verb its time, and nobody else any', async () => {
    const silent = await listen(createSocketServer((socket) => void socket.on('error', () => undefined)));
    const order: string[] = [];
    const dead = deploy(silent).catch((error: { errnoName: string }) => order.push(error.errnoName));
    await Promise.all(Array.from({ length: 3 }, () => world.running().then(() => order.push('alive'))));
    await dead;
    deepEqual(order, ['alive', 'alive', 'alive', 'ETIMEDOUT']);
    const abort = new AbortController();
    const waiting = world.driver.deploy(world.guest({ host: silent }), abort.signal);
    setTimeout(() => abort.abort(), 100);
    await rejects(waiting, { code: 'InterruptedError' });
  });

  it('are connected to anew after their connections were ended, but not when that was for good', async () => {
    const { signal } = world;
    const known = new Engine({ kind: 'unix', path: engine.socket }, { certificates: () => '', insecure: false, connectTimeoutMs: 5000 });
    const ask = (): Promise<unknown> => known.json({ method: 'GET', path: '/info', timeoutMs: 5000 }, signal);
    await ask();
    known.disconnect();
    await ask();
    known[Symbol.dispose]();
    await rejects(ask(), { code: 'InterruptedError' });
  });

  it('are spoken to by TLS, with certificates that fit both ways', async () => {
    const address = `tcp://127.0.0.1:${tlsPort}`;
    const use = (certificates: string): void => world.driver.setHosts([{ address, certificates: join(engine.directory, certificates) }]);
    use('right/client');
    await live(address);
    use('wrong/client');
    await rejects(deploy(address), { code: 'HypervisorConnectionError', errnoName: 'EACCES', message: /certificates do not fit/ });
    // The engine's own is right for the engine and wrong for us: it is no client's, and the engine says so.
    use('right/server');
    await rejects(deploy(address), { code: 'HypervisorConnectionError', errnoName: 'EACCES' });
    match(world.driver.hostStatus(address).why, /certificates do not fit/);
    world.driver.setHosts([]);
  });

  it('are spoken to by ssh, with the user’s own ssh', async () => {
    const port = await freePort();
    await using _server = await SshServer.start(join(world.base, 'ssh'), { port, dockerSocket: engine.socket });
    await live(`ssh://root@127.0.0.1:${port}`);
    await rejects(deploy(`ssh://nobody@127.0.0.1:${port}`), { errnoName: 'EHOSTUNREACH', message: /ssh: .*Permission denied/ });
  });

  it('are not spoken to in the clear unless the mount allows that', async () => {
    const strict = new DockerWorld(engine);
    const spec = strict.guest({ host: far });
    const { driver } = strict;
    await rejects(driver.deploy(spec, world.signal), { code: 'NotPermittedError', errnoName: 'EPERM', message: /--insecure-engines/ });
    await rejects(driver.deploy({ ...spec, host: `tcp://${far}` }, world.signal), { message: /no certificates/ }).finally(() =>
      strict.close(),
    );
    await live(far);
  });

  it('of other machines give guests no port of ours, and say what does', async () => {
    const spec = world.guest({ host: far, ports: [world.port('10.6.0.1/24')] });
    await rejects(world.driver.deploy(spec, world.signal), {
      code: 'UnsupportedError',
      errnoName: 'EOPNOTSUPP',
      message: /network=bridge in boot\.conf/,
    });
    const without = await world.running({ host: far });
    const change = { before: undefined, after: world.port('10.6.0.2/24') };
    await rejects(world.driver.setPort(without, change, world.signal), { errnoName: 'EOPNOTSUPP' });
    equal(world.driver.root(without), undefined);
    deepEqual(world.driver.counterSource(without), { kind: 'remote' });
  });

  it('of other machines get a copy of config/, and of what changes in it', async () => {
    const spec = world.guest({ host: far });
    writeFileSync(join(spec.configDir, 'nf_conf'), 'first\n');
    writeFileSync(join(spec.configDir, `${'long-'.repeat(30)}name`), 'x'.repeat(5000));
    symlinkSync('/etc/shadow', join(spec.configDir, 'link'));
    await world.driver.deploy(spec, world.signal);
    world.guests.push(spec);
    await world.driver.start(spec, world.signal);
    equal(
      (await world.sh(spec, 'cat /etc/nfio/nf_conf; cat /etc/nfio/long-* | wc -c; readlink /etc/nfio/link')).stdout,
      'first\n5000\n/etc/shadow\n',
    );
    writeFileSync(join(spec.configDir, 'nf_conf'), 'second, longer\n');
    equal((await world.sh(spec, 'cat /etc/nfio/nf_conf')).stdout, 'second, longer\n');
  });

  it('of other machines end a command that is interrupted', async () => {
    const spec = await world.running({ host: far });
    const abort = new AbortController();
    const waiting = world.driver.executeInGuest(spec, { argv: ['sh', '-c', 'sleep 6611 & sleep 6612 & wait'] }, { signal: abort.signal });
    await sleep(500);
    abort.abort();
    await rejects(waiting, { code: 'InterruptedError' });
    const count = async (): Promise<string> => (await world.sh(spec, 'ps -eo args | grep -c "[s]leep 661"')).stdout;
    for (let tries = 0; tries < 40 && (await count()) !== '0\n'; tries++) await sleep(50);
    equal(await count(), '0\n');
  });

  it('that fall silent are found out, and their guests found again', { timeout: 60_000 }, async () => {
    const [lost, near] = [await world.running({ host: far }), await world.running()];
    const words: string[] = [];
    world.driver.onChange((ref, { word }) => ref.id === lost.id && words.push(word));
    relay.freeze();
    const begin = performance.now();
    while (words.length === 0 && performance.now() - begin < 30_000) await sleep(100);
    deepEqual(words, ['unknown']);
    await rejects(world.driver.counters(lost, world.signal), { code: 'HypervisorConnectionError', errnoName: 'EHOSTUNREACH' });
    equal((await world.sh(near, 'echo well')).stdout, 'well\n');
    relay.thaw();
    await world.driver.stop(lost, world.signal);
    equal(world.driver.guestStatus(lost).word, 'exited');
  });

  it('that are not there when nf.io begins do not keep it waiting', async () => {
    const spec = await world.running({ host: far });
    const silent = await listen(createSocketServer((socket) => void socket.on('error', () => undefined)));
    const elsewhere = world.guest({ host: silent });
    const fresh = await world.again();
    const nowhere = world.guest({ host: 'no address' });
    await fresh.recover([...world.guests, elsewhere, nowhere], world.signal);
    equal(fresh.guestStatus(nowhere).state, 'unknown');
    equal(fresh.guestStatus(spec).state, 'running');
    equal(fresh.guestStatus(elsewhere).state, 'unknown');
    await rejects(fresh.destroy(elsewhere, { force: true, signal: world.signal }), { errnoName: 'EHOSTUNREACH' });
    rmSync(elsewhere.guestDir, { recursive: true });
  });
});

describe("a network of Docker's own", { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
  it('is one line in boot.conf away, also on another machine, where its counters are the engine’s', async () => {
    await using engine = await TestEngine.start({
      ownNetwork: true,
      flags: () => ['--bip=172.30.77.1/24', '--iptables=false', '--ip-masq=false'],
    });
    await using relay = await Relay.start(engine.socket);
    const world = new DockerWorld(engine, { insecureEngines: true });
    const boot = { ...plainBoot, network: 'bridge' };
    const near = await world.running({ boot, ports: [world.port('10.7.0.1/24', { name: 'lan' })] });
    const far = await world.running({ boot, host: `127.0.0.1:${relay.port}` });
    try {
      match((await world.sh(near, 'ip -br addr')).stdout, /eth0@.*172\.30\.77\.\d+\/24[\s\S]*lan@.*10\.7\.0\.1\/24/);
      const address = await world.driver.getIp(far, world.signal);
      match(address, /^172\.30\.77\.\d+$/);
      const before = await world.driver.counters(far, world.signal);
      equal((await world.sh(near, `ping -n -c 10 -i 0.05 -W 2 -s 1000 ${address}`)).exitCode, 0);
      const after = await world.driver.counters(far, world.signal);
      const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
      ok(grown('rx_packets') >= 10 && grown('rx_packets') <= 30, `${grown('rx_packets')} packets`);
      ok(grown('rx_bytes') >= 10 * 1042 && grown('rx_bytes') <= 10 * 1042 + 20 * 100, `${grown('rx_bytes')} bytes`);
    } finally {
      await world.close();
    }
  });
});
