import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestRef, GuestSpec, GuestStatus, HypervisorDriver } from '../../src/domain/ports/hypervisor.ts';
import type { PortSpec, SegmentSpec } from '../../src/domain/ports/network.ts';
import { readCounter } from '../../src/tree/counters.ts';

/** A driver under test, with makers of what it is given. */
export interface HypervisorWorld {
  readonly driver: HypervisorDriver;
  readonly lan: SegmentSpec;
  readonly signal: AbortSignal;
  guest(overrides?: Partial<GuestSpec>): GuestSpec;
  port(address: string, overrides?: Partial<PortSpec>): PortSpec;
  /** Makes a guest and starts it. */
  running(overrides?: Partial<GuestSpec>): Promise<GuestSpec>;
  /** Those that closing the world destroys: those that were started by `running`, and any that a test adds. */
  readonly guests: GuestSpec[];
  sh(spec: GuestSpec, script: string): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }>;
  /** As a new process would: a fresh driver that knows nothing yet. */
  again(): Promise<HypervisorDriver>;
  close(): Promise<void>;
}

/** What differs between drivers. */
export interface HypervisorContract {
  readonly name: string;
  readonly makeWorld: () => HypervisorWorld | Promise<HypervisorWorld>;
  /** Ends a guest behind the driver's back. */
  readonly kill: (id: string) => unknown;
  /** Clears away what the worlds were made on. */
  readonly clear?: () => Promise<void>;
  /** How its guests differ from namespaces with processes in them. */
  readonly machines?: MachineTraits;
  /** The parts of the suite to run, where all of them take too long. Default all. */
  readonly parts?: readonly (keyof typeof suites)[];
  /** Why the tests cannot run here, or undefined. */
  readonly skip: string | undefined;
}

/** What is particular to guests that are machines: they boot, have a kernel of their own, and memory from the start. */
export interface MachineTraits {
  /** What the hypervisor says of one that ended. */
  readonly exited: string;
  /** How many run at once in the test that runs many. */
  readonly many: number;
  /** Queues of a port, as tc shows them. */
  readonly queues: (port: PortSpec) => Promise<string>;
}

/** Registers the tests every hypervisor driver passes, against the real thing. */
export function describeHypervisor(contract: HypervisorContract): void {
  describe(`hypervisor ${contract.name}`, { skip: contract.skip ?? false, timeout: 360_000 }, () => {
    let world: HypervisorWorld;
    const running: Running = (overrides) => world.running(overrides);
    before(async () => {
      world = await contract.makeWorld();
    });
    after(async () => {
      await (world?.close() ?? Promise.resolve()).finally(contract.clear);
    });
    let common: Promise<GuestSpec> | undefined;
    /** A guest that tests may share which leave it as it was, where it takes long to boot one. */
    const shared: Running = () => {
      if (contract.machines === undefined) return running();
      common ??= running();
      return common;
    };

    for (const part of contract.parts ?? (Object.keys(suites) as (keyof typeof suites)[])) {
      suites[part](() => world, { running, shared, contract });
    }
  });
}

type Running = (overrides?: Partial<GuestSpec>) => Promise<GuestSpec>;

interface Suite {
  readonly running: Running;
  readonly shared: Running;
  readonly contract: HypervisorContract;
}

const suites = {
  life: describeLifecycle,
  outside: describeOutside,
  execution: describeExecution,
  limits: describeLimits,
  ports: describePorts,
} as const;

