/** Attributes with a different value in every field, and the bytes they are on the wire. */
export const attr = {
  ino: 0x1_0000_0002,
  size: 1000,
  blocks: 8,
  mode: 0o100644,
  nlink: 3,
  uid: 1000,
  gid: 100,
  rdev: 0x801,
  blksize: 4096,
  atimeMs: 1_500_000_000_250,
  mtimeMs: -1500,
  ctimeMs: 1_500_000_000_000.125,
};

export const attrBytes = `
  02 00 00 00 01 00 00 00  attr.ino
  e8 03 00 00 00 00 00 00  attr.size
  08 00 00 00 00 00 00 00  attr.blocks
  00 2f 68 59 00 00 00 00  attr.atime
  fe ff ff ff ff ff ff ff  attr.mtime, -2: before 1970
  00 2f 68 59 00 00 00 00  attr.ctime
  80 b2 e6 0e  attr.atimensec 250,000,000
  00 65 cd 1d  attr.mtimensec 500,000,000
  48 e8 01 00  attr.ctimensec 125,000
  a4 81 00 00  attr.mode 0100644
  03 00 00 00  attr.nlink
  e8 03 00 00  attr.uid
  64 00 00 00  attr.gid
  01 08 00 00  attr.rdev 8:1
  00 10 00 00  attr.blksize
  00 00 00 00  attr.flags`;

export const entry = { nodeid: 0x10_0000_0000_0009, generation: 5, entryTimeoutMs: 1500, attrTimeoutMs: 2000.5, attr };

export const entryBytes = `
  09 00 00 00 00 00 10 00  nodeid
  05 00 00 00 00 00 00 00  generation
  01 00 00 00 00 00 00 00  entry_valid
  02 00 00 00 00 00 00 00  attr_valid
  00 65 cd 1d  entry_valid_nsec 500,000,000
  20 a1 07 00  attr_valid_nsec 500,000
  ${attrBytes}`;
