import type { PortSpec } from '../../domain/ports/network.ts';
import type { PacketCount, SteeringPlan } from '../../domain/ports/steering.ts';
import { NfioError } from '../../errors/index.ts';
import type { Fabric } from '../fabric.ts';
import type { FabricRules } from '../fabric-rules.ts';
import { fabricPortName } from '../names.ts';
import { missingTool, type RunResult, runProgram } from '../run-program.ts';
import { transition } from './apply.ts';
import { FastPath } from './fast-path.ts';
import { type FastWays, fastWaysOf, sentName } from './fast-ways.ts';
import { atName, type NftChain, type NftProgram, programOf, segmentEntry, steeringTable, steeringTableName } from './program.ts';

/** Hears that the rules, which someone else had changed, are as planned again, or why they cannot be. */
export type SteeringListener = (failure: Error | undefined) => void;

/** What a frame has before its packet. */
const ethernetBytes = 14;

/** How often it is looked whether the rules are still ours, milliseconds. */
const lookMs = 1000;
/** How long putting them back may take, milliseconds. */
const mendTimeoutMs = 10_000;

/** So often rules are refused with the same interfaces before that is told. */
const mostTries = 3;

/** Exit status of nsenter for a program that it does not find. */
const notFound = 127;

const nothing: NftProgram = { chains: new Map(), counters: new Set() };
const noPlan: SteeringPlan = { chains: [], segments: [] };

/**
 * Steers frames in a fabric by nft rules at the interfaces there (netdev family, ingress hook). The rules are the kernel's: they outlive this
 * process, and one that comes after it replaces them in one transaction, without a frame noticing. Where the kernel can, frames take a faster path that
 * does what the rules say.
 */
export class Steering implements AsyncDisposable {
  readonly #fabric: Fabric;
  readonly #fastPath: FastPath;
  readonly #rules: FabricRules;
  #plan: SteeringPlan = noPlan;
  /** What the kernel has; undefined: not known yet. */
  #loaded: NftProgram | undefined;
  /** Ports that came to a segment since the plan was made, by their interface. */
  readonly #newcomers = new Map<string, NftChain>();
  #timer: NodeJS.Timeout | undefined;
  #listener: SteeringListener = () => undefined;
  /** Why rules could not be put back, as it was told last. */
  #told = '';
  #looking = false;

  constructor(fabric: Fabric, rules: FabricRules) {
    this.#fabric = fabric;
    this.#rules = rules;
    this.#fastPath = new FastPath(fabric);
    fabric.beforeAttach((ports) => this.#attach(ports));
    fabric.afterOpen((ports) => this.#offerAgain(ports));
  }

  /**
   * Makes the fabric steer as planned, all of it at one moment.
   *
   * @throws NetworkError (EIO) with what nft said; the fabric steers as before.
   */
  steer(plan: SteeringPlan, signal: AbortSignal): Promise<void> {
    this.#timer ??= setInterval(() => this.#lookNow(), lookMs).unref();
    return this.#rules.alone(async () => {
      this.#loaded ??= await this.#recover(signal);
      for (const { ports } of plan.segments) for (const { id } of ports) this.#newcomers.delete(atName(fabricPortName(id)));
      await this.#load(plan, signal);
      this.#plan = plan;
    });
  }

  /** Has someone hear of what is mended. */
  onMended(listener: SteeringListener): void {
    this.#listener = listener;
  }

