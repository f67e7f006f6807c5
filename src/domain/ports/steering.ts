import type { Family } from '../ip.ts';
import type { PortGuard } from './port-guard.ts';

/** Which way a packet goes through a service chain: from its ingress to its egress, or back. */
export const directions = ['forward', 'backward'] as const;
export type Direction = (typeof directions)[number];

/** What becomes of packets of a service chain at some place. */
export interface Onward {
  /** Ports that get a copy first: hops that only look. */
  readonly copies: readonly string[];
  readonly target: Target;
}

/** Where packets go from a place. */
export type Target =
  /** Into a hop. */
  | { readonly kind: 'hop'; readonly entries: readonly HopEntry[] }
  /** Out of the service chain, onto a segment. */
  | { readonly kind: 'segment'; readonly segment: string }
  /** A hop on their way is dead. */
  | { readonly kind: 'nowhere' }
  /** The way they would take without the service chain. */
  | { readonly kind: 'plain' };

/** A way into a hop, one for each of its instances. */
export interface HopEntry {
  readonly port: string;
  /** Packets are addressed to it; undefined: they pass as they are (a bump in the wire). */
  readonly mac: string | undefined;
  /** Which of the `buckets` that flows are spread over are its own; none where it is the only way in. */
  readonly buckets: readonly number[];
}

/** Flows are spread over the instances of a hop by a hash with so many values. */
export const buckets = 128;

/** Addresses that packets of a service chain come from or go to at one of its ends. */
export interface Reach {
  /** The only ones, in CIDR form; undefined: all but `except`. */
  readonly only: string | undefined;
  readonly except: readonly string[];
}

/** Where packets of one version of IP come from, and where they go to. */
export interface ReachPair {
  readonly family: Family;
  readonly sources: Reach;
  readonly destinations: Reach;
}

/** Picks the packets of a service chain among those that come from a segment. */
export interface Classifier {
  readonly segment: string;
  /** For each version of IP that it picks packets of. */
  readonly pairs: readonly ReachPair[];
  /** Conditions in the language of nft, checked by it. */
  readonly condition: string;
  /** The like for packets that come back to addresses which hops translate to. */
  readonly translated?: { readonly pairs: readonly ReachPair[]; readonly condition: string };
}

/** How a port of a hop asks for hardware addresses: the segment, and what it must say of itself. */
export interface Asking {
  readonly segment: string;
  readonly mac: string;
  /** Its own addresses, any of which it may ask under, for each version of IP that it passes on. */
  readonly addresses: Readonly<Partial<Record<Family, readonly string[]>>>;
  /** Addresses that it translates to: it asks under them too, and the question is made to come from its first own one, so that nobody takes them to be at this port. */
  readonly translated?: Readonly<Partial<Record<Family, readonly string[]>>>;
}

/** What leaves a hop by one of its ports. */
export interface PortSteering {
  readonly port: string;
  readonly direction: Direction;
  /** The port may ask for hardware addresses; undefined: it asks nobody. */
  readonly asks: Asking | undefined;
  readonly onward: Onward;
}

/** One service chain, as the fabric is to steer it. */
export interface ChainSteering {
  readonly id: string;
  readonly priority: number;
  /** Versions of IP that it passes on. */
  readonly families: readonly Family[];
  readonly classifiers: Readonly<Record<Direction, Classifier>>;
  /** What becomes of packets that were picked. */
  readonly entries: Readonly<Record<Direction, Onward>>;
  readonly ports: readonly PortSteering[];
  /** A flow whose packets are counted at each step, under a name of `[a-z0-9]` of its own. */
  readonly traced?: { readonly name: string; readonly flow: Flow } | undefined;
  /** Packets of nf.io's own are under way: how to know them at the end, where they go no further. */
  readonly probe?: ProbeMark | undefined;
}

/** One end of a flow. */
export interface FlowEnd {
  /** In its canonical form. */
  readonly address: string;
  /** undefined: any, or there is none. */
  readonly port: number | undefined;
}

/** Packets of one conversation, as they leave the ingress. */
export interface Flow {
  /** `icmp` is ICMPv6 between IPv6 addresses. */
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly family: Family;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
}

/** What probes of one run have in common. */
export interface ProbeMark {
  readonly family: Family;
  /** The identification of an IPv4 packet, the flow label of an IPv6 one: 16 bits. */
  readonly label: number;
  /** Of the whole packet, bytes. */
  readonly length: number;
}

/** How many packets of a traced flow were seen where. */
export interface FlowCounts {
  /** Coming from the segment at their end, whatever became of them. */
  seen(direction: Direction): number;
  /** Picked by the service chain. */
  picked(direction: Direction): number;
  into(port: string): number;
  from(port: string): number;
}

/** Packets to send through a service chain, and where to look for them. */
export interface ProbeRun {
  readonly chain: string;
  readonly mark: ProbeMark;
  /** Whole IP packets, in the order to send them. */
  readonly packets: readonly { readonly direction: Direction; readonly bytes: Uint8Array }[];
  /** Ids of the ports of its hops. */
  readonly ports: readonly string[];
}

/** A probe was seen at a port of a hop. */
export interface ProbeSighting {
  readonly port: string;
  /** Going into the hop, or coming out of it. */
  readonly way: 'into' | 'from';
  /** Which of the packets, by its place in the run. */
  readonly packet: number;
  /** The kernel's time of it, nanoseconds since some moment. */
  readonly timeNs: number;
  /** Who it said there that it is from and for. */
  readonly ends: ProbeEnds;
}

/** Who a packet is from and for, in canonical form, and their ports; of a ping both are its identifier. */
export interface ProbeEnds {
  readonly source: string;
  readonly sourceNumber: number;
  readonly destination: string;
  readonly destinationNumber: number;
}

/** Everything the fabric is to steer. */
export interface SteeringPlan {
  readonly chains: readonly ChainSteering[];
  /** The segments that packets are picked from, with the ports on them. */
  readonly segments: readonly SteeredSegment[];
}

/** A port on a segment that packets of service chains come from. */
export interface SteeredPort {
  readonly id: string;
  readonly mac: string;
  /** In CIDR form. */
  readonly addresses: readonly string[];
  /** What its guest may send; absent: everything. */
  readonly guard?: PortGuard;
}

/** A segment that packets of service chains come from. */
export interface SteeredSegment {
  readonly id: string;
  readonly ports: readonly SteeredPort[];
  /** Interface of the machine that it is connected to; empty: none. */
  readonly uplink: string;
}

/** Packets and bytes, at one place. */
export interface PacketCount {
  readonly packets: number;
  readonly bytes: number;
}

/** What passed a service chain, and each port of its hops by the port's id. */
export interface ChainCounts {
  readonly in: Readonly<Record<Direction, PacketCount>>;
  readonly out: Readonly<Record<Direction, PacketCount>>;
  /** Into a hop by a port, and out of it. */
  into(port: string): PacketCount;
  from(port: string): PacketCount;
}
