import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { GuestSpec, GuestStatus } from '../../src/domain/ports/hypervisor.ts';
import type { ErrorCode } from '../../src/errors/index.ts';
import type { HypervisorContract, HypervisorWorld } from './hypervisor.ts';

type State = Exclude<GuestStatus['state'], 'unknown'>;
type Verb = 'start' | 'stop' | 'restart' | 'pause' | 'unpause' | 'destroy' | 'execute';
/** The state a verb leads to, or the error it is refused with. */
type Outcome = State | ErrorCode;

const none = 'VNFNotFoundError';
const idle = 'VNFNotRunningError';

const outcomes: Readonly<Record<State, Readonly<Record<Verb, Outcome>>>> = {
  absent: { start: none, stop: none, restart: none, pause: none, unpause: none, execute: none, destroy: 'absent' },
  created: { start: 'running', stop: idle, restart: 'running', pause: idle, unpause: idle, execute: idle, destroy: 'absent' },
  running: {
    start: 'VNFStartError',
    stop: 'exited',
    restart: 'running',
    pause: 'paused',
    unpause: 'running',
    execute: 'running',
    destroy: 'VNFDestroyError',
  },
  paused: {
    start: 'VNFStartError',
    stop: 'exited',
    restart: 'running',
    pause: 'paused',
    unpause: 'running',
    execute: idle,
    destroy: 'VNFDestroyError',
  },
  exited: { start: 'running', stop: idle, restart: 'running', pause: idle, unpause: idle, execute: idle, destroy: 'absent' },
};

/** Registers the tests of what every verb does in every state, of many guests at once, and of limits and counters seen from both sides. */
export function describeLifecycle(contract: HypervisorContract): void {
  describe(`lives of guests, hypervisor ${contract.name}`, { skip: contract.skip ?? false, timeout: 360_000 }, () => {
    let world: HypervisorWorld;
    before(async () => {
      world = await contract.makeWorld();
    });
    after(async () => {
      await (world?.close() ?? Promise.resolve()).finally(contract.clear);
    });

    describeVerbs(() => world);
    describeMany(() => world);
    describeMeasures(() => world);
  });
}

function describeVerbs(at: () => HypervisorWorld): void {
  for (const state of Object.keys(outcomes) as State[]) {
    it(`takes or refuses every verb on a guest that is ${state}`, async () => {
      const verbs = Object.keys(outcomes[state]) as Verb[];
      await Promise.all(
        verbs.map(async (verb) => {
          const spec = at().guest({ ports: [at().port(`10.3.0.${at().guests.length + 1}/24`)] });
          at().guests.push(spec);
          await bring(at(), spec, state);
          equal(at().driver.guestStatus(spec).state, state);
          const outcome = outcomes[state][verb];
          const refused = outcome.endsWith('Error');
          if (refused) await rejects(act(at(), spec, verb), { code: outcome }, verb);
          else await act(at(), spec, verb);
          equal(at().driver.guestStatus(spec).state, refused ? state : outcome, verb);
          await at().driver.destroy(spec, { force: true, signal: at().signal });
          equal(at().driver.guestStatus(spec).state, 'absent');
        }),
      );
    });
  }
}

async function bring({ driver, signal }: HypervisorWorld, spec: GuestSpec, state: State): Promise<void> {
  if (state === 'absent') return;
  await driver.deploy(spec, signal);
  if (state === 'created') return;
  await driver.start(spec, signal);
  if (state === 'paused') await driver.pause(spec, signal);
  if (state === 'exited') await driver.stop(spec, signal);
}

function act({ driver, signal }: HypervisorWorld, spec: GuestSpec, verb: Verb): Promise<unknown> {
  switch (verb) {
    case 'start':
    case 'restart':
      return driver[verb](spec, signal);
    case 'stop':
    case 'pause':
    case 'unpause':
      return driver[verb](spec, signal);
    case 'destroy':
      return driver.destroy(spec, { force: false, signal });
    case 'execute':
      return driver.executeInGuest(spec, { argv: ['true'] }, { signal });
  }
}

function describeMany(at: () => HypervisorWorld): void {
  it('runs fifty guests at once, each with a port on one network', async () => {
    const { driver, signal } = at();
    const many = await Promise.all(
      Array.from({ length: 50 }, (_, index) => at().running({ ports: [at().port(`10.3.1.${index + 1}/24`)] })),
    );
    const [first, last] = [many[0], many.at(-1)];
    ok(first !== undefined && last !== undefined);
    equal((await at().sh(first, 'ping -n -c 3 -i 0.05 -W 2 10.3.1.50')).exitCode, 0);
    equal(new Set(await Promise.all(many.map((spec) => driver.getId(spec, signal)))).size, 50);
    await Promise.all(many.map((spec) => driver.destroy(spec, { force: true, signal })));
    deepEqual([...new Set(many.map((spec) => driver.guestStatus(spec).state))], ['absent']);
  });
}

function describeMeasures(at: () => HypervisorWorld): void {
  it('gives a guest no more processor time than its limit', async () => {
    const spec = await at().running({ limits: { vcpu: 0.25, memoryBytes: undefined } });
    const begin = performance.now();
    const before = await cpuUsec(at(), spec);
    await at().sh(spec, 'timeout 2 sh -c "while :; do :; done"');
    const used = (await cpuUsec(at(), spec)) - before;
    const share = used / 1000 / (performance.now() - begin);
    ok(share < 0.35, `a quarter of a processor is its limit, and it used ${share.toFixed(2)}`);
    ok(used > 0);
  });

  it('counts what was sent, within its headers', async () => {
    const [serverPort, clientPort] = [at().port('10.3.2.1/24'), at().port('10.3.2.2/24')];
    const server = await at().running({ ports: [serverPort], command: ['iperf3', '-s'] });
    const client = await at().running({ ports: [clientPort] });
    const before = await bytesIn(at(), server);
    const run = await at().sh(client, 'for try in 1 2 3 4 5; do iperf3 -J -c 10.3.2.1 -n 20M && exit; sleep 0.3; done; exit 1');
    equal(run.exitCode, 0, run.stdout);
    const { sum_sent, sum_received } = (JSON.parse(run.stdout) as { end: Record<'sum_sent' | 'sum_received', { bytes: number }> }).end;
    const counted = (await bytesIn(at(), server)) - before;
    // What the client had written and not yet sent when the test was over is not received. Segments of 536 bytes have 66 to 80 of headers.
    const { bytes: received } = sum_received;
    ok(counted >= received && counted <= sum_sent.bytes * 1.2, `${counted} bytes counted, ${received} received of ${sum_sent.bytes} sent`);
  });
}

async function cpuUsec(world: HypervisorWorld, spec: GuestSpec): Promise<number> {
  const source = world.driver.counterSource(spec);
  if (source?.kind !== 'procfs') return (await world.driver.counters(spec, world.signal))['cpu_usec'] ?? 0;
  const text = readFileSync(source.cpuPath ?? '', 'utf8');
  return text.startsWith('usage_usec') ? Number(/\d+/.exec(text)?.[0]) : Number(text) / 1000;
}

async function bytesIn(world: HypervisorWorld, spec: GuestSpec): Promise<number> {
  const source = world.driver.counterSource(spec);
  if (source?.kind !== 'procfs') return (await world.driver.counters(spec, world.signal))['rx_bytes'] ?? 0;
  return Number(/^\s*eth0:\s*(\d+)/m.exec(readFileSync(source.netDevPath, 'utf8'))?.[1]);
}
