import type { ExecuteResult, GuestCommand, RequiredProgram } from './ports/hypervisor.ts';

/** What a configuration language may ask of the guest it configures. */
export interface GuestAccess {
  /** Runs a program in the guest, with the guest's own files. The config directory is at /etc/nfio, read-only. */
  execute(command: GuestCommand): Promise<ExecuteResult>;
  /** Runs this machine's own, trusted program in the guest's network namespace, with power over that alone, and limits (limited-program.ts): what it reads is a user's. */
  executeInNetwork(command: GuestCommand): Promise<ExecuteResult>;
  /** Names of the guest's interfaces, one a port. */
  readonly ports: readonly string[];
  /** Those of ports that have a rate, a delay or losses of their own, and so a queue at their root. Absent: none has. */
  readonly shaped?: readonly string[];
  readonly signal: AbortSignal;
}

/** Largest configuration that is taken, bytes. */
export const mostConfigurationBytes = 1024 * 1024;

/** A candidate for a configuration. */
export interface ConfigCandidate {
  readonly text: string;
  /** Its path as the guest sees it, /etc/nfio/NAME. */
  readonly guestPath: string;
}

/**
 * The language a VNF's own configuration (nf_conf) is written in. Each method rejects with a ConfigurationError
 * whose message names the line; what runs stays as it was.
 */
export interface ConfigLanguage {
  readonly name: string;
  /** Checks without applying. `guest` is undefined when there is no guest yet: then as much is checked as can be. */
  check(candidate: ConfigCandidate, guest: GuestAccess | undefined): Promise<void>;
  /** Applies atomically to a running guest. Called once after start, and at each save. */
  apply(candidate: ConfigCandidate, guest: GuestAccess): Promise<void>;
  /**
   * True where it configures a service, the guest's main process, which has it from its own start and keeps it whatever becomes of ports. Default false:
   * nothing passes the guest's ports before `apply`, and `restore` follows each change of them.
   */
  readonly service?: boolean;
  /**
   * Puts back what a change of the guest's ports may have taken away: an interface that went down and up has lost its routes. Absent: `apply` does that.
   */
  restore?(candidate: ConfigCandidate, guest: GuestAccess): Promise<void>;
  /** Packets that the configuration itself made the guest drop since it started; undefined: the language cannot tell. */
  drops?(guest: GuestAccess): Promise<number>;
}

/** The caller of a hook, as the kernel named it. */
export interface HookCaller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** The instance a hook is called for. */
export interface HookInstance {
  readonly type: string;
  readonly name: string;
  /** Reads a settable value, by path below the instance (`machine/ip`). */
  value(path: string): string;
  execute(command: GuestCommand): Promise<ExecuteResult>;
}

/** A file of the module's own, in the instance's directory. */
export interface ModuleFile {
  /** Path below the instance: `stats/sessions` or `banner`. */
  readonly path: string;
  /** 0o444 read, 0o644 read and write, 0o600 what runs code in the guest. */
  readonly mode: 0o444 | 0o644 | 0o600 | 0o200;
  readonly read?: (instance: HookInstance) => string | Promise<string>;
  readonly write?: (instance: HookInstance, text: string) => void | Promise<void>;
}

/** What a module may say of one of its files; what it does not say is as declared. */
export interface ModuleFileAttributes {
  readonly mode?: number;
  readonly size?: number;
}

/** The original prototype's four hooks, for files the module declares without read or write of their own. */
export interface ModuleHooks {
  /** After an instance was made; throwing undoes it. */
  mkdir?(instance: HookInstance, caller: HookCaller): void | Promise<void>;
  /** Attributes of one of the module's files, asked whenever the VNF changes; undefined leaves the default. */
  getattr?(instance: HookInstance, path: string): ModuleFileAttributes | undefined | Promise<ModuleFileAttributes | undefined>;
  read?(instance: HookInstance, path: string): string | Uint8Array | Promise<string | Uint8Array>;
  write?(instance: HookInstance, path: string, data: Uint8Array): void | Promise<void>;
}

/** An action of the module's own: `echo NAME > action` on a running VNF. */
export interface ModuleAction {
  readonly summary: string;
  run(instance: HookInstance): void | Promise<void>;
}

/** How a type runs under one hypervisor. */
export interface RunProfile {
  /** Main process; undefined: none of its own. */
  readonly command?: readonly string[];
  /** Default vm.image. */
  readonly image?: string;
  /** Programs that must be there, checked before deploy; the remedy is `apt-get install PACKAGE`. */
  readonly requires?: readonly RequiredProgram[];
}

/** A middlebox module: the default export of one file named after the type. */
export interface Middlebox {
  /** One line for `nfio types`. */
  readonly summary: string;
  readonly configuration?: {
    readonly language: ConfigLanguage;
    /** Contents of config/nf_conf of a new instance. */
    readonly default: string;
  };
  /** Kernel settings every guest of this type has. */
  readonly sysctl?: Readonly<Record<string, string>>;
  /**
   * True for a type that ends connections which pass through it, and makes its own in their place. As a routed hop it gets a mark with every packet from
   * a port of a service chain (hop-setup.ts); default false.
   */
  readonly intercepts?: boolean;
  /**
   * True for a type that translates addresses of what it passes on. As a routed hop it needs an address of its own on the egress, which it translates to and which
   * packets come back to; default false.
   */
  readonly translates?: boolean;
  readonly run?: Readonly<Partial<Record<'netns' | 'docker' | 'libvirt', RunProfile>>>;
  readonly files?: readonly ModuleFile[];
  readonly actions?: Readonly<Record<string, ModuleAction>>;
  readonly hooks?: ModuleHooks;
}

/** Types a module; returns it unchanged. Validation happens when it is loaded (middleboxes/loader.ts). */
export function defineMiddlebox(middlebox: Middlebox): Middlebox {
  return middlebox;
}
