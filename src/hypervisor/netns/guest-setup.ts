import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { GuestRef, GuestSpec } from '../../domain/ports/hypervisor.ts';
import { isThere, NfioError } from '../../errors/index.ts';
import { isOpenAtOnce, type LinkRequest, loopbackRequest, newPortRequests } from '../../network/index.ts';
import { liveDirectories } from './machine-layer.ts';
import { isBelow, isOwnDirectory, privateDirectories } from './mount-table.ts';

/** What a guest has in its private tmpfs from the start. */
export interface PrivateFiles {
  /** Modes and paths. */
  readonly directories: readonly (readonly [mode: string, path: string])[];
  readonly files: readonly PrivateFile[];
}

/** A file in the private tmpfs. */
export type PrivateFile = readonly [path: string, text: string];

/** The files of a guest that was not started since the machine was. */
export function leastPrivateFiles({ name }: GuestRef): PrivateFile[] {
  return etcFiles(name, { hosts: [], dns: [] });
}

/** What a guest is called, and whom it asks for names. */
function etcFiles(name: string, { hosts, dns }: { readonly hosts: readonly string[]; readonly dns: readonly string[] }): PrivateFile[] {
  return [
    ['names/etc/hosts', ['127.0.0.1 localhost', '::1 localhost ip6-localhost', `127.0.1.1 ${name}`, ...hosts, ''].join('\n')],
    ['names/etc/hostname', `${name}\n`],
    ['names/etc/resolv.conf', dns.map((server) => `nameserver ${server}\n`).join('')],
  ];
}

/**
 * Directories and files of the guest's own: its names in /etc, and where boot.conf's mounts go when there is nothing on the machine.
 *
 * @param layer What it sees of the machine, besides what it sees as it is.
 */
export function privateFiles(spec: GuestSpec, layer: string): PrivateFiles {
  const { name, boot } = spec;
  const isSeen = (path: string): boolean => isThere(isBelow(path, liveDirectories) ? path : join(layer, path));
  const points = boot.mounts.filter(({ target }) => !isSeen(target) && !isOwnDirectory(target));
  const isDirectory = ({ source }: (typeof points)[number]): boolean => statSync(source).isDirectory();
  const directories = points.flatMap((mount) => pathsTo(isDirectory(mount) ? mount.target : dirname(mount.target)));
  return {
    directories: [...privateDirectories, ...[...new Set(directories)].map((path) => ['755', `names${path}`] as const)],
    files: [
      ...etcFiles(name, { hosts: spec.hosts, dns: boot.dns }),
      ...points.filter((mount) => !isDirectory(mount)).map(({ target }) => [`names${target}`, ''] as const),
    ],
  };
}

/** A directory and those above it, from the top. */
function pathsTo(directory: string): string[] {
  return directory === '/' ? [] : [...pathsTo(dirname(directory)), directory];
}

/** What makes a guest's network: loopback and ports. `bridges`: interface indexes by the ids of segments. */
export function linkRequests(spec: GuestSpec, bridges: ReadonlyMap<string, number>): LinkRequest[] {
  // They are sent by process 1 of the guest.
  const places = spec.ports.map((port) => ({
    port,
    bridge: bridges.get(port.segment?.id ?? ''),
    guestPid: 1,
    open: spec.guarded !== true && isOpenAtOnce(port),
  }));
  return [loopbackRequest(), ...places.flatMap(({ port, ...place }) => newPortRequests(port, place))];
}

/** Pairs of a path below /proc/sys ("-" before it: need not exist) and a value. Only settings of the guest's own network namespace are its to make. */
export function kernelSettings(spec: GuestSpec): (readonly [path: string, value: string])[] {
  const ipv6 = spec.ports.some(({ addresses }) => addresses.some((address) => address.includes(':')));
  const set = Object.entries(spec.boot.sysctl).map(([name, value]) => [sysctlPath(name), value.replaceAll(/\s+/g, ' ')] as const);
  return [...(ipv6 ? [] : [['-net/ipv6/conf/default/disable_ipv6', '1'] as const]), ...set];
}

function sysctlPath(name: string): string {
  const path = name.includes('/') ? name : name.replaceAll('.', '/');
  if (/^net\/[\w./-]+$/.test(path) && !path.split('/').includes('..')) return path;
  throw new NfioError('UnsupportedError', {
    message: `sysctl.${name.slice(0, 80)} acts on the whole machine, not on one guest: only net.* settings can be given to a guest`,
  });
}
