import { equal, match, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { testImage } from '../support/guest-image.ts';
import { TestMount } from '../support/mount.ts';

/** A machine of its own, as far as the network is concerned: a namespace with an engine that listens on an address of its own. */
class Machine implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly #netns: string;
  readonly #here: string;
  engine: TestEngine | undefined;

  constructor(name: string, number: number) {
    this.name = name;
    this.address = `198.51.100.${number * 4 + 2}`;
    this.#netns = `nfiotest-${name}-${process.pid}`;
    this.#here = `nft${number}p${process.pid}`;
    const gateway = `198.51.100.${number * 4 + 1}/30`;
    ip('netns', 'add', this.#netns);
    ip('link', 'add', this.#here, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#netns);
    ip('addr', 'add', gateway, 'dev', this.#here);
    ip('link', 'set', this.#here, 'up');
    for (const words of [
      ['addr', 'add', `${this.address}/30`, 'dev', 'eth0'],
      ['link', 'set', 'eth0', 'up'],
      ['link', 'set', 'lo', 'up'],
    ])
      ip('-netns', this.#netns, ...words);
  }

  async start(): Promise<void> {
    const through = ['nsenter', `--net=/run/netns/${this.#netns}`];
    this.engine = await TestEngine.start({ through, flags: () => ['-H', `tcp://${this.address}:2375`, '--tls=false'] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine?.[Symbol.asyncDispose]();
    ip('link', 'del', this.#here);
    ip('netns', 'del', this.#netns);
  }
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

describe('VNFs on three machines', { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
  const machines: Machine[] = [];
  let mount: TestMount;
  const vnf = (name: string): string => `nf-types/host/on-${name}`;

  before(async () => {
    for (const [index, name] of ['rome', 'oslo', 'bern'].entries()) machines.push(new Machine(name, index));
    for (const machine of machines) await machine.start();
    mount = await TestMount.start({ insecureEngines: true });
    await mount.run('mkdir nf-types/host');
    for (const { name, address } of machines) {
      await mount.run(`mkdir hosts/${name}; echo docker > hosts/${name}/hypervisor; echo ${address}:2375 > hosts/${name}/address
        mkdir ${vnf(name)}; echo ${testImage} > ${vnf(name)}/machine/vm.image; echo ${name} > ${vnf(name)}/machine/ip`);
    }
  });
  after(async () => {
    await mount?.[Symbol.asyncDispose]();
    for (const machine of machines) await machine[Symbol.asyncDispose]();
  });

  /** Waits, as a person who looks again would. */
  const until = async (script: string, expected: RegExp): Promise<void> => {
    const deadline = performance.now() + 20_000;
    let shown = '';
    do shown = (await mount.sh(script)).stdout;
    while (!expected.test(shown) && performance.now() < deadline);
    match(shown, expected);
  };

  it('are deployed where machine/ip says, in parallel', async () => {
    for (const { name } of machines) await until(`cat hosts/${name}/status`, /^up\n$/);
    const activations = machines.map(({ name }) => `echo activate > ${vnf(name)}/action & pids+=($!)`).join('; ');
    await mount.run(`pids=(); ${activations}; for pid in "\${pids[@]}"; do wait "$pid"; done`);
    for (const { name, engine } of machines) {
      equal(
        await mount.run(`cat ${vnf(name)}/status; echo hostname > ${vnf(name)}/command; cat ${vnf(name)}/command`),
        `running\non-${name}\n`,
      );
      const containers = await engine?.ask<{ Names: string[] }[]>('GET', '/containers/json');
      deepNames(containers, `on-${name}`);
      match(await mount.run(`cat hosts/${name}/capacity`), /^vcpu \d+\nmemory_bytes \d+\n/);
    }
  });

  it('are beside those of this machine’s own hypervisor', async () => {
    await mount.run('mkdir nf-types/host/here; echo activate > nf-types/host/here/action');
    equal(await mount.run('cat nf-types/host/here/status hosts/local/hypervisor'), 'running\nnetns\n');
  });

  it('are unknown while their machine is away, and nobody else notices', async () => {
    const [rome, oslo] = machines;
    await rome?.engine?.stop('SIGKILL');
    await until(`cat ${vnf('rome')}/status hosts/rome/status`, /^unknown\nunreachable\n$/);
    match((await mount.sh(`echo stop > ${vnf('rome')}/action`)).stderr, /No route to host/);
    match((await mount.sh('cat hosts/rome/load')).stderr, /No route to host/);
    const { status } = await mount.sh(`timeout 20 grep -r . nf-types hosts > /dev/null`);
    ok(status === 0 || status === 2, 'what cannot be asked is an error, and nothing hangs');
    equal(await mount.run(`echo restart > ${vnf('oslo')}/action; cat ${vnf('oslo')}/status hosts/oslo/status`), 'running\nup\n');
    ok((oslo?.engine?.pid ?? 0) > 0);
    await rome?.engine?.run();
    await until(`cat hosts/rome/status ${vnf('rome')}/status`, /^up\n(running|exited \(\d+\))\n$/);
  });

  it('go on through a restart of nf.io', async () => {
    await mount.unmount();
    await mount.mount();
    await until(`cat ${vnf('oslo')}/status ${vnf('bern')}/status`, /^running\nrunning\n$/);
    await mount.run(`for v in ${machines.map(({ name }) => vnf(name)).join(' ')}; do echo destroy > $v/action; rmdir $v; done`);
    for (const { engine } of machines) equal((await engine?.ask<unknown[]>('GET', '/containers/json?all=1'))?.length, 0);
    await mount.run('rmdir hosts/rome hosts/oslo hosts/bern');
  });
});

function deepNames(containers: readonly { readonly Names: readonly string[] }[] | undefined, ending: string): void {
  equal(containers?.length, 1);
  ok(
    containers?.[0]?.Names.some((name) => name.endsWith(ending)),
    JSON.stringify(containers),
  );
}
