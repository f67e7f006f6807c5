import { dirname, sep } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { type Mount, readMounts } from '../machine-mounts.ts';
import { liveDirectories } from './machine-layer.ts';

/** File systems of disks: what is mounted from them below / is part of what a guest sees of the machine. */
const diskTypes = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs']);

/** What tells too much of the machine, or acts on it, even though a guest's /proc and /sys are read-only: what container engines mask (maskedPaths in the OCI's runtime specification). */
const maskedFiles = ['kcore', 'keys', 'key-users', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug', 'interrupts'];
const maskedDirectories = ['/proc/acpi', '/proc/asound', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap'];

/**
 * Options of the overlay. Files have the numbers of the disks they are on, all in one file system, so that rfs/ can tell what is of the root and what is mounted in it, and knows
 * a file again; and an upper directory may be mounted again while somebody still has a file of it open.
 */
const overlayOptions = 'nodev,lowerdir=names:machine:/,upperdir=disk/upper,xino=on,index=off,redirect_dir=follow';

/** Directories at the top of a guest's root that are a tmpfs of its own. */
export const ownMounts: readonly string[] = ['run', 'tmp', 'root'];

/** Source, target, type and options of a mount, as in fstab(5); x-optional: not where the target does not exist, x-mkdir: make it. */
export type MountRow = readonly [source: string, target: string, type: string, options: string];

/** Modes and paths of what a guest has in a tmpfs of its own; "names" lies over what it sees of the machine and under what it writes. */
export const privateDirectories: readonly (readonly [mode: string, path: string])[] = [
  ['755', 'root'],
  ['755', 'names'],
  ['755', 'names/etc'],
  ['755', 'names/etc/nfio'],
  ['755', 'run'],
  ['700', 'home'],
  ['1777', 'tmp'],
  ['1777', 'shm'],
  ['0', 'nothing'],
];

/**
 * The guest's mounts. Its root is an overlay on what it may see of the machine's own (machine-layer.ts), so that the machine's programs are there; disks that hold programs
 * are there read-only. Targets are resolved in a mount namespace that is about to lose the machine's mounts, and nothing is written
 * through them: a guest that left symbolic links there fails only its own start. Paths that are not absolute begin in the guest's tmpfs.
 *
 * @param devDirectory Directory of device nodes to be /dev.
 */
export function mountTable(spec: GuestSpec, devDirectory: string): MountRow[] {
  const at = (path: string): string => `root${path}`;
  const bind = (source: string, target: string, options: string): MountRow => [source, at(target), 'none', `bind${options}`];
  const hide = (path: string): MountRow => bind(at('/dev/null'), path, ',x-optional'); // read-only, as the guest's /dev is
  const mask = (path: string): MountRow => bind('nothing', path, ',x-optional,ro,nosuid,nodev,noexec');
  const mounts = readMounts();
  const { privileged } = spec.boot;
  return [
    ['overlay', 'root', 'overlay', `${overlayOptions},workdir=disk/work`],
    ...diskMounts(mounts, spec.guestDir).map((path) => bind(path, path, ',ro')),
    ['proc', at('/proc'), 'proc', `nosuid,nodev,noexec,${privileged ? 'rw' : 'ro'}`],
    ['sysfs', at('/sys'), 'sysfs', `nosuid,nodev,noexec,${privileged ? 'rw' : 'ro'}`],
    bind(devDirectory, '/dev', ',ro,nosuid,noexec'),
    bind('shm', '/dev/shm', ',nosuid,nodev,noexec'),
    ['devpts', at('/dev/pts'), 'devpts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=620,gid=5'],
    bind('run', '/run', ''),
    bind('tmp', '/tmp', ''),
    bind('home', '/root', ''),
    ...(privileged ? [] : [...maskedFiles.map((name) => hide(`/proc/${name}`)), ...maskedDirectories.map(mask)]),
    ...stateMask(mounts, spec.guestDir).map(mask),
    bind(spec.configDir, '/etc/nfio', ',ro,nosuid,nodev'),
    ...spec.boot.mounts.map(({ source, target, readOnly }) => bind(source, target, mountOptions(target, readOnly))),
  ];
}

/**
 * The mounts of the root of a guest that does not run, for who looks into it: what it would have there when it starts. Of what it loses at its end only empty directories are left, which
 * nothing can be put into. What is hidden from the guest, or not part of its root, is covered.
 */
export function restMountTable(guestDir: string): MountRow[] {
  const bind = (source: string, target: string): MountRow => [source, `root${target}`, 'none', 'bind,x-optional,ro,nosuid,nodev,noexec'];
  const covered = ['/proc', '/sys', '/dev', '/etc/nfio', ...stateMask(readMounts(), guestDir)];
  return [
    ['overlay', 'root', 'overlay', `${overlayOptions},workdir=disk/${restWorkDirectory}`],
    ...covered.map((path) => bind('nothing', path)),
    bind('run', '/run'),
    bind('tmp', '/tmp'),
    bind('home', '/root'),
  ];
}

/** Work directory of the overlay while the guest does not run, in the guest's directory. */
export const restWorkDirectory = 'rest';

/** True for what lies in one of the guest's own, empty file systems: nothing there can be prepared from outside. */
export function isOwnDirectory(path: string): boolean {
  return isBelow(path, ['/run', '/tmp', '/root']);
}

function mountOptions(target: string, readOnly: boolean): string {
  return `,nosuid,nodev${readOnly ? ',ro' : ''}${isOwnDirectory(target) ? ',x-mkdir' : ''}`;
}

/** Disks with what guests see of the machine as it is, and that do not hold the guest itself. */
function diskMounts(mounts: readonly Mount[], guestDir: string): string[] {
  const paths = mounts
    .filter(({ path, type }) => diskTypes.has(type) && isBelow(path, liveDirectories) && !isBelow(guestDir, [path]))
    .map(({ path }) => path);
  return [...new Set(paths)];
}

/** The directory of all state (other guests, other VNFs' secrets) is not for guests to see, should it be where guests see the machine as it is. */
function stateMask(mounts: readonly Mount[], guestDir: string): string[] {
  const guests = dirname(guestDir);
  const state = dirname(guests) === '/' ? guests : dirname(guests);
  const separate = mounts.some(({ path }) => path !== '/' && isBelow(state, [path]));
  return isBelow(state, liveDirectories) && !separate ? [state] : [];
}

/** True for a path in one of the directories, and for these themselves. */
export function isBelow(path: string, directories: readonly string[]): boolean {
  return directories.some((directory) => path === directory || path.startsWith(directory + sep));
}
