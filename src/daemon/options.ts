import type { HypervisorName } from '../domain/ports/hypervisor.ts';

/** What a mount is started with. */
export interface MountOptions {
  /** Absolute path. */
  readonly mountpoint: string;
  /** Absolute path of the directory with all persistent state. */
  readonly root: string;
  readonly hypervisor: HypervisorName;
  /** Directory of the user's own middlebox modules. */
  readonly modules?: string;
  /** Socket of this machine's Docker Engine. Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string;
  /** Whether Docker Engines may be spoken to over plain TCP. Default false. */
  readonly insecureEngines?: boolean;
  /** URI of this machine's libvirt. Default `qemu:///system`. */
  readonly libvirtUri?: string;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  /** How long the kernel may keep names and attributes, milliseconds. Default 1000. */
  readonly attrTimeoutMs?: number;
  /** Whether to use the kernel's help to replace a server that died (Linux 6.9); false: mount again, as on older kernels. Default true. */
  readonly resend?: boolean;
  /** Log to standard error. */
  readonly foreground: boolean;
}

/** Where mounts keep what need not survive a reboot, each in a directory named by its mount id. */
export const runtimeDirectory = '/run/nfio';

/** How long the kernel may keep names and attributes, milliseconds. */
export function attrTimeoutMs(options: MountOptions): number {
  return options.attrTimeoutMs ?? 1000;
}

/** URL of a module of this directory, as it is when run from source and when built. */
export function daemonModule(name: string): URL {
  const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${suffix}`, import.meta.url);
}
