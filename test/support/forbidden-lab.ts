import { setTimeout as delay } from 'node:timers/promises';
import { TestMount, type TestMountOptions } from './mount.ts';

/** Rules that let nothing through, in the language of nft(8). */
export const dropAll = 'table inet filter { chain forward { type filter hook forward priority filter; policy drop; }; }';
/** Rules that let everything through. */
export const acceptAll = 'table inet filter { chain forward { type filter hook forward priority filter; policy accept; }; }';

export interface ForbiddenLabOptions extends TestMountOptions {
  /** Shell text, run before the guard is activated in its directory, nf-types/TYPE/guard. */
  readonly prepare?: string;
  /** Type of the guard. Default firewall. */
  readonly type?: string;
  /** nf_conf of the guard. Default: rules that drop everything. */
  readonly configuration?: string;
}

/**
 * A client and a server on two networks, and between them a guard that lets nothing through. The client sends pings to the server all the time, some
 * hundred a second, and knows the guard's hardware address for good: no answer may ever come.
 */
export class ForbiddenLab implements AsyncDisposable {
  readonly mount: TestMount;
  readonly #type: string;

  private constructor(mount: TestMount, type: string) {
    this.mount = mount;
    this.#type = type;
  }

  static async start(options: ForbiddenLabOptions = {}): Promise<ForbiddenLab> {
    const { prepare = '', type = 'firewall', configuration = dropAll, ...mountOptions } = options;
    const mount = await TestMount.start(mountOptions);
    const lab = new ForbiddenLab(mount, type);
    try {
      await lab.#build(prepare, configuration);
      return lab;
    } catch (error) {
      await mount[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The guard's directory, below the mountpoint. */
  get guard(): string {
    return `nf-types/${this.#type}/guard`;
  }

  async #build(prepare: string, configuration: string): Promise<void> {
    await this.run(`mkdir networks/lan networks/wan
      echo 10.1.0.0/24 > networks/lan/subnet; echo 10.2.0.0/24 > networks/wan/subnet
      mkdir -p nf-types/host/client/ports/eth0 nf-types/host/server/ports/eth0 ${this.guard}/ports/lan ${this.guard}/ports/wan
      port() { echo $2 > $1/network; echo $3/24 > $1/address; }
      port nf-types/host/client/ports/eth0 lan 10.1.0.10; port nf-types/host/server/ports/eth0 wan 10.2.0.10
      port ${this.guard}/ports/lan lan 10.1.0.1; port ${this.guard}/ports/wan wan 10.2.0.1
      echo 02:00:00:00:00:01 > ${this.guard}/ports/lan/mac; echo 02:00:00:00:00:02 > ${this.guard}/ports/wan/mac
      for v in client server; do echo activate > nf-types/host/$v/action; done
      cd ${this.guard}; ${prepare}
      cat > config/nf_conf <<'EOC'\n${configuration}\nEOC`);
    await this.in(
      'client',
      'ip neighbour replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent; ip route replace 10.2.0.0/24 via 10.1.0.1',
    );
    await this.in(
      'server',
      'ip neighbour replace 10.2.0.1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent; ip route replace 10.1.0.0/24 via 10.2.0.1',
    );
  }

  run(script: string, timeoutMs = 120_000): Promise<string> {
    return this.mount.run(script, { timeoutMs });
  }

  /** Writes a verb to the guard's action. */
  act(verb: string): Promise<string> {
    return this.run(`echo ${verb} > ${this.guard}/action || { cat ${this.guard}/error; exit 1; }`);
  }

  /** Runs a command in one of the hosts. @returns what it printed. */
  in(host: 'client' | 'server', command: string): Promise<string> {
    return this.run(`printf '%s\\n' '${command}' > nf-types/host/${host}/command; cat nf-types/host/${host}/command`);
  }

  /** Pings of the client that the server answered while something was done; NaN when none were sent. */
  async answered(what: () => Promise<unknown>): Promise<number> {
    await this.in('client', 'setsid ping -n -q -i 0.002 10.2.0.10 > /tmp/pings 2>&1 & echo $! > /tmp/pinger');
    try {
      await what();
      await delay(200); // a pinger that has hardly begun tells nothing
    } finally {
      await this.in('client', 'kill -INT $(cat /tmp/pinger); while kill -0 $(cat /tmp/pinger) 2>/dev/null; do sleep 0.02; done');
    }
    const said = await this.in('client', 'cat /tmp/pings');
    const [, sent = '0', received = 'NaN'] = /(\d+) packets transmitted, (\d+) received/.exec(said) ?? [];
    return Number(sent) < 20 ? Number.NaN : Number(received);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.mount[Symbol.asyncDispose]();
  }
}