function describeLifecycle(at: () => HypervisorWorld, { running, contract }: Suite): void {
  const { exited = 'exited', many: count = 20 } = contract.machines ?? {};

  it('goes through its life in order', async () => {
    const { driver, signal } = at();
    const spec = at().guest();
    equal(driver.guestStatus(spec).state, 'absent');
    await driver.deploy(spec, signal);
    equal(driver.guestStatus(spec).state, 'created');
    await driver.start(spec, signal);
    equal(driver.guestStatus(spec).state, 'running');
    ok((await driver.getId(spec, signal)).length > 0);
    await driver.pause(spec, signal);
    equal(driver.guestStatus(spec).state, 'paused');
    await driver.unpause(spec, signal);
    equal(driver.guestStatus(spec).state, 'running');
    await driver.stop(spec, signal);
    equal(driver.guestStatus(spec).state, 'exited');
    equal(driver.counterSource(spec), undefined);
    await driver.restart(spec, signal);
    equal(driver.guestStatus(spec).state, 'running');
    await driver.destroy(spec, { force: true, signal });
    equal(driver.guestStatus(spec).state, 'absent');
  });

  it('refuses what does not fit, and stays as it is', async () => {
    const { driver, signal } = at();
    const spec = at().guest();
    const code = (name: string): { readonly code: string } => ({ code: name });
    await rejects(driver.start(spec, signal), code('VNFNotFoundError'));
    await rejects(driver.stop(spec, signal), code('VNFNotFoundError'));
    await rejects(driver.getId(spec, signal), code('VNFNotFoundError'));
    await driver.destroy(spec, { force: false, signal });
    await driver.deploy(spec, signal);
    await rejects(driver.stop(spec, signal), code('VNFNotRunningError'));
    await rejects(driver.pause(spec, signal), code('VNFNotRunningError'));
    await rejects(driver.executeInGuest(spec, { argv: ['true'] }, { signal }), code('VNFNotRunningError'));
    await driver.start(spec, signal);
    await rejects(driver.start(spec, signal), code('VNFStartError'));
    await rejects(driver.destroy(spec, { force: false, signal }), code('VNFDestroyError'));
    equal(driver.guestStatus(spec).state, 'running');
    await driver.destroy(spec, { force: true, signal });
    await driver.destroy(spec, { force: true, signal });
  });

  it('stops a paused guest, and one that ignores SIGTERM', async () => {
    const { driver, signal } = at();
    const paused = await running();
    await driver.pause(paused, signal);
    await driver.stop(paused, signal);
    equal(driver.guestStatus(paused).state, 'exited');
    const deaf = await running({ command: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'] });
    await sleep(300); // until it is deaf
    await driver.stop(deaf, signal);
    const { state, word, exitCode } = driver.guestStatus(deaf);
    deepEqual([state, word], ['exited', exited]);
    if (contract.machines === undefined) equal(exitCode, 137);
  });

  it(`runs ${count} guests at once`, async () => {
    const { driver, signal } = at();
    const many = await Promise.all(Array.from({ length: count }, (_, index) => running({ ports: [at().port(`10.1.1.${index + 1}/24`)] })));
    const answers = await Promise.all(many.map((spec) => at().sh(spec, 'hostname')));
    deepEqual(
      answers.map(({ stdout }) => stdout.trim()),
      many.map(({ name }) => name),
    );
    await Promise.all(many.map((spec, index) => (index % 2 === 0 ? driver.stop(spec, signal) : driver.pause(spec, signal))));
    await Promise.all(many.map((spec) => driver.destroy(spec, { force: true, signal })));
    ok(many.every((spec) => driver.guestStatus(spec).state === 'absent'));
  });
}

function describeOutside(at: () => HypervisorWorld, { running, contract }: Suite): void {
  const word = contract.machines?.exited ?? 'exited';
  /** A machine that is killed gives its memory back first, and one that ends switches itself off. */
  const slack = contract.machines === undefined ? 0 : 10_000;
  /** What is told first of a guest that runs no more; that it runs may be told late. */
  const ending = (driver: HypervisorDriver, ref: GuestRef): Promise<GuestStatus> =>
    new Promise((resolve) => driver.onChange((changed, status) => changed.id === ref.id && status.state !== 'running' && resolve(status)));

  it('tells within a second of a main process that ends, with its exit status', async () => {
    const spec = await running({ command: ['sh', '-c', 'sleep 0.3; exit 7'] });
    const status = await Promise.race([ending(at().driver, spec), sleep(1500 + slack)]);
    deepEqual(status, { state: 'exited', word, exitCode: 7 });
    deepEqual(at().driver.guestStatus(spec), status);
  });

  it('tells within a second of a guest killed from outside', async () => {
    const { driver, signal } = at();
    const spec = await running();
    const told = ending(driver, spec);
    await contract.kill(await driver.getId(spec, signal));
    deepEqual(await Promise.race([told, sleep(1000 + slack)]), { state: 'exited', word, exitCode: 137 });
    await driver.start(spec, signal);
    equal(driver.guestStatus(spec).state, 'running');
  });

  it('is found again by a fresh driver: running, paused, ended meanwhile and unknown ones', async () => {
    const [alive, paused, killed, orphan, created] = [
      await running({ ports: [at().port('10.1.2.1/24')] }),
      await running(),
      await running(),
      await running(),
      at().guest(),
    ];
    const { signal } = at();
    await at().driver.deploy(created, signal);
    await at().driver.pause(paused, signal);
    const [id, killedId] = [await at().driver.getId(alive, signal), await at().driver.getId(killed, signal)];
    const fresh = await at().again();
    await contract.kill(killedId);
    await sleep(50);
    await fresh.recover([alive, paused, killed, created], signal);
    deepEqual(
      [alive, paused, killed, created, orphan].map((spec) => fresh.guestStatus(spec).state),
      ['running', 'paused', 'exited', 'created', 'absent'],
    );
    equal(await fresh.getId(alive, signal), id);
    equal(await fresh.getIp(alive, signal), '10.1.2.1');
    equal((await at().sh(alive, 'echo still here')).stdout, 'still here\n');
    await fresh.unpause(paused, signal);
    await fresh.stop(alive, signal);
    await fresh.destroy(created, { force: true, signal });
  });
}

function describeExecution(at: () => HypervisorWorld, { running, shared, contract }: Suite): void {
  it('gives back exit statuses and both outputs', async () => {
    const spec = await shared();
    deepEqual(await at().sh(spec, 'echo out; echo err >&2; exit 3'), { exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
    equal((await at().sh(spec, 'kill -9 $$')).exitCode, 137);
    equal((await at().driver.executeInGuest(spec, { argv: ['no-such-program'] }, { signal: at().signal })).exitCode, 127);
    const echoed = await at().driver.executeInGuest(spec, { argv: ['cat'], stdin: 'given' }, { signal: at().signal });
    equal(echoed.stdout, 'given');
    const env = await at().driver.executeInGuest(spec, { argv: ['sh', '-c', 'echo "$A"'], env: { A: 'x y' } }, { signal: at().signal });
    equal(env.stdout, 'x y\n');
    equal((await at().sh(spec, 'umask')).stdout, '0022\n');
  });

  it('gives a command its input as it comes', async () => {
    const spec = await shared();
    const input = new PassThrough();
    let printed = '';
    const seen = async (text: string): Promise<void> => {
      for (const deadline = performance.now() + 20_000; !printed.includes(text) && performance.now() < deadline; ) await sleep(20);
      match(printed, new RegExp(text));
    };
    const script = 'while read -r line; do echo "got $line"; done; echo end';
    const onOutput = (chunk: Uint8Array): void => {
      printed += Buffer.from(chunk).toString();
    };
    const command = { argv: ['sh', '-c', script], stdin: input };
    const ended = at().driver.executeInGuest(spec, command, { signal: at().signal, onOutput });
    input.write('one\n');
    await seen('got one');
    input.write(`two ${'x'.repeat(100_000)}\n`);
    await seen('got two');
    input.end();
    equal((await ended).exitCode, 0);
    ok(printed.endsWith('end\n'));
  });

  it('does not wait for what a command leaves in the background', async () => {
    const spec = await shared();
    equal((await at().sh(spec, 'sleep 4712 & echo done')).stdout, 'done\n');
    equal((await at().sh(spec, "ps -eo args | grep -c '[s]leep 4712'")).stdout.trim(), '1');
  });

  it('streams 1 MiB of output whole and in order', async () => {
    const spec = await shared();
    let bytes = 0;
    let text = '';
    const onOutput = (chunk: Uint8Array): void => {
      bytes += chunk.length;
      text += Buffer.from(chunk).toString('latin1');
    };
    const argv = ['sh', '-c', 'seq 1 160000'];
    const result = await at().driver.executeInGuest(spec, { argv }, { signal: at().signal, onOutput });
    equal(result.exitCode, 0);
    const expected = Array.from({ length: 160_000 }, (_, index) => `${index + 1}\n`).join('');
    equal(bytes, expected.length);
    ok(text === expected);
  });

  it('ends a command that is no longer wanted, also what made a process group of its own', async () => {
    const spec = await shared();
    const abort = new AbortController();
    const waiting = at().driver.executeInGuest(spec, { argv: ['sh', '-c', 'timeout 5000 sleep 4711; true'] }, { signal: abort.signal });
    await sleep(300);
    abort.abort();
    await rejects(waiting, { code: 'InterruptedError' });
    const left = async (): Promise<string> => (await at().sh(spec, "ps -eo args | grep -c '[s]leep 4711'")).stdout.trim();
    // busybox has a process in a session of its own that looks once a second whether its timeout is still wanted.
    for (let tries = 0; tries < 50 && (await left()) !== '0'; tries++) await sleep(100);
    equal(await left(), '0');
  });

  it('gives its main process its environment, arguments and log', async () => {
    const boot = { ...at().guest().boot, env: { GREETING: 'it\'s $HOME `x` "q"' } };
    const spec = await running({ boot, command: ['sh', '-c', 'echo "$GREETING|$1|$2"; exec sleep 1000', 'sh', 'two words', ''] });
    const log = at().driver.logPath(spec);
    const said = `it's $HOME \`x\` "q"|two words|\n`;
    for (let tries = 0; tries < 100 && !readFileSync(log, 'utf8').endsWith(said); tries++) await sleep(20);
    if (contract.machines === undefined) equal(readFileSync(log, 'utf8'), said);
    else ok(readFileSync(log, 'utf8').endsWith(said), 'a machine has said other things before');
  });

  it('keeps what it wrote over a restart', async () => {
    const { driver, signal } = at();
    const spec = await running();
    await at().sh(spec, 'echo kept > /var/note');
    await driver.restart(spec, signal);
    equal((await at().sh(spec, 'cat /var/note')).stdout, 'kept\n');
    if (contract.machines === undefined) equal(readFileSync(`${driver.root(spec)?.path}/var/note`, 'utf8'), 'kept\n');
  });
}

function describeLimits(at: () => HypervisorWorld, { running, contract }: Suite): void {
  const MiB = 1024 * 1024;
  /** A kernel of its own needs some, and what a machine was not started with it never gets. */
  const smallBytes = (contract.machines === undefined ? 64 : 128) * MiB;
  const vcpu = contract.machines === undefined ? 0.5 : undefined;

  it('holds a guest to its memory', async () => {
    const spec = await running({ limits: { vcpu, memoryBytes: smallBytes } });
    const hold = 'dd if=/dev/zero of=/dev/null bs=150000000 count=1';
    ok((await at().sh(spec, hold)).exitCode !== 0, 'so small a guest must not hold 150 MB');
    equal((await at().sh(spec, 'echo well')).stdout, 'well\n');
    const more = { vcpu: undefined, memoryBytes: 512 * MiB };
    if (contract.machines === undefined) await at().driver.setLimits(spec, more, at().signal);
    else await at().driver.restart({ ...spec, limits: more }, at().signal);
    equal((await at().sh(spec, hold)).exitCode, 0);
  });

  it('refuses limits a guest cannot live with, and keeps those it has', async () => {
    const { driver, signal } = at();
    const spec = await running({ limits: { vcpu: undefined, memoryBytes: 2 * smallBytes } });
    await at().sh(spec, 'head -c 40000000 /dev/zero > /dev/shm/held');
    await rejects(driver.setLimits(spec, { vcpu: undefined, memoryBytes: 8 * MiB }, signal), { code: 'BusyError', errnoName: 'EBUSY' });
    equal((await at().sh(spec, 'wc -c < /dev/shm/held')).stdout.trim(), '40000000');
    for (const limits of [
      { vcpu: 0, memoryBytes: undefined },
      { vcpu: undefined, memoryBytes: 0 },
    ]) {
      const small = at().guest({ limits });
      await rejects(
        driver.deploy(small, signal).then(() => driver.start(small, signal)),
        { code: 'InvalidValueError' },
      );
      await driver.destroy(small, { force: true, signal });
    }
    const boundless = driver.setLimits(spec, { vcpu: 1e30, memoryBytes: 1e30 }, signal);
    if (contract.machines === undefined) await boundless;
    else await rejects(boundless, { code: 'UnsupportedError' });
  });

  it('counts processor time and memory', async () => {
    const spec = await running();
    const source = at().driver.counterSource(spec);
    if (source?.kind !== 'procfs') return;
    const before = readCounter(source, 'cpu_usec') ?? Number.POSITIVE_INFINITY;
    await at().sh(spec, 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done');
    ok((readCounter(source, 'cpu_usec') ?? 0) > before);
    ok((readCounter(source, 'memory_bytes') ?? 0) > 0);
  });
}

function describePorts(at: () => HypervisorWorld, { running, contract }: Suite): void {
  const pings = async (from: GuestSpec, to: string, count = 3, waitSeconds = 1): Promise<number> => {
    const { stdout } = await at().sh(from, `ping -n -c ${count} -i 0.05 -W ${waitSeconds} ${to}`);
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  };

  it('carries packets, and counts each of them', async () => {
    const a = await running({ ports: [at().port('10.1.3.1/24')] });
    const b = await running({ ports: [at().port('10.1.3.2/24')] });
    equal(await at().driver.getIp(a, at().signal), '10.1.3.1');
    equal(await pings(a, '10.1.3.2', 20, 5), 20); // a virtual machine that has just booted has other things to do
    const received = await at().sh(b, 'ip -s -j link show eth0 | grep -o \'"rx":{"bytes":[0-9]*,"packets":[0-9]*\'');
    const packets = Number(/packets":(\d+)/.exec(received.stdout)?.[1]);
    ok(packets >= 20 && packets <= 26, `20 echoes and at most 6 ARP messages, not ${packets}`);
  });

  it('changes ports of a running guest', async () => {
    const { driver, signal } = at();
    const [portA, portB] = [at().port('10.1.4.1/24'), at().port('10.1.4.2/24')];
    const [a, b] = [await running({ ports: [portA] }), await running({ ports: [portB] })];
    const moved = { ...portB, addresses: ['10.1.4.99/24', 'fd00:4::99/64'], mtu: 1400 };
    await driver.setPort(b, { before: portB, after: moved }, signal);
    equal(await pings(a, '10.1.4.99'), 3);
    equal(await pings(a, '10.1.4.2', 1), 0);
    match((await at().sh(b, 'ip addr show eth0')).stdout, /mtu 1400.*fd00:4::99/s);
    await driver.setPort(b, { before: moved, after: { ...moved, up: false } }, signal);
    equal(await pings(a, '10.1.4.99', 1), 0);
    await driver.setPort(b, { before: { ...moved, up: false }, after: { ...moved, segment: undefined } }, signal);
    equal(await pings(a, '10.1.4.99', 1), 0);
    await driver.setPort(b, { before: { ...moved, segment: undefined }, after: moved }, signal);
    equal(await pings(a, '10.1.4.99'), 3);
    const second = at().port('10.1.5.1/24', { name: 'a-rather-long-port-name' });
    await driver.setPort(b, { before: undefined, after: second }, signal);
    match((await at().sh(b, 'ip link; ip addr')).stdout, /alias a-rather-long-port-name.*10\.1\.5\.1/s);
    match((await at().sh(b, 'ip addr show eth0')).stdout, /fd00:4::99/);
    await driver.setPort(b, { before: second, after: undefined }, signal);
    ok(!(await at().sh(b, 'ip addr')).stdout.includes('10.1.5.1'));
  });

  it('keeps ports of a guarded guest closed until they are opened, those that come up later too', async () => {
    const { driver, signal } = at();
    const port = at().port('10.1.8.1/24');
    const peers = [running({ ports: [port], guarded: true }), running({ ports: [at().port('10.1.8.2/24')] })] as const;
    const [guard, peer] = await Promise.all(peers);
    const isReached = async (): Promise<boolean> =>
      / 1 (packets )?received/.test((await at().sh(peer, 'ping -n -c 1 -W 1 10.1.8.1')).stdout);
    const expectClosed = async (): Promise<void> => {
      ok(driver.hasClosedPorts(guard));
      ok(!(await isReached()));
      await driver.openPorts(guard, signal);
      ok(!driver.hasClosedPorts(guard));
      ok(await isReached());
    };
    await expectClosed();
    const down = { ...port, up: false };
    await driver.setPort(guard, { before: port, after: down }, signal);
    ok(!driver.hasClosedPorts(guard), 'one that is to be down is not closed');
    await driver.setPort(guard, { before: down, after: port }, signal);
    await expectClosed();
    await driver.setPort(guard, { before: port, after: { ...port, mtu: 1400 } }, signal);
    ok(!driver.hasClosedPorts(guard), 'another size lets packets pass on');
    if (contract.machines !== undefined) return; // they boot for a while
    await driver.restart(guard, signal);
    await expectClosed();
  });

  it('leaves a port as it was when the change fails', async () => {
    const { driver, signal } = at();
    const port = at().port('10.1.6.1/24');
    const spec = await running({ ports: [port] });
    const impossible = { ...port, addresses: ['10.1.6.77/24'], mtu: 1_000_000 };
    await rejects(driver.setPort(spec, { before: port, after: impossible }, signal), { code: 'NetworkError' });
    match((await at().sh(spec, 'ip -o addr show eth0')).stdout, /10\.1\.6\.1\/24/);
    equal(await driver.getIp(spec, signal), '10.1.6.1');
  });

  it('keeps a rate', async () => {
    const { driver, signal } = at();
    const port = at().port('10.1.7.1/24', { rateBps: 8_000_000 });
    const a = await running({ ports: [port] });
    const queues = contract.machines?.queues ?? (async () => (await at().sh(a, 'tc qdisc show dev eth0')).stdout);
    match(await queues(port), /tbf.*rate 8Mbit/);
    await driver.setPort(a, { before: port, after: { ...port, rateBps: undefined } }, signal);
    ok(!(await queues(port)).includes('tbf'));
  });
}
