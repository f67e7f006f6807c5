/**
 * nodeids are derived, never handed out, so that a server which takes over a connection names every file as the one
 * before it did:
 *
 *   special file      serial of its object * 4096 + index of the file in its object
 *   guest's file      2^51 + serial of the VNF, for the top of its root file system
 *                     2^51 + 2^40 + a hash of serial and inode, for all below: in file systems of that guest alone, so that those of two guests never meet,
 *                     and that keep their numbers when they are mounted again
 *   user file         2^52 + inode number + 2^36 * a hash of the file system that backs it and of when the file was made: a file system gives the number of a
 *                     removed file to a new one, and the kernel may forget the old one after it was told of the new
 *
 * All stay below 2^53, where JavaScript's numbers are exact.
 */
const filesPerObject = 4096;

/** Inode numbers below that are whole in a nodeid; and how many values the hash has. */
const inodes = 2 ** 36;
const lives = 2 ** 16;

/** The least nodeid of a file in config/. */
const firstConfigFile = 2 ** 52;

/** The least nodeid of a file in the root of a guest, and the least of one that is not the top. */
const firstGuestFile = 2 ** 51;
const firstBelowTop = firstGuestFile + 2 ** 40;

const two32 = 2 ** 32;

/** The root directory's: FUSE_ROOT_ID (fuse.h). */
export const rootNodeid = 1;

/** The nodeid of a special file. */
export function specialNodeid(serial: number, index: number): number {
  return serial * filesPerObject + index;
}

/** The serial of the object a special file belongs to. */
export function serialOf(nodeid: number): number {
  return Math.floor(nodeid / filesPerObject);
}

/** The index of a special file in its object. */
export function indexOf(nodeid: number): number {
  return nodeid % filesPerObject;
}

/** A file in config/, by what makes it itself (statx(2)). */
export interface UserInode {
  readonly dev: number;
  readonly ino: number;
  /** 0 where the file system does not keep it. */
  readonly birthtimeNs: bigint;
}

/** The nodeid of a file in config/; what does not fit is folded. */
export function userNodeid({ dev, ino, birthtimeNs }: UserInode): number {
  const words = [dev, Number(birthtimeNs & 0xffffffffn), Number(birthtimeNs >> 32n)];
  return firstConfigFile + (((hash(words, 0x5bd1e995) % lives) * inodes + ino) % firstConfigFile);
}

/** A file of a guest, by what makes it itself. */
export interface GuestInode {
  /** Of the VNF. */
  readonly serial: number;
  /** Whether it is in a tmpfs mounted in the root, and not in the root itself. */
  readonly mounted: boolean;
  /** All 64 bits: overlays use the highest. */
  readonly ino: bigint;
}

/** The nodeid of the top of a guest's root. */
export function guestTopNodeid(serial: number): number {
  return firstGuestFile + serial;
}

/** The nodeid of a file below it. */
export function guestNodeid({ serial, mounted, ino }: GuestInode): number {
  const [low, high] = [Number(ino & 0xffffffffn), Number(ino >> 32n)];
  const words = [serial % two32, Math.floor(serial / two32) * 2 + Number(mounted), low, high];
  const upper = hash(words, 0x9747b28c) % 2 ** 18;
  return firstBelowTop + upper * two32 + hash(words, 0x2545f491);
}

/** The serial of the VNF whose root has its top there; undefined for any other nodeid. */
export function guestOfTop(nodeid: number): number | undefined {
  return nodeid >= firstGuestFile && nodeid < firstBelowTop ? nodeid - firstGuestFile : undefined;
}

/** 32 bits, each of which depends on all of the input (the finalizer of MurmurHash3). */
function hash(words: readonly number[], seed: number): number {
  let mixed = seed;
  for (const word of words) {
    mixed = Math.imul(mixed ^ word ^ (mixed >>> 15), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
  }
  return mixed >>> 0;
}

/** True for a user file, in config/ or rfs/, false for a special one. */
export function isUserFile(nodeid: number): boolean {
  return nodeid >= firstGuestFile;
}

/** True for a file of a guest. */
export function isGuestFile(nodeid: number): boolean {
  return nodeid >= firstGuestFile && nodeid < firstConfigFile;
}
