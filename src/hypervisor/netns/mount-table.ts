import { existsSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { readMounts } from './machine-mounts.ts';

/** File systems of disks: what is mounted from them below / is part of what a guest sees of the machine. */
const diskTypes = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs']);

/** What a guest has of its own, or must not see at all. */
const hidden = ['/proc', '/sys', '/dev', '/run', '/tmp', '/root', '/boot', '/mnt', '/media'];

/** Files of /proc that act on the whole machine: read-only, or (they also tell too much) not there. */
const readOnlyProc = ['sys', 'sysrq-trigger', 'irq', 'bus', 'fs', 'acpi'];
const maskedProc = ['kcore', 'keys', 'timer_list', 'sched_debug'];

/** The machine's own secrets, where its overlay would show them. */
const secretFiles = ['/etc/shadow', '/etc/gshadow'];
const secretDirectories = ['/etc/ssh', '/etc/ssl/private'];

/**
 * The guest's mounts, as fstab(5) for `mount --all`. Its root is an overlay on the machine's own, so that the machine's programs
 * are there; disks mounted below / are there read-only. Targets are resolved in a mount namespace that is about to lose the
 * machine's mounts, and nothing is written through them: a guest that left symbolic links there fails only its own start.
 *
 * @param devDirectory Directory of device nodes to be /dev.
 */
export function mountTable(spec: GuestSpec, devDirectory: string): string {
  const root = join(spec.guestDir, 'root');
  const at = (path: string): string => join(root, path);
  const bind = (source: string, target: string, options: string): string[] => [source, at(target), 'none', `bind,${options}`];
  const rows = [
    ['overlay', root, 'overlay', 'nodev,lowerdir=/,upperdir=upper,workdir=work'],
    ...diskMounts(spec.guestDir).map((path) => bind(path, path, 'ro')),
    ['proc', at('/proc'), 'proc', 'nosuid,nodev,noexec'],
    ...procMounts(spec.boot.privileged).map(([source, name, options]) => bind(source ?? at(`/proc/${name}`), `/proc/${name}`, options)),
    ['sysfs', at('/sys'), 'sysfs', `nosuid,nodev,noexec,${spec.boot.privileged ? 'rw' : 'ro'}`],
    bind(devDirectory, '/dev', 'ro,nosuid,noexec'),
    ['tmpfs', at('/dev/shm'), 'tmpfs', 'nosuid,nodev,noexec,size=64m'],
    ['devpts', at('/dev/pts'), 'devpts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=620,gid=5'],
    ['tmpfs', at('/run'), 'tmpfs', 'nosuid,nodev,mode=755,size=64m'],
    ['tmpfs', at('/tmp'), 'tmpfs', 'nosuid,nodev,mode=1777'],
    ['tmpfs', at('/root'), 'tmpfs', 'nosuid,nodev,mode=700,size=64m'],
    ...secretFiles.filter((path) => existsSync(path)).map((path) => bind('/dev/null', path, 'ro,nosuid,noexec')),
    ...[...secretDirectories.filter((path) => existsSync(path)), ...stateMask(spec.guestDir)].map((path) => [
      'tmpfs',
      at(path),
      'tmpfs',
      'ro,nosuid,nodev,noexec,mode=0,size=4k',
    ]),
    ...['hosts', 'hostname', 'resolv.conf'].map((name) => bind(join(spec.guestDir, 'etc', name), `/etc/${name}`, 'nosuid,nodev')),
    bind(spec.configDir, '/etc/nfio', 'ro,nosuid,nodev'),
    ...spec.boot.mounts.map(({ source, target, readOnly }) => bind(source, target, mountOptions(target, readOnly))),
  ];
  return `${rows.map((row) => row.map(escapeOctal).join(' ')).join('\n')}\n`;
}

/** True for what lies in one of the guest's own, empty file systems: nothing there can be prepared from outside. */
export function isOwnDirectory(path: string): boolean {
  return isBelow(path, ['/run', '/tmp', '/root']);
}

function mountOptions(target: string, readOnly: boolean): string {
  return ['nosuid', 'nodev', ...(readOnly ? ['ro'] : []), ...(isOwnDirectory(target) ? ['X-mount.mkdir'] : [])].join(',');
}

/** A word as fstab(5) and /proc/mounts spell it. */
export function escapeOctal(text: string): string {
  return text.replaceAll(/[\s\\#"]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** Disks mounted below / that do not hold the guest itself. */
function diskMounts(guestDir: string): string[] {
  const paths = readMounts()
    .filter(({ path, type }) => diskTypes.has(type) && path !== '/' && !isBelow(path, hidden) && !isBelow(guestDir, [path]))
    .map(({ path }) => path);
  return [...new Set(paths)];
}

/** The directory of all guests is not for guests to see, wherever it is not covered anyway. */
function stateMask(guestDir: string): string[] {
  const guests = dirname(guestDir);
  const disks = readMounts().filter(({ path }) => path !== '/' && isBelow(guestDir, [path]));
  return isBelow(guests, hidden) || disks.length > 0 ? [] : [guests];
}

function procMounts(privileged: boolean): (readonly [string | undefined, string, string])[] {
  if (privileged) return [];
  const here = (name: string): boolean => existsSync(`/proc/${name}`);
  return [
    ...readOnlyProc.filter(here).map((name) => [undefined, name, 'ro,nosuid,nodev,noexec'] as const),
    ...maskedProc.filter(here).map((name) => ['/dev/null', name, 'ro,nosuid,noexec'] as const),
  ];
}

function isBelow(path: string, directories: readonly string[]): boolean {
  return directories.some((directory) => path === directory || path.startsWith(directory + sep));
}
