import type { ChainMatch } from '../domain/chains/match.ts';
import type { Counters } from '../domain/ports/counters.ts';
import type { NetworkDriver, PortSpec, SegmentSpec } from '../domain/ports/network.ts';
import type { ChainCounts, FlowCounts, ProbeRun, ProbeSighting, SteeringPlan } from '../domain/ports/steering.ts';
import type { Fabric } from './fabric.ts';
import { FabricRules } from './fabric-rules.ts';
import { Guard, type GuardListener } from './guard/guard.ts';
import { LinkWatch, type PortListener } from './link-watch.ts';
import { fabricPortName, isFabricPort } from './names.ts';
import { sumCounters } from './segment-counters.ts';
import { MatchChecker } from './steering/check-match.ts';
import { countersOf, countsOf, flowCountersOf, flowCountsOf } from './steering/counts.ts';
import { closeProbe, openProbe, sendProbes } from './steering/probe.ts';
import { Steering, type SteeringListener } from './steering/steering.ts';
import { Uplinks } from './uplink.ts';

/** Segments as bridges in the fabric. */
export class FabricNetwork implements NetworkDriver {
  readonly #fabric: Fabric;
  readonly #uplinks: Uplinks;
  readonly #rules: FabricRules;
  readonly #guard: Guard;
  readonly #steering: Steering;
  #watch: LinkWatch | undefined;
  readonly #matches = new MatchChecker();

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
    this.#uplinks = new Uplinks(fabric);
    this.#rules = new FabricRules(fabric);
    this.#guard = new Guard(fabric, this.#rules);
    this.#steering = new Steering(fabric, this.#rules);
  }

  watchPorts(listener: PortListener): void {
    this.#watch = new LinkWatch(this.#fabric.mountId, this.#fabric.netnsPath, listener);
    void this.#fabric.exists().then((exists) => exists && this.#watch?.begin());
  }

  async ensureSegment(segment: SegmentSpec, _signal: AbortSignal): Promise<void> {
    await this.#fabric.ensureSegment(segment);
    this.#watch?.begin();
  }

  async removeSegment(segment: SegmentSpec, signal: AbortSignal): Promise<void> {
    await this.#uplinks.disconnect(segment, signal);
    await this.#fabric.removeSegment(segment);
  }

  setGroupMask(segment: SegmentSpec): Promise<void> {
    return this.#fabric.setGroupMask(segment);
  }

  async setUplink(segment: SegmentSpec, signal: AbortSignal): Promise<string> {
    await this.#fabric.ensureSegment(segment);
    return this.#uplinks.connect(segment, signal);
  }

  async counters(segment: SegmentSpec, portIds: readonly string[], _signal: AbortSignal): Promise<Counters | undefined> {
    const netDev = await this.#fabric.readNetDev(segment);
    if (netDev === undefined) return undefined;
    const seen = sumCounters(netDev, new Set([...portIds.map(fabricPortName), segment.uplink]));
    const sent = await this.#steering.sentPast(portIds);
    return { ...seen, tx_packets: (seen['tx_packets'] ?? 0) + sent.packets, tx_bytes: (seen['tx_bytes'] ?? 0) + sent.bytes };
  }

  checkMatch(text: string, signal: AbortSignal): Promise<ChainMatch> {
    return this.#matches.check(text, signal);
  }

  steer(plan: SteeringPlan, signal: AbortSignal): Promise<void> {
    return this.#steering.steer(plan, signal);
  }

  onSteeringMended(listener: SteeringListener): void {
    this.#steering.onMended(listener);
  }

  async flowCounts(name: string, ports: readonly string[], _signal: AbortSignal): Promise<FlowCounts> {
    return flowCountsOf(name, await this.#steering.counters(flowCountersOf(name, ports)));
  }

  openProbe(chain: string): Promise<void> {
    return openProbe(this.#fabric, chain);
  }

  closeProbe(chain: string): Promise<void> {
    return closeProbe(this.#fabric, chain);
  }

  sendProbes(run: ProbeRun, signal: AbortSignal): Promise<readonly ProbeSighting[]> {
    return sendProbes(this.#fabric, run, signal);
  }

  async portsThere(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const names = [...(await this.#fabric.devices(signal))];
    return new Set(names.filter((name) => isFabricPort(name)).map((name) => name.slice(1)));
  }

  guard(ports: readonly PortSpec[]): Promise<void> {
    return this.#guard.guard(ports);
  }

  spoofed(ports: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#guard.spoofed(ports);
  }

  onSpoofed(listener: GuardListener): void {
    this.#guard.onSpoofed(listener);
  }

  announce(ports: readonly PortSpec[]): Promise<void> {
    return this.#fabric.announce(ports);
  }

  closePorts(ports: readonly PortSpec[]): Promise<void> {
    return this.#fabric.close(ports);
  }

  openPorts(ports: readonly PortSpec[]): Promise<void> {
    return this.#fabric.open(ports);
  }

  removePorts(ids: readonly string[]): Promise<void> {
    return this.#fabric.removePorts(ids);
  }

  async chainCounts(chain: string, ports: readonly string[], _signal: AbortSignal): Promise<ChainCounts> {
    return countsOf(chain, await this.#steering.counters(countersOf(chain, ports)));
  }

  retire(): void {
    this.#fabric.retire();
  }

  async removeIfUnused(signal: AbortSignal): Promise<boolean> {
    const removed = await this.#fabric.removeIfUnused(signal);
    if (removed) this.#guard.forget();
    return removed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
    await this.#steering[Symbol.asyncDispose]();
    await this.#guard[Symbol.asyncDispose]();
    await this.#rules[Symbol.asyncDispose]();
    await this.#fabric[Symbol.asyncDispose]();
  }
}
