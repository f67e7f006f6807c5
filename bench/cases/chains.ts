import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Row } from '../benchmark.ts';
import { type Comparison, compare, compareSamples, type Measure, type Subject } from '../measure.ts';
import { NfioMount } from '../nfio.ts';
import { run } from '../processes.ts';
import { Unavailable } from '../unavailable.ts';
import { onOneCpu, type Workshop } from '../workshop.ts';

const byHand = join(import.meta.dirname, '..', 'peers', 'chain-by-hand.sh');
const hopCounts = [1, 3, 8] as const;
const mostHops = 8;
const manyChains = 100;
/** Seconds of each transfer. */
const transferSeconds = 1;

/** Networks, hosts and hops; the chain goes through the first hops as many as are asked for. */
const build = `
cd "$1"
mkdir networks/lan networks/wan
echo 10.1.0.0/24 >networks/lan/subnet
echo 10.2.0.0/24 >networks/wan/subnet
mkdir -p nf-types/host/client/ports/eth0 nf-types/host/server/ports/eth0 nf-types/router/r/ports/lan nf-types/router/r/ports/wan nf-types/router
echo lan >nf-types/host/client/ports/eth0/network; echo 10.1.0.10/24 >nf-types/host/client/ports/eth0/address
echo wan >nf-types/host/server/ports/eth0/network; echo 10.2.0.10/24 >nf-types/host/server/ports/eth0/address
echo lan >nf-types/router/r/ports/lan/network; echo 10.1.0.1/24 >nf-types/router/r/ports/lan/address
echo wan >nf-types/router/r/ports/wan/network; echo 10.2.0.1/24 >nf-types/router/r/ports/wan/address
for v in host/client host/server router/r; do echo activate >nf-types/$v/action; done
for ((i = 1; i <= $2; i++)); do mkdir nf-types/router/h$i; echo activate >nf-types/router/h$i/action; done`;

/** chain NAME HOPS MATCH: links and values, not active yet. */
const chainFunction = `
chain() {
  local c="$M/chns/$1" i
  mkdir "$c"
  for ((i = 1; i <= $2; i++)); do ln -s "$M/nf-types/router/h$i" "$c/h$i"; ((i == 1)) || ln -s "../h$i" "$c/h$((i - 1))/next"; done
  ln -s h1 "$c/start"
  echo lan >"$c/ingress"; echo wan >"$c/egress"; echo "$3" >"$c/match"
}
M=$1`;

/** A transfer of nf.io's own guests of $2 seconds; $3 is how to start iperf3. */
const transfer = `
cd "$1"
echo "$3 -s -1 -D -p 5999 >/dev/null" >nf-types/host/server/command
sleep 0.3
echo "$3 -c 10.2.0.10 -p 5999 -t $2 -f k -C cubic" >nf-types/host/client/command
cat nf-types/host/client/command`;

/** Service chains of routed hops against the same wired by hand. */
export const chains: Benchmark = {
  name: 'chains',
  summary: `service chains of ${hopCounts.join(', ')} routed hops against the same wired by hand`,
  async run(workshop: Workshop, runs: number): Promise<readonly Row[]> {
    if (!existsSync('/usr/bin/iperf3')) throw new Unavailable('iperf3 is not installed: run bench/setup.js.');
    const mount = await NfioMount.start(workshop, 'nfio', { oneCpu: false });
    await mount.shell(build, String(mostHops));
    const rows = [
      ...(await throughput(workshop, mount, runs)),
      ...(await activation(workshop, mount, runs)),
      ...(await many(workshop, mount)),
    ];
    return rows;
  },
};

async function throughput(workshop: Workshop, mount: NfioMount, runs: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const hops of hopCounts) {
    await mount.shell(`${chainFunction}\nchain t "$2" 'tcp dport 5999'; echo activate >"$M/chns/t/action"`, String(hops));
    await using steered = await HandWired.start(workshop, 'steered', hops);
    await using bridged = await HandWired.start(workshop, 'bridges', hops);
    await using direct = await HandWired.start(workshop, 'pairs', hops);
    const subjects = new Map<string, Subject>([
      ['nf.io', async () => secondsPerGigabit(await mount.shell(transfer, String(transferSeconds), onOneCpu(['iperf3']).join(' ')))],
      ['ip and nft', () => steered.transfer()],
      ['ip, bridges', () => bridged.transfer()],
      ['ip, veth pairs', () => direct.transfer()],
    ]);
    const operation = `a gigabit through ${hops} hop${hops === 1 ? '' : 's'}`;
    const comparisons: Comparison[] = [
      { operation, ours: 'nf.io', peer: 'ip and nft', target: { limit: 1 / 0.97 } },
      { operation, ours: 'nf.io', peer: 'ip, bridges' },
      { operation, ours: 'nf.io', peer: 'ip, veth pairs' },
    ];
    rows.push(...(await compare('chains', { subjects, comparisons, runs: Math.ceil(runs / 2), signal: workshop.signal })));
    await mount.shell('cd "$1"; echo stop >chns/t/action; rm -r chns/t');
  }
  return rows;
}

