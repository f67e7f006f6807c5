/** Sizes in bytes of the structures of linux/fuse.h that every minor version from 7.31 on has. */
export const Size = {
  inHeader: 40,
  outHeader: 16,
  attr: 88,
  entryOut: 128,
  attrOut: 104,
  statxOut: 288,
  openOut: 16,
  writeOut: 8,
  statfsOut: 80,
  xattrOut: 8,
  lkOut: 24,
  lseekOut: 8,
  pollOut: 8,
  initOut: 64,
  dirent: 24,
  direntplus: 152,
  initInLeast: 16,
  batchForgetIn: 8,
  forgetOne: 16,
  /** The least body of FORGET, BATCH_FORGET and INTERRUPT. */
  notice: 8,
} as const;

/** Word (4-byte) indexes into struct fuse_in_header. */
export const Header = { len: 0, opcode: 1, unique: 2, nodeid: 4, uid: 6, gid: 7, pid: 8, body: 10 } as const;

/** The longest name a directory entry may have, in bytes (NAME_MAX in linux/limits.h). */
export const nameMax = 255;

/** The least size of a buffer that reads requests (FUSE_MIN_READ_BUFFER). */
export const minReadBuffer = 8192;

/** Sizes of fuse_in_header and fuse_write_in, which come before the data of a WRITE. */
export const writeOverhead = 80;

/** The greatest errno that Linux takes in a reply; with 512 and more the reply is refused and the caller hangs. */
export const maxErrno = 511;
