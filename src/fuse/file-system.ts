import type { LockRange } from './attributes.ts';
import type { Negotiated } from './init.ts';
import type { Request } from './request.ts';

/** What SETATTR changes. What is undefined stays. Times since 1970, in milliseconds and in nanoseconds; a time of "now" comes as the present one, such as a double of seconds holds. */
export interface AttrChange {
  readonly fh: number | undefined;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly size: number | undefined;
  readonly atimeMs: number | undefined;
  readonly mtimeMs: number | undefined;
  readonly ctimeMs: number | undefined;
  readonly atimeNs: bigint | undefined;
  readonly mtimeNs: bigint | undefined;
}

/** A request for a lock; `wait`: SETLKW, to be answered when the lock is had. `flock`: flock(2), not fcntl(2). */
export interface LockRequest extends LockRange {
  readonly owner: bigint;
  readonly wait: boolean;
  readonly flock: boolean;
}

/** A range copied from the file of the request to another, copy_file_range(2). */
export interface CopyRange {
  readonly offsetIn: number;
  readonly nodeidOut: number;
  readonly fhOut: number;
  readonly offsetOut: number;
  readonly length: number;
  readonly flags: number;
}

/** A question about readiness, poll(2). `notify`: wake the kernel's handle `kh` by Notifier.poll when any of `events` comes. */
export interface PollRequest {
  readonly kh: number;
  readonly events: number;
  readonly notify: boolean;
}

/**
 * A file system: one method an opcode, all optional; src/fuse/operations.ts says what a missing one answers. Methods run on the thread that reads
 * requests, and answer through the Request, now or (defer) later. Names are of 1 to 255 bytes without a slash, as text that keeps bytes which are not UTF-8 (byte-names.ts). Handles are
 * the file system's own numbers below 2^53, so are nodeids; the root's is 1.
 */
export interface FileSystem {
  /** The connection is ready. Called once, before any other method. */
  /** Called around each request that is answered, in place of its method: serves it, now, or puts it aside (Request.park). */
  around?(request: Request, serve: () => void): void;
  init?(negotiated: Negotiated): void;
  /** The file system was unmounted. Called once, after every other method. */
  destroy?(): void;
  /** Answer: replyEntry. */
  lookup?(request: Request, name: string): void;
  /** The kernel gives back `nlookup` lookups of a node. No answer. */
  forget?(nodeid: number, nlookup: number): void;
  /** GETATTR, and STATX, which also wants to know when the file was made. @param fh the handle, for fstat(2). Answer: replyAttr. */
  getattr?(request: Request, fh: number | undefined): void;
  /** Answer: replyAttr. */
  setattr?(request: Request, change: AttrChange): void;
  /** Answer: replyText or replyBytes. */
  readlink?(request: Request): void;
  /** Answer: replyEntry. */
  symlink?(request: Request, name: string, target: string): void;
  /** Answer: replyEntry. The mode has the type of the file. The umask is applied to modes already, unless options.posixAcl was set. */
  mknod?(request: Request, name: string, node: { readonly mode: number; readonly rdev: number; readonly umask: number }): void;
  /** Answer: replyEntry. */
  mkdir?(request: Request, name: string, directory: { readonly mode: number; readonly umask: number }): void;
  unlink?(request: Request, name: string): void;
  rmdir?(request: Request, name: string): void;
  /** RENAME and RENAME2; flags as in RenameFlag. */
  rename?(request: Request, name: string, to: { readonly parent: number; readonly name: string; readonly flags: number }): void;
  /** A new name, in the request's node, for the node `nodeid`. Answer: replyEntry. */
  link?(request: Request, nodeid: number, name: string): void;
  /** Answer: replyOpen. O_CREAT, O_EXCL and O_NOCTTY are not among the flags. O_TRUNC is, and is to be carried out. */
  open?(request: Request, flags: number): void;
  /** Answer: replyData, replyBytes or replyText, of at most `size` bytes. */
  read?(request: Request, fh: number, offset: number, size: number): void;
  /** The data is in request.input from request.inputOffset. Answer: replyWrite. */
  write?(request: Request, fh: number, offset: number, size: number): void;
  statfs?(request: Request): void;
  /** The last descriptor was closed. */
  release?(request: Request, fh: number): void;
  fsync?(request: Request, fh: number, dataOnly: boolean): void;
  /** A descriptor was closed; the error goes to close(2). */
  flush?(request: Request, fh: number): void;
  /** Answer: replyOpen. */
  opendir?(request: Request, flags: number): void;
  /** READDIR, and READDIRPLUS (`plus`). Answer: addEntry and addEntryPlus until one returns false, then replyDirectory. */
  readdir?(request: Request, fh: number, offset: number, plus: boolean): void;
  releasedir?(request: Request, fh: number): void;
  fsyncdir?(request: Request, fh: number, dataOnly: boolean): void;
  access?(request: Request, mask: number): void;
  /** Make and open. Answer: replyCreate. */
  create?(request: Request, name: string, file: { readonly flags: number; readonly mode: number; readonly umask: number }): void;
  /** Makes a file without a name in a directory, and opens it (O_TMPFILE, open(2)). Answer: replyCreate. */
  tmpfile?(request: Request, file: { readonly flags: number; readonly mode: number; readonly umask: number }): void;
  /**
   * The caller of a deferred request got a signal: whoever has its ticket should answer it, with EINTR if nothing was done. No answer to this one.
   * It never comes before its request, since one thread reads both; after the answer it means nothing. A synchronous handler has answered already.
   */
  interrupt?(uniqueLow: number, uniqueHigh: number): void;
  /** SEEK_DATA (3) and SEEK_HOLE (4). Answer: replyLseek. */
  lseek?(request: Request, fh: number, offset: number, whence: number): void;
  fallocate?(request: Request, fh: number, range: { readonly offset: number; readonly length: number; readonly mode: number }): void;
  /** Answer: replyWrite. */
  copyFileRange?(request: Request, fh: number, range: CopyRange): void;
  /** Answer: with size 0 replyXattrSize; else replyBytes, or ERANGE when there is more than `size`. */
  getxattr?(request: Request, name: string, size: number): void;
  /** The value is a view, good until the handler returns. */
  setxattr?(request: Request, name: string, value: Uint8Array, flags: number): void;
  /** Answer as getxattr: names, each ended by a NUL. */
  listxattr?(request: Request, size: number): void;
  removexattr?(request: Request, name: string): void;
  /** Answer: replyLock. */
  getlk?(request: Request, fh: number, lock: LockRequest): void;
  /** SETLK, SETLKW, flock(2). Taken together with FLUSH (drop the owner's POSIX locks) and RELEASE (drop its flock). */
  setlk?(request: Request, fh: number, lock: LockRequest): void;
  /** Answer: replyPoll. */
  poll?(request: Request, fh: number, poll: PollRequest): void;
}

/** The name of a method of FileSystem. */
export type Method = keyof FileSystem;
