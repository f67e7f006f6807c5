import type { HypervisorName } from '../domain/ports/hypervisor.ts';

/** What a mount is started with, complete and checked: what parseMountOptions made of a {@link MountRequest}. */
export interface MountOptions {
  /** Absolute path. */
  readonly mountpoint: string;
  /** Absolute path of the directory with all persistent state. */
  readonly root: string;
  readonly hypervisor: HypervisorName;
  /** Absolute path of the directory of the user's own middlebox modules. */
  readonly modules: string | undefined;
  /** Socket of this machine's Docker Engine. */
  readonly dockerSocket: string;
  /** Whether Docker Engines may be spoken to over plain TCP. */
  readonly insecureEngines: boolean;
  /** URI of this machine's libvirt. */
  readonly libvirtUri: string;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  /** How long the kernel may keep names and attributes, milliseconds. */
  readonly attrTimeoutMs: number;
  /** Whether to use the kernel's help to replace a server that died (Linux 6.9); false: mount again, as on older kernels. */
  readonly resend: boolean;
  /** Log to standard error. */
  readonly foreground: boolean;
}

/** What a user asks of a mount: all but the mountpoint has a default. Words are taken in any case. */
export type MountRequest = Pick<MountOptions, 'mountpoint'> & {
  readonly [Name in keyof MountOptions]?: MountOptions[Name] | undefined;
};

/** Those that another mount of the same root has to have too, to reach the VNFs that the first one made and know their types. */
export type OptionsToMountAgain = Pick<MountOptions, 'hypervisor' | 'modules' | 'dockerSocket' | 'insecureEngines' | 'libvirtUri'>;

/** Where mounts keep what need not survive a reboot, each in a directory named by its mount id. */
export const runtimeDirectory = '/run/nfio';

/** URL of a module of this directory, as it is when run from source and when built. */
export function daemonModule(name: string): URL {
  const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${suffix}`, import.meta.url);
}
