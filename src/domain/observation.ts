import type { ChainState } from './chains/chain-lifecycle.ts';
import type { VnfState } from './lifecycle.ts';
import type { CounterSource, GuestRoot, HypervisorName } from './ports/hypervisor.ts';
import type { PortState } from './ports/network.ts';
import type { Limits } from './quotas.ts';
import type { ChainRecord, HostRecord, NetworkRecord, QuotaRecord, TypeRecord, VnfRecord } from './records.ts';

/** Path of the file that virtual machines have: hidden in other VNFs, until a copy of a virtual machine is put there. */
export const domainPath = 'machine/domain.xml';

/** What is, beside what is wanted: all that the tree shows of a VNF and no record holds. */
export interface VnfObservation {
  readonly state: VnfState;
  /** The hypervisor's own word for the state, with the exit status of a guest that ended. */
  readonly word: string;
  /** What `action` takes now: the verbs that fit the state, and the module's own. None while one is under way. */
  readonly verbs: readonly string[];
  /** The last failed operation in one line; empty after a success. */
  readonly error: string;
  readonly ip: string;
  readonly id: string;
  /** What libvirt knows the guest by; undefined for guests of other hypervisors; empty where a copy of such a VNF was put back. */
  readonly domainXml: string | undefined;
  readonly counters: CounterSource | undefined;
  readonly countsDrops: boolean;
  readonly paths: VnfPaths;
  readonly root: GuestRoot;
  readonly moduleFiles: readonly { readonly path: string; readonly mode: number; readonly size: number | undefined }[];
  /** Only its guest knows how its ports are. */
  readonly asksPorts: boolean;
  /** How its ports are, by serial, where they are not as they should be. */
  readonly ports: ReadonlyMap<number, PortState>;
  /** Files their owner removed while it was not deployed. */
  readonly hidden: readonly string[];
}

/** Where on this machine the files of a VNF are. */
export interface VnfPaths {
  readonly config: string;
  readonly log: string;
  /** Output of the last command. */
  readonly output: string;
}

/** What is, beside what is wanted, of a network. */
export interface NetworkObservation {
  /** The last failed operation in one line, else what is wrong with the network; empty when all is well. */
  readonly error: string;
  /** Files that their owner removed, on the way to removing the whole. */
  readonly hidden: readonly string[];
}

/** What is, beside what is wanted, of a machine that VNFs can run on. */
export interface HostObservation {
  readonly hypervisor: HypervisorName;
  readonly status: string;
  /** The last failed operation in one line, else why it cannot be reached; empty when all is well. */
  readonly error: string;
  /** As for a network. */
  readonly hidden: readonly string[];
}

/** What is, beside what is wanted, of an entry of quotas/. */
export interface QuotaObservation {
  /** Those that hold, whoever said so. */
  readonly limits: Limits;
  /** The last failed operation in one line; empty after a success. */
  readonly error: string;
  /** As for a network. */
  readonly hidden: readonly string[];
}

/** What is, beside what is wanted, of a service chain. */
export interface ChainObservation {
  readonly state: ChainState;
  /** The last failed operation in one line, else the first thing that is wrong; empty when all is well. */
  readonly error: string;
  /** The way that packets take, or would take. */
  readonly path: string;
  /** What the last probes have shown; empty when none were sent. */
  readonly verify: string;
  readonly latency: string;
  /** Files that their owner removed from hops, by the serial of the hop. */
  readonly hidden: ReadonlyMap<number, readonly string[]>;
}

/** A change that the tree has to show. */
export type ModelChange =
  | { readonly kind: 'type'; readonly record: TypeRecord }
  | { readonly kind: 'vnf'; readonly record: VnfRecord; readonly observation: VnfObservation }
  | { readonly kind: 'network'; readonly record: NetworkRecord; readonly observation: NetworkObservation }
  | { readonly kind: 'host'; readonly record: HostRecord; readonly observation: HostObservation }
  | { readonly kind: 'quota'; readonly record: QuotaRecord; readonly observation: QuotaObservation }
  | { readonly kind: 'chain'; readonly record: ChainRecord; readonly observation: ChainObservation }
  | { readonly kind: 'removed'; readonly serial: number };

/** Told of every change, in order. */
export type ModelListener = (change: ModelChange) => void;
