import { InitFlag, InitFlag2 } from './abi/flags.ts';
import { Size } from './abi/structs.ts';
import type { Input } from './input.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

/** The protocol version spoken here. */
export const protocol = { major: 7, minor: 45, leastMinor: 31 } as const;

const pageSize = 4096;
const maxPages = 256;
const noLimit = 0xffff;

/** What a session asks the kernel for. */
export interface ConnectionOptions {
  /** The longest WRITE and READ, in bytes. Default and most: 1 MiB. */
  readonly maxWrite?: number;
  /** Requests the kernel may have outstanding in the background (read-ahead, asynchronous I/O). Default 64. */
  readonly maxBackground?: number;
  /** Listings come with attributes, READDIRPLUS for every one. Default true. */
  readonly readdirPlus?: boolean;
  /** The kernel keeps the targets of symbolic links until it forgets or is told to. Default false. */
  readonly cacheSymlinks?: boolean;
  /** Cached data is dropped when told to, not when the attributes change. Default false. */
  readonly explicitInvalData?: boolean;
  /** Who clears set-user-id bits on write, truncate and chown: the kernel, with a SETATTR, or the file system. Default 'kernel'. */
  readonly killPriv?: 'kernel' | 'file-system';
  /** The kernel checks access control lists, which it asks for as xattrs; modes of new files come without the umask, which a directory's list overrides. Default false. */
  readonly posixAcl?: boolean;
  /** A file opened with DIRECT_IO can be mapped shared. Default false. */
  readonly directIoMmap?: boolean;
  /** The kernel can be told to send again what was read and not answered (Linux 6.9). Default true. */
  readonly resend?: boolean;
  /** Nodes can be named by file handles (NFS), which look up `.` and `..`. Default false. */
  readonly exportSupport?: boolean;
}

/** What was agreed on with the kernel: plain data, which another process can take the connection over with. */
export interface Negotiated {
  readonly major: number;
  readonly minor: number;
  readonly maxWrite: number;
  readonly maxReadahead: number;
  readonly maxBackground: number;
  /** InitFlag: both asked for and offered. */
  readonly flags: number;
  /** InitFlag2: both asked for and offered. */
  readonly flags2: number;
}

/** True when another process can take the connection over: the kernel will send it what was read and not answered. */
export function canResend({ flags2 }: Negotiated): boolean {
  return (flags2 & InitFlag2.HAS_RESEND) !== 0;
}

/** What INIT comes to: an agreement; a retry (the kernel's major version is greater than ours, it will ask again); or a kernel too old. */
export type InitOutcome = Negotiated | 'retry' | 'too-old';

/**
 * Reads an INIT request (struct fuse_init_in; shorter before 7.36) and decides.
 *
 * @param locks whether the file system keeps file locks itself.
 */
export function negotiate(input: Input, locks: boolean, options: ConnectionOptions): InitOutcome {
  const major = input.u32(0);
  const kernelMinor = input.u32(1);
  if (major > protocol.major) return 'retry';
  if (major < protocol.major || kernelMinor < protocol.leastMinor) return 'too-old';
  const offered = input.u32(3);
  const extended = (offered & InitFlag.INIT_EXT) !== 0 && input.bodyLength >= 20;
  return {
    major,
    minor: Math.min(kernelMinor, protocol.minor),
    maxWrite: maxWriteOf(options),
    maxReadahead: input.u32(2),
    maxBackground: Math.min(options.maxBackground ?? 64, noLimit),
    flags: wantedFlags(locks, options) & offered,
    flags2: extended ? wantedFlags2(options) & input.u32(4) : 0,
  };
}

/** The maxWrite of a session: whole pages, at least one, at most 1 MiB. */
export function maxWriteOf(options: ConnectionOptions): number {
  const pages = Math.floor((options.maxWrite ?? maxPages * pageSize) / pageSize);
  return Math.min(Math.max(pages, 1), maxPages) * pageSize;
}

function wantedFlags(locks: boolean, options: ConnectionOptions): number {
  const always =
    InitFlag.ASYNC_READ |
    InitFlag.ATOMIC_O_TRUNC |
    InitFlag.BIG_WRITES |
    InitFlag.ASYNC_DIO |
    InitFlag.PARALLEL_DIROPS |
    InitFlag.ABORT_ERROR |
    InitFlag.MAX_PAGES |
    InitFlag.INIT_EXT;
  return (
    always |
    flagIf(locks, InitFlag.POSIX_LOCKS | InitFlag.FLOCK_LOCKS) |
    flagIf(options.readdirPlus ?? true, InitFlag.DO_READDIRPLUS) |
    flagIf(options.cacheSymlinks ?? false, InitFlag.CACHE_SYMLINKS) |
    (options.explicitInvalData ? InitFlag.EXPLICIT_INVAL_DATA : InitFlag.AUTO_INVAL_DATA) |
    flagIf(options.killPriv === 'file-system', InitFlag.HANDLE_KILLPRIV_V2) |
    flagIf(options.posixAcl ?? false, InitFlag.POSIX_ACL | InitFlag.DONT_MASK) |
    flagIf(options.exportSupport ?? false, InitFlag.EXPORT_SUPPORT)
  );
}

function wantedFlags2(options: ConnectionOptions): number {
  return (
    flagIf(options.resend ?? true, InitFlag2.HAS_RESEND) |
    flagIf(options.directIoMmap ?? false, InitFlag2.DIRECT_IO_ALLOW_MMAP) |
    flagIf(!(options.exportSupport ?? false), InitFlag2.NO_EXPORT_SUPPORT)
  );
}

function flagIf(condition: boolean, flag: number): number {
  return condition ? flag : 0;
}

/** Writes struct fuse_init_out. @returns the length of the reply. */
export function putInitReply(out: ReplyBuffer, agreed: Negotiated): number {
  const { words } = out;
  const maxBackground = agreed.maxBackground;
  const congestion = Math.ceil((maxBackground * 3) / 4);
  words.fill(0, 4, (Size.outHeader + Size.initOut) / 4);
  words[4] = agreed.major;
  words[5] = agreed.minor;
  words[6] = agreed.maxReadahead;
  words[7] = agreed.flags;
  words[8] = maxBackground | (congestion << 16);
  words[9] = agreed.maxWrite;
  words[10] = 1;
  words[11] = agreed.maxWrite / pageSize;
  words[12] = agreed.flags2;
  return Size.outHeader + Size.initOut;
}

/** Writes the reply that makes a kernel with a greater major version ask again: our version and nothing else. */
export function putRetryReply(out: ReplyBuffer): number {
  out.words.fill(0, 4, (Size.outHeader + Size.initOut) / 4);
  out.words[4] = protocol.major;
  out.words[5] = protocol.minor;
  return Size.outHeader + Size.initOut;
}
