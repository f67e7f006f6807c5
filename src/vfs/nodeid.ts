/**
 * nodeids are derived, never handed out, so that a server which takes over a connection names every file as the one
 * before it did:
 *
 *   special file      serial of its object * 4096 + index of the file in its object
 *   user file         2^52 + inode number on the file system that backs it
 *
 * All stay below 2^53, where JavaScript's numbers are exact.
 */
const filesPerObject = 4096;

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

/** The nodeid of a user file; inode numbers of 2^52 and more are folded. */
export function userNodeid(ino: number): number {
  return firstUserFile + (ino % firstUserFile);
}

/** True for a user file, false for a special one. */
export function isUserFile(nodeid: number): boolean {
  return nodeid >= firstUserFile;
}
