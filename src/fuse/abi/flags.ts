/** Lower 32 bits of the flags in INIT (FUSE_* in linux/fuse.h). */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  POSIX_LOCKS: 1 << 1,
  ATOMIC_O_TRUNC: 1 << 3,
  EXPORT_SUPPORT: 1 << 4,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  FLOCK_LOCKS: 1 << 10,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  WRITEBACK_CACHE: 1 << 16,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  EXPLICIT_INVAL_DATA: 1 << 25,
  HANDLE_KILLPRIV_V2: 1 << 28,
  INIT_EXT: 1 << 30,
} as const;

/** Upper 32 bits of the flags in INIT (7.36 and later), shifted down as in `flags2`. */
export const InitFlag2 = {
  DIRECT_IO_ALLOW_MMAP: 1 << 4,
  NO_EXPORT_SUPPORT: 1 << 6,
  HAS_RESEND: 1 << 7,
} as const;

/** What the reply to OPEN, OPENDIR and CREATE may say of the open file (FOPEN_* in linux/fuse.h). */
export const OpenReplyFlag = {
  /** Every read and write reaches the file system; the size in the attributes does not limit reads. */
  DIRECT_IO: 1 << 0,
  /** Cached data of earlier opens stays valid. */
  KEEP_CACHE: 1 << 1,
  NONSEEKABLE: 1 << 2,
  /** The kernel may cache the listing of this directory. */
  CACHE_DIR: 1 << 3,
  /** No file position at all, as a pipe. */
  STREAM: 1 << 4,
  /** No FLUSH when a descriptor is closed. */
  NOFLUSH: 1 << 5,
  PARALLEL_DIRECT_WRITES: 1 << 6,
} as const;

/** Which fields of fuse_setattr_in count (FATTR_*). */
export const SetattrValid = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  LOCKOWNER: 1 << 9,
  CTIME: 1 << 10,
  KILL_SUIDGID: 1 << 11,
} as const;

/** Small flags of single requests. */
export const RequestFlag = {
  GETATTR_FH: 1 << 0,
  FSYNC_DATA_ONLY: 1 << 0,
  LOCK_FLOCK: 1 << 0,
  OPEN_KILL_SUIDGID: 1 << 0,
  WRITE_CACHE: 1 << 0,
  WRITE_KILL_SUIDGID: 1 << 2,
  POLL_SCHEDULE_NOTIFY: 1 << 0,
} as const;

/** Types of a byte-range lock (fcntl(2), asm-generic/fcntl.h). */
export const LockType = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;

/** Flags of RENAME2 (renameat2(2)). */
export const RenameFlag = { NOREPLACE: 1 << 0, EXCHANGE: 1 << 1, WHITEOUT: 1 << 2 } as const;

/** Types of directory entries (readdir(3)): the file type bits of a mode, shifted right by 12. */
export const EntryType = { UNKNOWN: 0, FIFO: 1, CHR: 2, DIR: 4, BLK: 6, REG: 8, LNK: 10, SOCK: 12 } as const;
