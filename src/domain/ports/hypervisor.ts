import type { Counters } from './counters.ts';
import type { Logger } from './logger.ts';
import type { NetworkSetup, PortSpec, PortState } from './network.ts';

export type { Counters };

/** The hypervisors there are drivers for. */
export const hypervisorNames = ['netns', 'docker', 'libvirt'] as const;

/** One of them. */
export type HypervisorName = (typeof hypervisorNames)[number];

/** Where a guest is, or is to be. */
export interface Placement {
  readonly hypervisor: HypervisorName;
  /** An entry of hosts/, or an address as the driver takes it; empty: this machine. */
  readonly host: string;
}

/** Names a guest, and where it is. */
export interface GuestRef {
  /** Stable, unique in a mount, `[a-z0-9]{6,12}`; names of namespaces, interfaces and cgroups derive from it. */
  readonly id: string;
  /** Middlebox type and instance name, for labels and for people. */
  readonly type: string;
  readonly name: string;
  /** Address of the machine it is on; empty: this one. */
  readonly host: string;
  /** Absolute path of a directory of the driver's own that persists with the instance (root file system, log, records). */
  readonly guestDir: string;
}

/** Everything a driver needs to make one guest. Plain data; what is wanted, never what is. */
export interface GuestSpec extends GuestRef {
  /** User that the VNF belongs to, for names that people read. */
  readonly owner: number;
  /** Image to run; empty where the driver needs none. */
  readonly image: string;
  readonly limits: GuestLimits;
  readonly boot: BootOptions;
  /** The guest's main process, from the middlebox or boot.conf; undefined: the guest only holds its namespaces. */
  readonly command: readonly string[] | undefined;
  readonly ports: readonly PortSpec[];
  /** Its ports stay closed when it starts, and those it gets later, until `openPorts`: it has to be configured before anything passes it. Default false. */
  readonly guarded?: boolean;
  /** Programs the guest's type needs besides the driver's own. */
  readonly requires: readonly RequiredProgram[];
  /** Absolute path of the instance's config directory on this machine; the guest sees it read-only at `/etc/nfio`. */
  readonly configDir: string;
  /** Lines of the guest's /etc/hosts besides localhost and its own name. */
  readonly hosts: readonly string[];
}

/** A program, and the Debian package that brings it. */
export interface RequiredProgram {
  readonly program: string;
  readonly package: string;
}

