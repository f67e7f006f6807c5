import { randomInt } from 'node:crypto';
import { addressesOf, type PlacedPort, subnetOf } from '../../domain/addressing.ts';
import { familiesOf } from '../../domain/chains/families.ts';
import { flowText, parseFlow } from '../../domain/chains/flow.ts';
import { type ProbePair, probeShape } from '../../domain/chains/probe-packet.ts';
import { type ChainEnds, endsOf } from '../../domain/chains/steering-plan.ts';
import { traceText } from '../../domain/chains/trace-text.ts';
import { translatedBefore } from '../../domain/chains/translation.ts';
import { exitOf, latencyText, type ProbedHop, type Verification, verificationText } from '../../domain/chains/verification.ts';
import { addressBits, contains, type Family, formatAddress, parseCidr } from '../../domain/ip.ts';
import type { Direction } from '../../domain/ports/steering.ts';
import { type AppliedChain, type ChainRecord, idOf, type NetworkRecord } from '../../domain/records.ts';
import { NfioError } from '../../errors/index.ts';
import type { Model } from '../model.ts';
import type { ChainEditor } from './chain-editor.ts';
import { runsHere } from './chain-resolver.ts';
import type { ChainRuntimes } from './chain-runtimes.ts';
import { whyUnused } from './host-view.ts';
import { ProbeRunner } from './probe-run.ts';
import type { Steersman } from './steersman.ts';

/** How many probes are sent each way: to find out whether they pass, and how long they take. */
const verifyProbes = 3;
const latencyProbes = 20;
/** How long it may take to have traffic steered otherwise, which is never cut short, milliseconds. */
const steerTimeoutMs = 60_000;

/** Looks at the traffic of service chains, and sends some of its own. Only writing to a file does so; reading shows what was found. */
export class ChainProbes {
  readonly #model: Model;
  readonly #editor: ChainEditor;
  readonly #steersman: Steersman;
  readonly #runtimes: ChainRuntimes;
  readonly #runner: ProbeRunner;

  constructor(model: Model, parts: { readonly editor: ChainEditor; readonly steersman: Steersman; readonly runtimes: ChainRuntimes }) {
    this.#model = model;
    this.#editor = parts.editor;
    this.#steersman = parts.steersman;
    this.#runtimes = parts.runtimes;
    this.#runner = new ProbeRunner(model, parts);
  }