  /** What counters of the steering say now, by name; those that are not there are left out. @throws NetworkError */
  async counters(names: readonly string[]): Promise<ReadonlyMap<string, PacketCount>> {
    if (!(await this.#fabric.exists())) return new Map();
    const [seen, past] = await Promise.all([
      this.#rules.reader.read({ netns: this.#fabric.netnsPath, family: 'netdev', table: steeringTableName }, names),
      this.#fastPath.counts(names),
    ]);
    return new Map([...seen].map(([name, count]) => [name, sum(count, past.get(name))]));
  }

  /** What went from hops to ports of segments without their interfaces in the fabric seeing it; bytes with those of Ethernet, as interfaces count. */
  async sentPast(ports: readonly string[]): Promise<PacketCount> {
    if (this.#plan.chains.length === 0) return { packets: 0, bytes: 0 };
    const past = await this.#fastPath.counts(ports.map(sentName));
    const sent = [...past.values()].reduce(sum, { packets: 0, bytes: 0 });
    return { packets: sent.packets, bytes: sent.bytes + ethernetBytes * sent.packets };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#fastPath[Symbol.asyncDispose]();
  }

  /** Looks whether someone else changed the rules, and puts them back. */
  #lookNow(): void {
    if (this.#looking || this.#plan.chains.length === 0) return;
    this.#looking = true;
    void this.#rules
      .alone(() => this.#mend())
      .catch((error: Error) => {
        if (error.message !== this.#told) this.#listener(error);
        this.#told = error.message;
      })
      .finally(() => {
        this.#looking = false;
      });
  }

  async #mend(): Promise<void> {
    if (await this.#rules.isChanged()) await this.#load(this.#plan, AbortSignal.timeout(mendTimeoutMs));
  }

  #mended(): void {
    this.#told = '';
    this.#listener(undefined);
  }

  /** A port comes to a segment, or a hop's port was made anew: the rules have it before a frame does. */
  #attach(ports: readonly PortSpec[]): Promise<void> {
    return this.#rules.alone(async () => {
      const anew = new Set<string>();
      let matters = false;
      for (const port of ports) {
        const device = fabricPortName(port.id);
        const segment = this.#plan.segments.find(({ id }) => id === port.segment?.id);
        this.#newcomers.delete(atName(device));
        if (port.steered === true || segment !== undefined) anew.add(device);
        if (segment === undefined) continue;
        this.#newcomers.set(atName(device), segmentEntry(port, segment, this.#rules.canGuard));
        matters = true;
      }
      this.#forget(anew);
      if (matters) await this.#load(this.#plan, AbortSignal.timeout(10_000));
    });
  }

  /** The fast path takes no port that is closed: it would let frames in. One that opens is offered again, to whom the plan knows. */
  #offerAgain(ports: readonly PortSpec[]): Promise<void> {
    if (this.#plan.chains.length === 0) return Promise.resolve();
    const segments = new Set(this.#plan.segments.map(({ id }) => id));
    const concerned = ports.some(({ steered, segment }) => steered === true || (segment !== undefined && segments.has(segment.id)));
    return concerned ? this.#rules.alone(() => this.#fastPath.offer(fastWaysOf(this.#plan))) : Promise.resolve();
  }

  /** Interfaces of these names are others now: rules that name one have to be loaded again. */
  #forget(devices: ReadonlySet<string>): void {
    this.#fastPath.forget(devices);
    if (this.#loaded === undefined || !hasAny(devicesIn(this.#loaded), devices)) return;
    const chains = new Map([...this.#loaded.chains].map(([name, chain]) => [name, hasAny(devicesOf(chain), devices) ? stale : chain]));
    this.#loaded = { ...this.#loaded, chains };
  }

  async #load(plan: SteeringPlan, signal: AbortSignal): Promise<void> {
    const [program, ways] = [this.#withNewcomers(programOf(plan, this.#rules.canGuard)), fastWaysOf(plan)];
    await this.#loadRules(program, ways, signal);
    await this.#fastPath.offer(ways);
  }

  async #loadRules(program: NftProgram, ways: FastWays, signal: AbortSignal): Promise<void> {
    const named = devicesIn(program);
    let failure = await this.#change(program, ways, signal);
    let tried = named;
    for (let times = 0; failure !== undefined; times += 1) {
      // A guest may have ended just now: its interfaces are gone, and rules cannot name them. Others may end, or come, while these are listed: only what
      // fails again and again with the same interfaces is wrong.
      const there = await this.#fabric.devices(signal);
      const left = new Set([...named].filter((device) => there.has(device)));
      if (!isSameSet(left, tried)) times = 0;
      if (times >= mostTries) throw new NfioError('NetworkError', { message: `traffic cannot be steered: nft: ${failure}` });
      tried = left;
      failure = await this.#change(withoutMissing(program, there), ways, signal);
    }
  }

  /** Resolves to what nft said when it refused; nothing has changed then. */
  async #change(program: NftProgram, ways: FastWays, signal: AbortSignal): Promise<string | undefined> {
    const changed = await this.#rules.isChanged();
    if (changed) this.#loaded = await this.#recover(signal);
    const script = transition(this.#loaded, program);
    if (script === '') return undefined;
    await this.#fabric.ensure();
    const unused = [...(this.#loaded?.counters ?? [])].filter((name) => !program.counters.has(name));
    await this.#fastPath.withdraw(ways, unused);
    const result = await this.#nft(['-f', '-'], { signal, input: script });
    if (result.exitCode !== 0) return firstError(result.stderr) || `exit status ${result.exitCode}`;
    this.#loaded = program;
    await this.#rules.noteOwn();
    if (changed) this.#mended();
    return undefined;
  }

  #withNewcomers(program: NftProgram): NftProgram {
    if (this.#newcomers.size === 0) return program;
    return { ...program, chains: new Map([...program.chains, ...this.#newcomers]) };
  }

  /** What an earlier process left: names only, so that everything is loaded again, and what is not wanted any more goes. */
  async #recover(signal: AbortSignal): Promise<NftProgram> {
    if (!(await this.#fabric.exists())) return nothing;
    const result = await this.#nft(['-j', '-t', 'list', 'table', ...steeringTable.split(' ')], { signal });
    if (result.exitCode !== 0) return nothing;
    const { nftables } = JSON.parse(result.stdout) as { readonly nftables: readonly ListedObject[] };
    return {
      chains: new Map(nftables.flatMap(({ chain }) => (chain === undefined ? [] : [[chain.name, stale] as const]))),
      counters: new Set(nftables.flatMap(({ counter }) => counter?.name ?? [])),
    };
  }

  /** @throws MissingToolError where there is no nft. */
  async #nft(argv: readonly string[], options: { readonly signal: AbortSignal; readonly input?: string }): Promise<RunResult> {
    const result = await runProgram(['nsenter', `--net=${this.#fabric.netnsPath}`, '--', 'nft', ...argv], options);
    if (result.exitCode === notFound) throw missingTool('nft');
    return result;
  }
}

function sum(one: PacketCount, other: PacketCount | undefined): PacketCount {
  return other === undefined ? one : { packets: one.packets + other.packets, bytes: one.bytes + other.bytes };
}

interface ListedObject {
  readonly chain?: { readonly name: string };
  readonly counter?: { readonly name: string };
}

/** A chain whose rules are not what is wanted, whatever that is. */
const stale: NftChain = { device: undefined, policy: 'accept', rules: ['?'] };

/** Interfaces that a program names. Found once: most ports that come are new to it. */
const inPrograms = new WeakMap<NftProgram, ReadonlySet<string>>();

function devicesIn(program: NftProgram): ReadonlySet<string> {
  const devices = inPrograms.get(program) ?? new Set([...program.chains.values()].flatMap((chain) => [...devicesOf(chain)]));
  inPrograms.set(program, devices);
  return devices;
}

/** Interfaces that an nft chain names. Found once: most are as they were. */
const inChains = new WeakMap<NftChain, ReadonlySet<string>>();

function devicesOf(chain: NftChain): ReadonlySet<string> {
  const devices = inChains.get(chain) ?? new Set([chain.device ?? [], chain.rules.flatMap(quoted)].flat());
  inChains.set(chain, devices);
  return devices;
}

function quoted(rule: string): string[] {
  return [...rule.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name);
}

function isSameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((each) => other.has(each));
}

function hasAny(all: ReadonlySet<string>, some: ReadonlySet<string>): boolean {
  return [...some].some((each) => all.has(each));
}

/** The program without interfaces that are not there: what would go to one is dropped, as what goes to a dead hop is. */
function withoutMissing(program: NftProgram, there: ReadonlySet<string>): NftProgram {
  const chains = new Map<string, NftChain>();
  for (const [name, chain] of program.chains) {
    if (chain.device !== undefined && !there.has(chain.device)) continue;
    chains.set(name, { ...chain, rules: chain.rules.map((rule) => withoutMissingTargets(rule, there)) });
  }
  return { ...program, chains };
}

function withoutMissingTargets(rule: string, there: ReadonlySet<string>): string {
  const [, before, map] = /^(.*fwd to ether daddr map) \{ (.*) \}$/.exec(rule) ?? [];
  if (map !== undefined) {
    const left = map.split(', ').filter((element) => there.has(/"(.*)"/.exec(element)?.[1] ?? ''));
    return left.length === 0 ? 'continue' : `${before} { ${left.join(', ')} }`;
  }
  return rule.replace(/(fwd|dup) to "([^"]*)"/g, (whole, verb: string, device: string) => {
    if (there.has(device)) return whole;
    return verb === 'fwd' ? 'drop' : '';
  });
}

function firstError(stderr: string): string {
  return (stderr.split('\n').find((line) => line.includes('Error')) ?? stderr.split('\n')[0] ?? '').replace(/^.*?Error: /, '').trim();
}