/** Limits that hold at once, also on a running guest. undefined: no limit. */
export interface GuestLimits {
  /** Processors, may be a fraction. */
  readonly vcpu: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** Parsed boot.conf (see domain/boot-conf.ts). */
export interface BootOptions {
  readonly command: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Without the CAP_ prefix, lower case, beyond the driver's default set. */
  readonly capabilities: readonly string[];
  readonly sysctl: Readonly<Record<string, string>>;
  /** Absolute source on this machine, absolute target in the guest. */
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[];
  readonly privileged: boolean;
  readonly dns: readonly string[];
  /** A network of the hypervisor's own (Docker: `bridge`, which leads outside), besides the ports; undefined: none. */
  readonly network: string | undefined;
  /** Of a virtual machine; left out by hypervisors without any. */
  readonly machine?: MachineOptions;
}

/** What a virtual machine is made of besides its image. Absent: as the image, else the driver, has it. */
export interface MachineOptions {
  /** Absolute paths on the machine it runs on. */
  readonly kernel?: string;
  readonly initrd?: string;
  /** Arguments of the kernel, behind those that nf.io needs. */
  readonly cmdline?: string;
  /** Machine type as QEMU names it: q35, pc. */
  readonly machine?: string;
  /** Processor model as libvirt names it; also host-passthrough, host-model, maximum. */
  readonly cpu?: string;
  readonly firmware?: 'bios' | 'efi';
  /** Name of a file in config/ with user data for cloud-init. */
  readonly userData?: string;
}

/** The state of a guest. `state` is common to all drivers; `word` is the hypervisor's own, which users see. */
export interface GuestStatus {
  readonly state: 'absent' | 'created' | 'running' | 'paused' | 'exited' | 'unknown';
  readonly word: string;
  /** Exit status of the main process once exited (128 + n for signal n). */
  readonly exitCode?: number;
  /** It runs, and has not yet got so far that it can do anything for us: a virtual machine that boots. */
  readonly booting?: true;
  /** Per cent done of what `word` tells, while a verb has to wait for it. */
  readonly progress?: number;
  /** `counters`: nothing has happened to it, only its counters are elsewhere now. `verb`: a verb of ours has got it so far. `anew`: it was started again since the last word of it, with all that it was told lost. */
  readonly news?: 'counters' | 'verb' | 'anew';
}

/**
 * Where a guest's counters are. `procfs` sources are read by the kernel thread itself at each read of a counter file;
 * `remote` ones are asked of the driver.
 */
export type CounterSource =
  | {
      readonly kind: 'procfs';
      /** A file in the format of /proc/PID/net/dev. */
      readonly netDevPath: string;
      /** Cumulative CPU time: cgroup v1 cpuacct.usage (ns), cgroup v2 cpu.stat (usage_usec), or /proc/PID/stat (ticks). */
      readonly cpuPath: string | undefined;
      /** Memory in use, bytes: memory.usage_in_bytes or memory.current. */
      readonly memoryPath: string | undefined;
      /**
       * The guest's interfaces by the names of their far ends in that file, which receive what the guest sends; undefined: they are in it
       * themselves, and all but lo are the guest's.
       */
      readonly farEnds?: Readonly<Record<string, string>>;
      /** What interfaces counted that were removed since. Absent: none was. */
      readonly past?: PastCounters;
    }
  | { readonly kind: 'remote' };

/** What removed interfaces of a guest had counted, by counter. */
export interface PastCounters {
  readonly always: Readonly<Record<string, number>>;
  /** Of interfaces, by name, that count here unless they are still there. */
  readonly unless: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What a program reads: all of it, or as it comes. */
export type ProgramInput = string | Uint8Array | AsyncIterable<Uint8Array>;

/** What to run in a guest. */
export interface GuestCommand {
  readonly argv: readonly string[];
  readonly stdin?: ProgramInput;
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Absolute path of a file on this machine. Should this process be killed, the program goes on until it has read all of its input, and what it printed since it was last given
   * some goes there. A driver that has `lastPrinted` does so.
   */
  readonly heir?: string;
}

/** What is known of a program that was run for a process that was killed. */
export interface Inheritance {
  /** What it printed since it was last given something. */
  readonly output: Uint8Array;
  /** How many bytes it was given in all; undefined: that is not known yet. */
  readonly givenBytes: number | undefined;
  /** Its exit status; undefined: it goes on, or nobody knows. */
  readonly exitCode: number | undefined;
  /** Nothing more will come. */
  readonly ended: boolean;
}

/** How to run it, and where its output goes. */
export interface ExecuteOptions {
  readonly signal: AbortSignal;
  /** Receives stdout and stderr in the order they arrive. */
  readonly onOutput?: (chunk: Uint8Array, stream: 'stdout' | 'stderr') => void;
}

/** How a command ended. When onOutput is not given, what it printed (each at most 1 MiB). */
export interface ExecuteResult {
  /** Exit status, 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a live guest tells when it changes by itself or from outside. */
export type GuestListener = (ref: GuestRef, status: GuestStatus) => void;

/** A machine, besides this one, that guests can run on. */
export interface HostSpec {
  /** As the driver takes it. */
  readonly address: string;
  /** Directory on this machine with what proves who we are (ca.pem, cert.pem, key.pem); empty: the driver's default. */
  readonly certificates: string;
}

/** Whether a machine can be reached. */
export interface HostStatus {
  readonly state: 'up' | 'unreachable' | 'unknown';
  /** Why not, in a sentence; empty when it can. */
  readonly why: string;
}

/** What a machine has, and how much of that is in use: flat-keyed values, by key. */
export interface HostReport {
  readonly capacity: Readonly<Record<string, number>>;
  readonly load: Readonly<Record<string, number>>;
}

/** Told when a machine can be reached, or not any more. */
export type HostListener = (address: string, status: HostStatus) => void;

/**
 * A hypervisor driver. Every method that waits takes an AbortSignal and rejects with a NfioError; an operation that
 * fails leaves what was there before. Methods on different guests run concurrently; the caller never runs two verbs on one guest at once.
 */
export interface HypervisorDriver extends AsyncDisposable {
  readonly name: HypervisorName;
  /** True where images are files, by their paths on the machine that the guest is on. */
  readonly startsFromFiles?: boolean;
  /** True where guests of root have power over the machine that those of others have not, whatever boot.conf says. */
  readonly rootHasMore?: boolean;
  /**
   * Finds what this mount's driver made in an earlier life of the process, from labels in the world, and starts watching it.
   *
   * @param mayEnd Asked of each guest in the world that is not among `refs`: whether it is known to be wanted no more. Others are told of and left. Default: all are.
   */
  recover(refs: readonly GuestRef[], signal: AbortSignal, mayEnd?: (id: string) => boolean): Promise<void>;
  /** The hypervisor's own identifier of the guest (netns: pid of its init; docker: container id). VNFNotFoundError when there is none. */
  getId(ref: GuestRef, signal: AbortSignal): Promise<string>;
  /** First IPv4 (else IPv6) address of the guest, without prefix length; empty when it has none. */
  getIp(ref: GuestRef, signal: AbortSignal): Promise<string>;
  /** Makes the guest without starting it. */
  deploy(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  /**
   * Starts a guest that is created or exited, with its ports attached; resolves when its main process runs. Nothing passes the ports of a guarded one
   * before `openPorts`, nor after `stop` or `destroy` has begun to end it.
   */
  start(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  /** Lets frames pass the ports that are closed, and announces their addresses to their networks. */
  openPorts(ref: GuestRef, signal: AbortSignal): Promise<void>;
  /** Synchronous knowledge: true for a guest that runs and has ports that are closed though they are wanted up. */
  hasClosedPorts(ref: GuestRef): boolean;
  stop(ref: GuestRef, signal: AbortSignal): Promise<void>;
  restart(spec: GuestSpec, signal: AbortSignal): Promise<void>;
  pause(ref: GuestRef, signal: AbortSignal): Promise<void>;
  unpause(ref: GuestRef, signal: AbortSignal): Promise<void>;
  /** Removes the guest and all the driver keeps of it. Idempotent. `force` also when it runs. */
  destroy(ref: GuestRef, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<void>;
  /** Runs a program with the guest's own root file system, namespaces and limits. */
  executeInGuest(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult>;
  /** What a program printed that has an heir, as far as it has come; undefined: it has ended, and left nothing. */
  lastPrinted?(heir: string): Inheritance | undefined;
  /** Runs one of this machine's own (trusted) programs in the guest's network namespace; where there is none, as executeInGuest. */
  executeInNetwork(ref: GuestRef, command: GuestCommand, options: ExecuteOptions): Promise<ExecuteResult>;
  /** Synchronous knowledge, kept right by watching. */
  guestStatus(ref: GuestRef): GuestStatus;
  /** Undefined when the guest does not run. */
  counterSource(ref: GuestRef): CounterSource | undefined;
  /** For `remote` sources. */
  counters(ref: GuestRef, signal: AbortSignal): Promise<Counters>;
  /** Applies limits to a live guest. */
  setLimits(ref: GuestRef, limits: GuestLimits, signal: AbortSignal): Promise<void>;
  /** Adds, changes or removes one port of a live guest (undefined: removed). Of a guarded one, a port that is new, comes up or moves is closed then. */
  setPort(
    ref: GuestRef,
    change: { readonly before: PortSpec | undefined; readonly after: PortSpec | undefined },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Adds ports, or none, to a live guest and changes its network besides, in one round. When it fails none of the ports is there.
   */
  changeNetwork(
    ref: GuestRef,
    change: { readonly ports: readonly PortSpec[]; readonly setup: NetworkSetup },
    signal: AbortSignal,
  ): Promise<void>;
  /** File on this machine that holds the guest's console output, for reading only. */
  logPath(ref: GuestRef): string;
  /** The guest's root file system as this machine has it; undefined where it has none. */
  root(ref: GuestRef): GuestRoot | undefined;
  /** Makes the root of a guest that does not run visible here: `root` has its path then, for a minute at least. Does nothing where it is visible. */
  openRoot?(ref: GuestRef, signal: AbortSignal): Promise<void>;
  /** How the hypervisor itself describes the guest, as text of its own kind (libvirt: the domain's XML); undefined where it does not. */
  description?(ref: GuestRef): string | undefined;
  /** How the ports of a guest that runs are in it, by id. Absent: the kernel of this machine tells, see NetworkDriver.watchPorts. */
  portStates?(ref: GuestRef, signal: AbortSignal): Promise<ReadonlyMap<string, PortState>>;
  /** What is known to make operations on the guest slow, as a sentence with its remedy; undefined where nothing is. */
  whySlow?(ref: GuestRef): string | undefined;
  /** Calls back within a second of a change that no verb of ours made. */
  onChange(listener: GuestListener): void;
  /** Says which machines of this hypervisor are in hosts/: they are watched from now on, others no more than their guests need. */
  setHosts(hosts: readonly HostSpec[]): void;
  /** Synchronous knowledge of a machine, kept right by watching. */
  hostStatus(address: string): HostStatus;
  /** @throws HypervisorConnectionError (EHOSTUNREACH) when it cannot be reached. */
  hostReport(address: string, signal: AbortSignal): Promise<HostReport>;
  onHostChange(listener: HostListener): void;
}

/** Where the root file system of a guest is. All that is in it is hostile content. */
export interface GuestRoot {
  /** Its directory on this machine, or below `/proc/PID`; undefined: it has to be opened first. */
  readonly path: string | undefined;
  /** The process that `path` leads through: it is the guest's as long as that one lives. */
  readonly process: { readonly pid: number; readonly startTime: number } | undefined;
  /** Directories in it, by name, that are a tmpfs of the guest's own. Nothing else that is mounted in it is part of it. */
  readonly mounts: readonly string[];
  /** Directory on this machine that holds what the guest itself wrote, and is its top directory; undefined where it cannot be told apart. */
  readonly written: string | undefined;
}

/** What every driver is built from. */
export interface DriverContext {
  /** Identifies the mount, `[a-z0-9]{8}`, stable over restarts: part of every label and derived name. */
  readonly mountId: string;
  /** Directory for what need not survive a reboot (under /run). */
  readonly runDir: string;
  readonly logger: Logger;
}
