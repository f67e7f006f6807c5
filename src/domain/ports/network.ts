import type { ChainMatch } from '../chains/match.ts';
import type { NetworkChange } from '../network-change.ts';
import type { Counters } from './counters.ts';
import type { PortGuard } from './port-guard.ts';
import type { ChainCounts, FlowCounts, ProbeRun, ProbeSighting, SteeringPlan } from './steering.ts';

/** A layer-2 segment as wanted. */
export interface SegmentSpec {
  /** Stable, unique in a mount, `[a-z0-9]{6,12}`; the bridge's name derives from it. */
  readonly id: string;
  /** The name users gave it. */
  readonly name: string;
  /** Interface of this machine that the segment is connected to; empty: none. */
  readonly uplink: string;
  /** What its bridge passes on of frames to the groups that bridges keep to themselves, a bit for each (group_fwd_mask of ip-link(8)). Default: none. */
  readonly groupMask?: number;
}

/** A port (connection point) as wanted. */
export interface PortSpec {
  /** Stable, unique in a mount, `[a-z0-9]{6,12}`; the fabric side's interface name derives from it. */
  readonly id: string;
  /** Name users gave it; the interface's name in the guest when it has at most 15 bytes, else its alias. */
  readonly name: string;
  /** The segment it is on; undefined: none (a port without a network exists but carries nothing). */
  readonly segment: SegmentSpec | undefined;
  /** True for a port of a service chain: it is on no segment, the steering passes its frames on. Default false. */
  readonly steered?: boolean;
  /** Addresses in CIDR form, `10.1.0.10/24` or `fd00::1/64`. */
  readonly addresses: readonly string[];
  /** Next hop for all that no other route covers; undefined: no default route by this port. */
  readonly gateway: string | undefined;
  /** The same for the other version of IP. */
  readonly secondGateway?: string | undefined;
  /** Ways that service chains are, besides. Default: none. */
  readonly ways?: readonly PortWay[];
  /** Static, locally administered, derived from id when the user set none. */
  readonly mac: string;
  readonly mtu: number | undefined;
  readonly up: boolean;
  /** Bits per second out of the guest and into it; undefined: unlimited. */
  readonly rateBps: number | undefined;
  /** Added one-way delay, microseconds. */
  readonly delayUsec: number | undefined;
  /** Lost packets, per cent. */
  readonly lossPercent: number | undefined;
  /** What the fabric lets its guest send; absent: everything. */
  readonly guard?: PortGuard;
}

/** How a port's end in its guest is, whoever made it so. */
export interface PortState {
  readonly up: boolean;
  readonly mtu: number;
}

/** A route by a next hop that answers no questions: its hardware address is given too, and the fabric steers what is sent to it. */
export interface PortWay {
  /** In CIDR form; `0.0.0.0/0` and `::/0` are everywhere. */
  readonly to: string;
  readonly via: string;
  readonly mac: string;
}

/** What to change in a guest's network: files below /proc/sys with their values, whatever else changes when; what is to be there, or not; and nft tables. */
export interface NetworkSetup {
  readonly settings: readonly (readonly [path: string, value: string])[];
  /** In this order. One that finds its work done, or nothing to remove, does no harm. */
  readonly changes: readonly NetworkChange[];
  /** What is in nft tables of the family ip, by their names. Absent: there are none. */
  readonly tables?: Readonly<Record<string, string>>;
}

/** Makes segments, and steers traffic of service chains past them. Ports are made by the hypervisor drivers, on the same fabric. */
export interface NetworkDriver extends AsyncDisposable {
  /**
   * Calls a listener, from now on, with each port of a guest on this machine's kernel, by serial, whenever its end in the guest becomes another; undefined when it is
   * gone. Of virtual machines nothing is known: see HypervisorDriver.portStates.
   */
  watchPorts(listener: (port: number, state: PortState | undefined) => void): void;
  /** Makes the segment if it is not there. Idempotent. */
  ensureSegment(segment: SegmentSpec, signal: AbortSignal): Promise<void>;
  /** Removes it. Idempotent. */
  removeSegment(segment: SegmentSpec, signal: AbortSignal): Promise<void>;
  /** Makes a segment pass on what its `groupMask` says from now on, if it is there. */
  setGroupMask(segment: SegmentSpec): Promise<void>;
  /** Connects or (empty uplink in `after`) disconnects the machine's interface. Resolves to a sentence that says what was done. */
  setUplink(segment: SegmentSpec, signal: AbortSignal): Promise<string>;
  /**
   * What the ports of a segment, and its uplink, brought into it (rx), took from it (tx) and dropped, all together; undefined when the segment is
   * not there.
   */
  counters(segment: SegmentSpec, portIds: readonly string[], signal: AbortSignal): Promise<Counters | undefined>;
  /** What nft makes of a classifier. @throws InvalidValueError (EINVAL) for one that does not parse, or does more than compare. */
  checkMatch(text: string, signal: AbortSignal): Promise<ChainMatch>;
  /** Steers as planned from one moment to the next. @throws NetworkError (EIO); then traffic is steered as before. */
  steer(plan: SteeringPlan, signal: AbortSignal): Promise<void>;
  /**
   * Calls a listener each time that the steering, which someone else had changed in the kernel, is as planned again; with why when it cannot be made so. That is found
   * within a second or two.
   */
  onSteeringMended(listener: (failure: Error | undefined) => void): void;
  /** What became of a flow that is traced under a name, at these ports too. */
  flowCounts(name: string, ports: readonly string[], signal: AbortSignal): Promise<FlowCounts>;
  /** Makes the place from which probes are sent into a service chain; it has to be there before they are steered. Idempotent. */
  openProbe(chain: string): Promise<void>;
  closeProbe(chain: string): Promise<void>;
  /** Sends probes, and resolves to where they were seen once none can be under way any more. */
  sendProbes(run: ProbeRun, signal: AbortSignal): Promise<readonly ProbeSighting[]>;
  /** Ids of the ports that are there, whoever's they are. */
  portsThere(signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Guards these ports, and no others, as they say: what an earlier process left is replaced. */
  guard(ports: readonly PortSpec[]): Promise<void>;
  /** How many frames of each of these ports were dropped because they were forged; of those that are not guarded nothing is told. */
  spoofed(ports: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Calls a listener, from now on, within seconds of forged frames that were dropped; with why when this machine cannot guard ports. */
  onSpoofed(listener: (failure: Error | undefined) => void): void;
  /** Tells everyone else on the segments of ports that are open whose their addresses are. */
  announce(ports: readonly PortSpec[]): Promise<void>;
  /** Lets no frame pass ports any more, and lets them pass again. Those that are not there are left out. */
  closePorts(ports: readonly PortSpec[]): Promise<void>;
  openPorts(ports: readonly PortSpec[]): Promise<void>;
  /** Removes ports, those in guests with them. Idempotent. */
  removePorts(ids: readonly string[]): Promise<void>;
  /** What passed a service chain that is steered, and these ports of its hops; all zero for one that is not. */
  chainCounts(chain: string, ports: readonly string[], signal: AbortSignal): Promise<ChainCounts>;
  /** nf.io ends: no segment that is removed from now on is made again. */
  retire(): void;
  /** Removes what is left of this mount's network if nothing uses it any more: true when it did. */
  removeIfUnused(signal: AbortSignal): Promise<boolean>;
}
