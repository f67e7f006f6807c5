import type { ChainMatch } from './chains/match.ts';
import type { Placement } from './ports/hypervisor.ts';

/** Owner and permissions of one file. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits (07777). */
  readonly mode: number;
}

/** What every persistent object has. uid, gid and mode are those it was made with. */
export interface ObjectRecord extends Ownership {
  /** Unique in a root, never used twice; nodeids and the names of namespaces and interfaces derive from it. */
  readonly serial: number;
  /** Milliseconds since 1970; tells two objects with one serial apart should a root be restored from a backup. */
  readonly createdMs: number;
  /** Files of the object whose ownership someone changed, by path below the object (`machine/ip`; empty: its directory). */
  readonly ownership: Readonly<Record<string, Ownership>>;
  /** Why the record could not be read; absent: it was. What else it says but its place is made up then, and never written. */
  readonly unreadable?: string;
  /** Values users set, by path below the object; a value never set is absent. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A type directory: nf-types/TYPE. */
export interface TypeRecord extends ObjectRecord {
  readonly kind: 'type';
  readonly name: string;
}

/** A port: nf-types/TYPE/VNF/ports/PORT. It lives in the record of its VNF, so that both change in one write. */
export interface PortRecord extends ObjectRecord {
  readonly name: string;
}

/** A VNF: nf-types/TYPE/NAME. */
export interface VnfRecord extends ObjectRecord {
  readonly kind: 'vnf';
  readonly type: string;
  readonly name: string;
  readonly ports: readonly PortRecord[];
  /** True from before its guest is made until after it is destroyed. */
  readonly deployed: boolean;
  /** Where its guest is; undefined when it is not deployed. */
  readonly placement: Placement | undefined;
  /** Its guest was made with powers over the machine, which only root gives (see givesPower); absent: it was not. */
  readonly powerful?: boolean;
  /** A deployment failed, and so did cleaning up after it. */
  readonly inconsistent: boolean;
}

/** A network: networks/NAME. */
export interface NetworkRecord extends ObjectRecord {
  readonly kind: 'network';
  readonly name: string;
}

/** A machine that VNFs can run on: hosts/NAME. */
export interface HostRecord extends ObjectRecord {
  readonly kind: 'host';
  readonly name: string;
}

/** How much a user may have: quotas/USER. The user's number is among the settings, `uid`; the entry for all who have none of their own has none. */
export interface QuotaRecord extends ObjectRecord {
  readonly kind: 'quota';
  readonly name: string;
}

/** A symbolic link that a user made: `start` and `next`, and those to instances. The text is as the user wrote it. */
export interface LinkRecord extends ObjectRecord {
  readonly name: string;
  readonly target: string;
}

/** A hop of a service chain: chns/CHAIN/HOP. */
export interface HopRecord extends ObjectRecord {
  readonly name: string;
  /** The one called `next` leads to the hop after this one, the others to instances. */
  readonly links: readonly LinkRecord[];
}

/** A service chain: chns/NAME. Hops and links live in its record, so that a change of several is one write. */
export interface ChainRecord extends ObjectRecord {
  readonly kind: 'chain';
  readonly name: string;
  readonly hops: readonly HopRecord[];
  /** The one called `start` leads to the first hop. */
  readonly links: readonly LinkRecord[];
  /** What traffic is steered by; undefined: the chain is not active. */
  readonly applied: AppliedChain | undefined;
  /** False while guests and fabric are being brought to what `applied` says: after a crash nobody knows how far they are. */
  readonly settled: boolean;
}

/** A service chain as it was when it was last found right: what steers traffic, whatever its files say since. */
export interface AppliedChain {
  /** Serials of networks. */
  readonly ingress: number;
  readonly egress: number;
  readonly match: ChainMatch;
  readonly priority: number;
  readonly failure: FailurePolicy;
  /** In the order in which packets from the ingress pass them. */
  readonly hops: readonly AppliedHop[];
}

/** What becomes of traffic when a hop is dead: it stops, or goes on without the hop. */
export type FailurePolicy = 'closed' | 'open';

/** How a hop takes part: as a router, as a bump in the wire, or with a copy. */
export type HopMode = 'routed' | 'transparent' | 'mirror';

/** A hop of an active service chain. */
export interface AppliedHop {
  readonly serial: number;
  readonly name: string;
  readonly mode: HopMode;
  readonly instances: readonly AppliedInstance[];
}

/** A VNF in an active service chain, with the two ports that it has there. All by serial. */
export interface AppliedInstance {
  readonly vnf: number;
  /** Towards the ingress, and towards the egress. */
  readonly ingressPort: number;
  readonly egressPort: number;
}

/** Anything the state store keeps. */
export type StoredRecord = TypeRecord | VnfRecord | NetworkRecord | HostRecord | QuotaRecord | ChainRecord;

/** Where a record is kept: its path in the tree. */
export function recordKey(record: StoredRecord): string {
  switch (record.kind) {
    case 'type':
      return `nf-types/${record.name}`;
    case 'vnf':
      return `nf-types/${record.type}/${record.name}`;
    case 'network':
      return `networks/${record.name}`;
    case 'host':
      return `hosts/${record.name}`;
    case 'quota':
      return `quotas/${record.name}`;
    case 'chain':
      return `chns/${record.name}`;
  }
}

/** The short name that interfaces, namespaces and cgroups derive from: six to eleven characters of `[a-z0-9]`. */
export function idOf(serial: number): string {
  return serial.toString(36).padStart(6, '0');
}
