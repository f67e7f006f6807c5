import type { CounterSource, GuestRoot } from '../domain/ports/hypervisor.ts';
import type { Ownership } from '../domain/records.ts';

/** What every object shows of itself. Views are plain data: they are posted between threads as they are. */
interface BaseView extends Ownership {
  readonly serial: number;
  /** Serial of the object whose directory it is in. */
  readonly parent: number;
  readonly name: string;
  readonly createdMs: number;
  readonly changedMs: number;
  readonly ownership: Readonly<Record<string, Ownership>>;
  /** Text of its value files, by path below the object; absent: empty. */
  readonly texts: Readonly<Record<string, string>>;
}

/** The top of the tree, serial 0. */
export interface RootView extends BaseView {
  readonly kind: 'root';
  readonly eventsPath: string;
}

/** nf-types/TYPE */
export interface TypeView extends BaseView {
  readonly kind: 'type';
}

/** A file that a middlebox module adds to its instances. */
export interface ModuleFileView {
  readonly path: string;
  readonly mode: number;
  readonly size: number | undefined;
}

/** nf-types/TYPE/VNF */
export interface VnfView extends BaseView {
  readonly kind: 'vnf';
  readonly deployed: boolean;
  readonly counters: CounterSource | undefined;
  /** True when the middlebox itself knows how many packets it dropped; asking takes a while. */
  readonly countsDrops: boolean;
  readonly configPath: string;
  /** Where rfs/ is on this machine. */
  readonly root: GuestRoot;
  readonly logPath: string;
  /** File that holds the output of the last command. */
  readonly outputPath: string;
  readonly moduleFiles: readonly ModuleFileView[];
  /** Files their owner removed from the undeployed instance, by path; making them again brings them back. */
  readonly hidden: readonly string[];
}

/** nf-types/TYPE/VNF/ports/PORT */
export interface PortView extends BaseView {
  readonly kind: 'port';
  readonly deployed: boolean;
  readonly counters: CounterSource | undefined;
  /** Only its guest knows its state and mtu. */
  readonly asked: boolean;
  /** Its interface's name in the guest. */
  readonly interfaceName: string;
  /** Serial of the network it is on, if any, and its name and target in that network's ports directory. */
  readonly network: number | undefined;
  readonly linkName: string;
  readonly linkTarget: string;
  /** As for a VNF. */
  readonly hidden: readonly string[];
}

/** networks/NET */
export interface NetworkView extends BaseView {
  readonly kind: 'network';
  /** As for a service chain. */
  readonly hidden: readonly string[];
}

/** hosts/HOST */
export interface HostView extends BaseView {
  readonly kind: 'host';
  /** True for this machine, whose entry nobody changes. */
  readonly fixed: boolean;
  /** As for a service chain. */
  readonly hidden: readonly string[];
}

/** quotas/USER */
export interface QuotaView extends BaseView {
  readonly kind: 'quota';
  /** As for a service chain. */
  readonly hidden: readonly string[];
}

/** chns/CHAIN */
export interface ChainView extends BaseView {
  readonly kind: 'chain';
  /** Traffic is steered by it, so that there is something to count. */
  readonly active: boolean;
  /** Files that their owner removed, on the way to removing the whole. */
  readonly hidden: readonly string[];
}

/** chns/CHAIN/HOP */
export interface HopView extends BaseView {
  readonly kind: 'hop';
  /** As for a service chain. */
  readonly active: boolean;
  readonly hidden: readonly string[];
}

/** A symbolic link in the directory of a service chain or of a hop. */
export interface SymlinkView extends BaseView {
  readonly kind: 'symlink';
  readonly target: string;
}

/** An object as the tree shows it. */
export type ObjectView = RootView | TypeView | VnfView | PortView | NetworkView | HostView | QuotaView | ChainView | HopView | SymlinkView;

/** One change to the tree. */
export type TreeChange =
  /** These are as follows from now on, and new if need be: what shows together is sent together. */
  { readonly kind: 'put'; readonly views: readonly ObjectView[] } | { readonly kind: 'remove'; readonly serial: number };
