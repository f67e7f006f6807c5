/**
 * nodeids are derived, never handed out, so that a server which takes over a connection names every file as the one
 * before it did:
 *
 *   special file      serial of its object * 4096 + index of the file in its object
 *   user file         2^52 + inode number + 2^36 * number of the file system that backs it: those of guests often have inode
 *                     numbers in common
 *
 * All stay below 2^53, where JavaScript's numbers are exact.
 */
const filesPerObject = 4096;

/** Inode numbers below that are told apart by their file system. */
const inodesPerDevice = 2 ** 36;

/** The least nodeid of a user file. */
const firstUserFile = 2 ** 52;

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

/** The nodeid of a user file, from what stat(2) says of it; what does not fit is folded. */
export function userNodeid({ dev, ino }: { readonly dev: number; readonly ino: number }): number {
  return firstUserFile + ((deviceNumber(dev) * inodesPerDevice + ino) % firstUserFile);
}

/** Sixteen bits of a device: overlays, which have major 0, differ in their minor (makedev(3)). */
function deviceNumber(dev: number): number {
  const minor = (dev % 0x100) + Math.floor(dev / 0x10_0000) * 0x100;
  const major = Math.floor(dev / 0x100) % 0x1000;
  return (minor ^ (major << 8)) & 0xffff;
}

/** True for a user file, false for a special one. */
export function isUserFile(nodeid: number): boolean {
  return nodeid >= firstUserFile;
}
