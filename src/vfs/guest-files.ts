import { type FileStats, isDirectory, isFile, isLink } from './file-stats.ts';
import type { HeldDirectories } from './held-directories.ts';
import { type GuestInode, guestNodeid } from './nodeid.ts';

/** The file systems that a guest's root consists of, by number (st_dev, stat(2)). */
export interface GuestDevices {
  readonly root: number;
  /** Those mounted over directories at its top, by name. */
  readonly mounts: ReadonlyMap<string, number>;
}

/** Who may look into a root, whatever the guest's own `/` is like. */
export interface GuestOwner {
  readonly uid: number;
  readonly gid: number;
  /** With the type of the file. */
  readonly mode: number;
}

/** What is particular to the root file system of a guest, which changes it while we walk. */
export interface GuestFiles {
  /** Of the VNF. */
  readonly serial: number;
  owner(): GuestOwner;
  /** @throws RootClosedError */
  devices(): GuestDevices;
  /** Directories of it that are in use. Good as long as the root is open. */
  held(): HeldDirectories;
  /** Directory on this machine with what the guest itself wrote; undefined: it cannot be told apart. */
  written(): string | undefined;
}

/** The root of a guest is not visible on this machine at the moment: it has to be opened, and then it is asked for again. */
export class RootClosedError extends Error {
  readonly code = 'EIO';
  readonly serial: number;

  constructor(serial: number) {
    super('the root file system of the guest is not open');
    this.serial = serial;
  }
}

/** The file system that a file must be in to be part of a guest's root. */
export function deviceOf({ root, mounts }: GuestDevices, components: readonly string[]): number {
  return mounts.get(components[0] ?? '') ?? root;
}

/**
 * True for what is not shown of a guest. A socket or FIFO would not be the one its processes use, a device would be this machine's by the guest's choice; and
 * overlayfs marks what the guest removed with devices of its own. What is mounted in a guest (its /proc, files of this machine) is no part of its root.
 */
export function isGuestOnly(guest: GuestFiles, components: readonly string[], stats: FileStats): boolean {
  return stats.dev !== deviceOf(guest.devices(), components) || (!isFile(stats) && !isDirectory(stats) && !isLink(stats));
}

/** The nodeid of a guest's file. */
export function nodeidOf(guest: GuestFiles, components: readonly string[], { exactIno: ino }: FileStats): number {
  const inode: GuestInode = { serial: guest.serial, mounted: guest.devices().mounts.has(components[0] ?? ''), ino };
  return guestNodeid(inode);
}