  /** Does what was written to `trace`, `verify` or `latency`. @throws InvalidValueError, InvalidActionError (EINVAL) for a service chain that is not active. */
  async write(serial: number, file: string, options: { readonly text: string; readonly signal: AbortSignal }): Promise<void> {
    await this.#editor.alone(serial, file, async (chain) => {
      if (file === 'trace') await this.#trace(chain, options.text);
      else if (file === 'verify')
        this.#runtimes.of(serial).verify = verificationText(await this.#probe(chain, verifyProbes, options.signal));
      else this.#runtimes.of(serial).latency = latencyText(await this.#probe(chain, latencyProbes, options.signal));
    });
    this.#model.publishChain(serial);
  }

  /** What became of the packets of the traced flow, hop by hop; empty when none is traced. */
  async trace(serial: number, signal: AbortSignal): Promise<string> {
    const chain = this.#model.inventory.chain(serial);
    const { traced } = this.#runtimes.of(serial);
    if (chain?.applied === undefined || traced === undefined) return '';
    const ends = endsOf(chain.applied, this.#model.inventory.networks());
    const names = { ingress: ends?.ingress.name ?? '?', egress: ends?.egress.name ?? '?' };
    const hops = hopsOf(chain.applied);
    const ports = hops.flatMap(({ entries }) => [...entries.forward, ...entries.backward]);
    const counts = await this.#model.parts.network.flowCounts(traced.name, ports, signal);
    return `${traceText({ flow: traced.flow, hops, ends: names, counts })}\n`;
  }

  /** An empty text ends a trace. */
  async #trace(chain: ChainRecord, text: string): Promise<void> {
    const runtime = this.#runtimes.of(chain.serial);
    const { traced } = runtime;
    const flow = text.trim() === '' ? undefined : parseFlow(text);
    if (flow !== undefined) activeOf(chain);
    runtime.traces += 1;
    runtime.traced = flow === undefined ? undefined : { name: `${idOf(chain.serial)}x${runtime.traces}`, flow };
    try {
      await this.#steersman.steer([chain], AbortSignal.timeout(steerTimeoutMs));
    } catch (error) {
      runtime.traced = traced;
      throw error;
    }
    if (flow !== undefined) this.#model.note({ path: `chns/${chain.name}`, what: 'trace', why: flowText(flow) });
  }

  /** A run for each version of IP. */
  async #probe(chain: ChainRecord, count: number, signal: AbortSignal): Promise<readonly Verification[]> {
    const applied = activeOf(chain);
    const ends = endsOf(applied, this.#model.inventory.networks());
    if (ends === undefined) throw new NfioError('NotFoundError', { message: 'one of its networks is gone: there is nothing to probe' });
    const families = familiesOf(ends, applied.match);
    const packets = Array.from({ length: 2 * count }, (_, number): Direction => (number < count ? 'forward' : 'backward'));
    const names = { ingress: ends.ingress.name, egress: ends.egress.name };
    const shape = probeShape(applied.match.conditions, { underWay: this.#intercepted(applied) });
    const hops = hopsOf(applied);
    const runs: Verification[] = [];
    for (const family of families) {
      const hosts = { ingress: this.#hostOn(ends.ingress, family), egress: this.#hostOn(ends.egress, family) };
      const pair = pairOf(family, hosts);
      const sightings = await this.#runner.run(chain, { shape, pair, hops, count }, signal);
      const label = families.length === 1 ? '' : (`IPv${family} ` as const);
      const returns = translatedBefore(applied, { hop: hops.length, network: ends.egress.name, family }, this.#model.translation);
      const unused = await this.#unused({ ends, hosts, answered: exitOf(sightings, hops)?.ends.source }, signal);
      runs.push({ label, hops, ends: names, packets, sightings, returns, unused });
    }
    return runs;
  }

  /** Why hosts would not use the service chain although probes pass it, there and back. */
  async #unused(
    how: { readonly ends: ChainEnds; readonly hosts: ProbedHosts; readonly answered: string | undefined },
    signal: AbortSignal,
  ): Promise<string> {
    const { ends, hosts, answered } = how;
    const { ingress, egress } = hosts;
    const there = { host: ingress.placed, network: ends.ingress, own: ingress.address, far: egress.address };
    const back = { host: egress.placed, network: ends.egress, own: egress.address, far: answered ?? ingress.address };
    return (await whyUnused(this.#model, there, signal)) || (await whyUnused(this.#model, back, signal));
  }

  #intercepted({ hops }: AppliedChain): boolean {
    const vnfs = hops.flatMap(({ instances }) => instances.map(({ vnf }) => this.#model.inventory.vnf(vnf)));
    return vnfs.some((vnf) => vnf !== undefined && this.#model.intercepts(vnf.type));
  }

  /** A host on a network that answers who has its address: hops have to find it out before they pass a probe on. */
  #hostOn(network: NetworkRecord, family: Family): ProbedHost {
    const subnet = parseCidr(subnetOf(network, family) ?? '');
    const ports = this.#model.inventory.portsOn(network.name).filter(({ vnf }) => runsHere(this.#model, vnf));
    const hostsFirst = ports.toSorted((a, b) => Number(this.#model.forwards(a.vnf.type)) - Number(this.#model.forwards(b.vnf.type)));
    for (const placed of hostsFirst) {
      const addresses = addressesOf(placed.port).map(parseCidr);
      const address = addresses.find((each) => contains(subnet, { ...each, prefixLength: addressBits(each.family) }));
      if (address !== undefined) return { placed, address: formatAddress(address) };
    }
    throw new NfioError('NotFoundError', {
      message: `no VNF that runs has an IPv${family} address on network ${network.name}: probes need one to go to`,
    });
  }
}

/** A port that probes say they come from or go to, and its address. */
interface ProbedHost {
  readonly placed: PlacedPort;
  readonly address: string;
}

interface ProbedHosts {
  readonly ingress: ProbedHost;
  readonly egress: ProbedHost;
}

function pairOf(family: Family, { ingress, egress }: ProbedHosts): ProbePair {
  const [number, label] = [randomInt(0x8000, 0x10000), randomInt(1, 0x10000)];
  return { family, ingressAddress: ingress.address, egressAddress: egress.address, number, label };
}

function activeOf({ applied }: ChainRecord): AppliedChain {
  if (applied !== undefined) return applied;
  throw new NfioError('InvalidActionError', { message: 'the service chain is inactive. Run, in it: echo activate > action' });
}

function hopsOf({ hops }: AppliedChain): ProbedHop[] {
  return hops.map(({ name, mode, instances }) => {
    const mirror = mode === 'mirror';
    const ingress = instances.map(({ ingressPort }) => idOf(ingressPort));
    const egress = mirror ? ingress : instances.map(({ egressPort }) => idOf(egressPort));
    return { name, mirror, entries: { forward: ingress, backward: egress } };
  });
}