/** From namespaces that run to traffic that is steered through eight of them. */
async function activation(workshop: Workshop, mount: NfioMount, runs: number): Promise<readonly Row[]> {
  await mount.shell(`${chainFunction}\nchain t "$2" 'tcp dport 5999'`, String(mostHops));
  await using steered = await HandWired.start(workshop, 'steered', mostHops);
  await using bridged = await HandWired.start(workshop, 'bridges', mostHops);
  const activate: Measure = async () => {
    const script = 'cd "$1"; s=$EPOCHREALTIME; echo activate >chns/t/action; e=$EPOCHREALTIME; echo stop >chns/t/action; echo "$s $e"';
    return duration(await mount.shell(script));
  };
  const subjects = new Map<string, Subject>([
    ['nf.io', activate],
    ['ip and nft', () => steered.wire()],
    ['ip, bridges', () => bridged.wire()],
  ]);
  const operation = `steering through ${mostHops} running namespaces`;
  const target = { limit: 1, exclusive: true };
  const comparisons = ['ip and nft', 'ip, bridges'].map((peer): Comparison => ({ operation, ours: 'nf.io', peer, target }));
  const rows = await compare('chains', { subjects, comparisons, runs, signal: workshop.signal });
  await mount.shell('cd "$1"; rm -r chns/t');
  return rows;
}

/** A hundred service chains of three hops, activated one after another in a loop; by hand nobody does that, so the hundredth is set against the first. */
async function many(workshop: Workshop, mount: NfioMount): Promise<readonly Row[]> {
  const script = `${chainFunction}
for ((n = 1; n <= $2; n++)); do chain "c$n" 3 "tcp dport $((10000 + n))"; done
for ((n = 1; n <= $2; n++)); do s=$EPOCHREALTIME; echo activate >"$M/chns/c$n/action"; echo "$s $EPOCHREALTIME"; done
for ((n = 1; n <= $2; n++)); do echo stop >"$M/chns/c$n/action"; rm -r "$M/chns/c$n"; done`;
  workshop.signal.throwIfAborted();
  const times = (await mount.shell(script, String(manyChains))).trim().split('\n').map(duration);
  const tenth = manyChains / 10;
  const samples = new Map([
    ['last ten', times.slice(-tenth)],
    ['first ten', times.slice(0, tenth)],
  ]);
  const subjects = new Map<string, Subject>([...samples.keys()].map((name) => [name, async () => 0]));
  return compareSamples('chains', subjects, {
    comparisons: [{ operation: `activating one of ${manyChains} chains of 3 hops`, ours: 'last ten', peer: 'first ten' }],
    samples,
  });
}

/** The same topology by ip and nft, in namespaces of its own. */
class HandWired implements AsyncDisposable {
  readonly #prefix: string;
  readonly #kind: string;
  readonly #hops: number;

  private constructor(kind: string, hops: number) {
    this.#prefix = `nfio-hand-${process.pid}-${kind}`;
    this.#kind = kind;
    this.#hops = hops;
  }

  /**
   * @param kind what is between two hops: a bridge, as between any two hosts on a network, or nothing but a veth pair. `steered`: bridges, and
   * besides a way without the hops; rules of nft choose.
   */
  static async start(workshop: Workshop, kind: 'steered' | 'bridges' | 'pairs', hops: number): Promise<HandWired> {
    workshop.signal.throwIfAborted();
    const wired = new HandWired(kind, hops);
    await wired.#script('build');
    await wired.#script('wire');
    return wired;
  }

  async transfer(): Promise<number> {
    return secondsPerGigabit(await run(onOneCpu(this.#command('transfer', String(transferSeconds)))));
  }

  /** Takes the wiring of the hops down, and times putting it up. */
  async wire(): Promise<number> {
    await this.#script('unwire');
    return duration(await this.#script('wire'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#script('remove');
  }

  #script(verb: string): Promise<string> {
    return run(this.#command(verb));
  }

  #command(verb: string, ...args: readonly string[]): readonly string[] {
    return ['bash', byHand, verb, this.#prefix, this.#kind, String(this.#hops), ...args];
  }
}

/** Of what iperf3 prints at its end: `… 9876543 Kbits/sec … receiver`. */
function secondsPerGigabit(output: string): number {
  const rate = /([\d.]+) Kbits\/sec\s+receiver/.exec(output)?.[1];
  if (rate === undefined) throw new Error(`iperf3 did not say how fast it was: ${output.slice(-300)}`);
  return 1e6 / Number(rate);
}

/** Of two moments in seconds, `BEGIN END`. */
function duration(text: string): number {
  const [begin, end] = text.trim().split(' ').map(Number);
  return (end ?? Number.NaN) - (begin ?? Number.NaN);
}
