import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount, type TestMountOptions } from './mount.ts';
import { patient } from './patience.ts';
import type { ShellResult } from './shell.ts';

/** A line a connection, at an address, for each port in its arguments: what is behind a service chain. */
const tcpServer = `use IO::Socket::IP;
my $address = shift;
for my $port (@ARGV) {
  next if fork;
  my $listening = IO::Socket::IP->new(LocalHost => $address, LocalPort => $port, Listen => 64, ReuseAddr => 1) or die;
  while (1) { my $peer = $listening->accept or next; print $peer "port $port\\n"; close $peer; }
}`;

/** Addresses of both networks, by version of IP: those of the subnets, the router, the client and the server. */
const plans = {
  4: { prefix: 24, lan: ['10.1.0.0', '10.1.0.1', '10.1.0.10'], wan: ['10.2.0.0', '10.2.0.1', '10.2.0.10'] },
  6: { prefix: 64, lan: ['fd00:1::', 'fd00:1::1', 'fd00:1::10'], wan: ['fd00:2::', 'fd00:2::1', 'fd00:2::10'] },
} as const;

export interface ChainLabOptions extends TestMountOptions {
  /** The versions of IP that the networks have. Default IPv4. */
  readonly families?: readonly (4 | 6)[];
}

/**
 * A mount with the networks lan and wan, a client and a server, and a router between them: the way that packets take while no service chain wants
 * them. Firewalls are there to be hops; they have no ports of their own.
 */
export class ChainLab implements AsyncDisposable {
  readonly mount: TestMount;
  readonly #families: readonly (4 | 6)[];

  private constructor(mount: TestMount, families: readonly (4 | 6)[]) {
    this.mount = mount;
    this.#families = families;
  }

  /** @param firewalls names of firewalls that run. */
  static async start(firewalls: readonly string[], options: ChainLabOptions = {}): Promise<ChainLab> {
    const { families = [4], ...ofMount } = options;
    const mount = await TestMount.start(ofMount);
    const lab = new ChainLab(mount, families);
    try {
      await lab.#build(firewalls);
      return lab;
    } catch (error) {
      await mount[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #build(firewalls: readonly string[]): Promise<void> {
    const all = this.#families.map((family) => plans[family]);
    const [lan, wan] = (['lan', 'wan'] as const).map((name) =>
      [0, 1, 2].map((which) => all.map((plan) => `${plan[name][which]}/${plan.prefix}`).join(' ')),
    ) as [string[], string[]];
    await this.run(`mkdir networks/lan networks/wan nf-types/host nf-types/router nf-types/firewall
      echo ${lan[0]} > networks/lan/subnet; echo ${wan[0]} > networks/wan/subnet; cd nf-types
      mkdir host/client host/server router/r; mkdir host/client/ports/eth0 host/server/ports/eth0 router/r/ports/lan router/r/ports/wan
      echo lan > host/client/ports/eth0/network; echo ${lan[2]} > host/client/ports/eth0/address
      echo wan > host/server/ports/eth0/network; echo ${wan[2]} > host/server/ports/eth0/address
      echo lan > router/r/ports/lan/network; echo ${lan[1]} > router/r/ports/lan/address
      echo wan > router/r/ports/wan/network; echo ${wan[1]} > router/r/ports/wan/address
      for v in host/client host/server router/r; do echo activate > $v/action; done`);
    for (const name of firewalls) await this.run(`mkdir nf-types/firewall/${name}; echo activate > nf-types/firewall/${name}/action`);
  }

  run(script: string): Promise<string> {
    return this.mount.run(script, { timeoutMs: 40_000 });
  }

  sh(script: string): Promise<ShellResult> {
    return this.mount.sh(script, { timeoutMs: 40_000 });
  }

  /** Absolute path of a VNF, as users write it. */
  vnf(name: string, type = 'firewall'): string {
    return `${this.mount.path}/nf-types/${type}/${name}`;
  }

  /** Address of the server, the first of those it has. */
  get server(): string {
    return plans[this.#families[0] ?? 4].wan[2];
  }

  /** The like of the client. */
  get client(): string {
    return plans[this.#families[0] ?? 4].lan[2];
  }

  /** Makes a service chain through firewalls, each in a hop of its own name. It is not active yet. */
  async chain(name: string, hops: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const links = hops.map((hop, index) => {
      const next = hops[index + 1];
      return `ln -s ${this.vnf(hop)} ${hop}; ${next === undefined ? '' : `ln -s ../${next} ${hop}/next`}`;
    });
    const values = Object.entries({ ingress: 'lan', egress: 'wan', ...settings }).map(([path, value]) => `echo '${value}' > ${path}`);
    await this.run(`mkdir chns/${name}; cd chns/${name}; ${links.join('\n')}
      ln -s ${hops[0]} start; ${values.join('; ')}`);
  }

  /** Writes a verb to the action of a service chain. */
  act(name: string, verb: string): Promise<string> {
    return this.run(`echo ${verb} > chns/${name}/action`);
  }

  /** Runs a command in a guest. @returns what it printed. */
  async in(name: string, command: string, type = 'host'): Promise<string> {
    const { stdout } = await this.sh(
      `cat > nf-types/${type}/${name}/command <<'EOC'\n${command}\nEOC\ncat nf-types/${type}/${name}/command`,
    );
    return stdout;
  }

  /** Answers TCP connections to these ports of the server. */
  async serve(...ports: readonly number[]): Promise<void> {
    for (const family of this.#families) {
      const address = plans[family].wan[2];
      await this.in('server', `setsid perl -e '${tcpServer}' ${address} ${ports.join(' ')} </dev/null >/dev/null 2>&1 &`);
    }
    for (const port of ports) await this.until(async () => (await this.connect(port)) === `port ${port}\n`, `port ${port} answers`);
  }

  /** What a TCP connection of the client to the server says; empty when it fails. */
  connect(port: number, address: string = this.server): Promise<string> {
    return this.in('client', `timeout 2 bash -c 'exec 3<>/dev/tcp/${address}/${port} && cat <&3' 2>/dev/null; true`);
  }

  /** How many pings of the client the server answered, of those it sent. */
  async ping(count = 3, options = '-i 0.02 -W 1', address: string = this.server): Promise<number> {
    const output = await this.in('client', `ping -n -q -c ${count} ${options} ${address}; true`);
    return Number(/(\d+) received/.exec(output)?.[1] ?? 'NaN');
  }

  /** Values of files of a service chain, by path below it. */
  async values(chain: string, ...paths: readonly string[]): Promise<string[]> {
    const output = await this.run(`cd chns/${chain}; for f in ${paths.join(' ')}; do v=$(cat $f); echo "$v"; done`);
    return output.trimEnd().split('\n');
  }

  /** Packets that came into each hop of a service chain. */
  async counts(chain: string, ...hops: readonly string[]): Promise<number[]> {
    return (await this.values(chain, ...hops.map((hop) => `${hop}/stats/in_packets`))).map(Number);
  }

  async until(condition: () => Promise<boolean>, what: string, timeoutMs = 15_000): Promise<void> {
    for (const deadline = Date.now() + patient(timeoutMs); !(await condition()); await delay(50))
      assert.ok(Date.now() < deadline, `not in time: ${what}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.mount[Symbol.asyncDispose]();
  }
}

/** What a failed command says of why: the text of its errno. */
export function errnoText({ stderr }: ShellResult): string {
  return /: ([A-Z][^:]*)\n$/.exec(stderr)?.[1] ?? stderr;
}
