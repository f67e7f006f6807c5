/**
 * What stat(2) shows. Has the names and units of node:fs Stats, so that a Stats can be given as it is. Times are milliseconds
 * since 1970 with fractions; `blocks` counts 512 bytes; `rdev` is as makedev(3) makes it; `mode` includes the type of the file.
 */
export interface Attr {
  readonly ino: number;
  readonly size: number;
  readonly blocks: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly blksize: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** The same in nanoseconds (as in node:fs BigIntStats), taken where they are there: a double of milliseconds is good to a quarter of a microsecond. */
  readonly atimeNs?: bigint;
  readonly mtimeNs?: bigint;
  readonly ctimeNs?: bigint;
  /** When the file was made, for statx(2); where both are missing none is told. */
  readonly birthtimeMs?: number;
  readonly birthtimeNs?: bigint;
}

/**
 * The answer to a lookup. nodeid 0: there is no such name, and the kernel may remember that for entryTimeoutMs (`attr` is not looked at).
 * nodeid and generation together are unique for the life of the file system. Each entry sent counts as one lookup, to be given back by forget.
 */
export interface Entry {
  readonly nodeid: number;
  readonly generation: number;
  readonly entryTimeoutMs: number;
  readonly attrTimeoutMs: number;
  readonly attr: Attr;
}

/** What statfs(2) shows. */
export interface StatfsResult {
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly bsize: number;
  readonly namelen: number;
  readonly frsize: number;
}

/** A byte range that is or shall be locked: both ends included, `end` Infinity to the end of the file whatever it grows to. */
export interface LockRange {
  readonly start: number;
  readonly end: number;
  /** A value of LockType. */
  readonly type: number;
  /** The process that holds the lock, 0 if unknown. */
  readonly pid: number;
}
