import { Errno } from '../errors/errno.ts';
import { Opcode, type OpcodeName, opcodeCount } from './abi/opcodes.ts';
import { fileDecoders } from './decode-files.ts';
import { type Decoder, nameDecoders, type Served } from './decode-names.ts';
import type { FileSystem, Method } from './file-system.ts';
import type { Request } from './request.ts';

/** ENOTTY (errno(3)). */
const notTerminal = 25;

/** What answers a request whose method a file system leaves out: an errno, or success of a kind. */
type Missing = number | 'ok' | 'open' | 'statfs' | 'empty';

/** One opcode: its method, the least size of its arguments in bytes, what answers when the method is missing. */
interface Operation {
  readonly method: Method;
  readonly bodySize: number;
  readonly missing: Missing;
  readonly decode: Decoder;
}

/**
 * The requests that a file system answers. ENOSYS stands only where Linux remembers it for the mount and then does the right thing by itself: no
 * more FLUSH, FSYNC succeeds, xattrs and FALLOCATE are not supported, LSEEK, POLL and COPY_FILE_RANGE are done generically, CREATE becomes MKNOD and OPEN.
 * OPEN and OPENDIR without a method succeed, since ENOSYS there would rule out KEEP_CACHE and DIRECT_IO. What cannot be done to any file is EPERM, as
 * mkdir(2) and its like say of file systems that do not support it.
 */
const operations: { readonly [name in OpcodeName]?: Operation } = {
  LOOKUP: { method: 'lookup', bodySize: 2, missing: Errno.ENOENT, decode: nameDecoders.LOOKUP },
  GETATTR: { method: 'getattr', bodySize: 16, missing: Errno.EIO, decode: fileDecoders.GETATTR },
  STATX: { method: 'getattr', bodySize: 24, missing: Errno.ENOSYS, decode: fileDecoders.GETATTR },
  SETATTR: { method: 'setattr', bodySize: 88, missing: Errno.EPERM, decode: fileDecoders.SETATTR },
  READLINK: { method: 'readlink', bodySize: 0, missing: Errno.EINVAL, decode: fileDecoders.READLINK },
  SYMLINK: { method: 'symlink', bodySize: 4, missing: Errno.EPERM, decode: nameDecoders.SYMLINK },
  MKNOD: { method: 'mknod', bodySize: 18, missing: Errno.EPERM, decode: nameDecoders.MKNOD },
  MKDIR: { method: 'mkdir', bodySize: 10, missing: Errno.EPERM, decode: nameDecoders.MKDIR },
  UNLINK: { method: 'unlink', bodySize: 2, missing: Errno.EPERM, decode: nameDecoders.UNLINK },
  RMDIR: { method: 'rmdir', bodySize: 2, missing: Errno.EPERM, decode: nameDecoders.RMDIR },
  RENAME: { method: 'rename', bodySize: 12, missing: Errno.EPERM, decode: nameDecoders.RENAME },
  RENAME2: { method: 'rename', bodySize: 20, missing: Errno.EPERM, decode: nameDecoders.RENAME2 },
  LINK: { method: 'link', bodySize: 10, missing: Errno.EPERM, decode: nameDecoders.LINK },
  OPEN: { method: 'open', bodySize: 8, missing: 'open', decode: fileDecoders.OPEN },
  READ: { method: 'read', bodySize: 40, missing: Errno.EINVAL, decode: fileDecoders.READ },
  WRITE: { method: 'write', bodySize: 40, missing: Errno.EINVAL, decode: fileDecoders.WRITE },
  STATFS: { method: 'statfs', bodySize: 0, missing: 'statfs', decode: fileDecoders.STATFS },
  RELEASE: { method: 'release', bodySize: 24, missing: 'ok', decode: fileDecoders.RELEASE },
  FSYNC: { method: 'fsync', bodySize: 16, missing: Errno.ENOSYS, decode: fileDecoders.FSYNC },
  SETXATTR: { method: 'setxattr', bodySize: 10, missing: Errno.ENOSYS, decode: nameDecoders.SETXATTR },
  GETXATTR: { method: 'getxattr', bodySize: 10, missing: Errno.ENOSYS, decode: nameDecoders.GETXATTR },
  LISTXATTR: { method: 'listxattr', bodySize: 8, missing: Errno.ENOSYS, decode: fileDecoders.LISTXATTR },
  REMOVEXATTR: { method: 'removexattr', bodySize: 2, missing: Errno.ENOSYS, decode: nameDecoders.REMOVEXATTR },
  FLUSH: { method: 'flush', bodySize: 24, missing: Errno.ENOSYS, decode: fileDecoders.FLUSH },
  OPENDIR: { method: 'opendir', bodySize: 8, missing: 'open', decode: fileDecoders.OPENDIR },
  READDIR: { method: 'readdir', bodySize: 40, missing: 'empty', decode: fileDecoders.READDIR },
  READDIRPLUS: { method: 'readdir', bodySize: 40, missing: 'empty', decode: fileDecoders.READDIRPLUS },
  RELEASEDIR: { method: 'releasedir', bodySize: 24, missing: 'ok', decode: fileDecoders.RELEASEDIR },
  FSYNCDIR: { method: 'fsyncdir', bodySize: 16, missing: Errno.ENOSYS, decode: fileDecoders.FSYNCDIR },
  GETLK: { method: 'getlk', bodySize: 48, missing: Errno.ENOSYS, decode: fileDecoders.GETLK },
  SETLK: { method: 'setlk', bodySize: 48, missing: Errno.ENOSYS, decode: fileDecoders.SETLK },
  SETLKW: { method: 'setlk', bodySize: 48, missing: Errno.ENOSYS, decode: fileDecoders.SETLK },
  ACCESS: { method: 'access', bodySize: 8, missing: Errno.ENOSYS, decode: fileDecoders.ACCESS },
  CREATE: { method: 'create', bodySize: 18, missing: Errno.ENOSYS, decode: nameDecoders.CREATE },
  POLL: { method: 'poll', bodySize: 24, missing: Errno.ENOSYS, decode: fileDecoders.POLL },
  FALLOCATE: { method: 'fallocate', bodySize: 32, missing: Errno.ENOSYS, decode: fileDecoders.FALLOCATE },
  TMPFILE: { method: 'tmpfile', bodySize: 16, missing: Errno.ENOSYS, decode: fileDecoders.TMPFILE },
  LSEEK: { method: 'lseek', bodySize: 24, missing: Errno.ENOSYS, decode: fileDecoders.LSEEK },
  COPY_FILE_RANGE: { method: 'copyFileRange', bodySize: 56, missing: Errno.ENOSYS, decode: fileDecoders.COPY_FILE_RANGE },
  COPY_FILE_RANGE_64: { method: 'copyFileRange', bodySize: 56, missing: Errno.ENOSYS, decode: fileDecoders.COPY_FILE_RANGE },
};

/**
 * One function for each opcode. Those without a method (BMAP, SYNCFS, …) are ENOSYS: Linux remembers it, and answers with what it
 * knows itself or the errno that fits. IOCTL it does not remember, and ENOTTY is what isatty(3) expects.
 */
export function decodersFor(fs: FileSystem): Decoder[] {
  const table = new Array<Decoder>(opcodeCount).fill(unsupported);
  table[Opcode.IOCTL] = missing(notTerminal);
  for (const [name, operation] of Object.entries(operations)) {
    table[Opcode[name as OpcodeName]] = fs[operation.method] === undefined ? missing(operation.missing) : operation.decode;
  }
  return table;
}

/** The least size in bytes of the arguments of each opcode. */
export const bodySizes: readonly number[] = Object.entries(operations).reduce((sizes, [name, { bodySize }]) => {
  sizes[Opcode[name as OpcodeName]] = bodySize;
  return sizes;
}, new Array<number>(opcodeCount).fill(0));

function unsupported(_: Served, request: Request): void {
  request.replyError(Errno.ENOSYS);
}

function missing(answer: Missing): Decoder {
  if (typeof answer === 'number') return (_, request) => request.replyError(answer);
  return { ok: replyOk, open: replyOpened, statfs: replyNoStatistics, empty: replyNoEntries }[answer];
}

function replyOk(_: Served, request: Request): void {
  request.replyOk();
}

function replyOpened(_: Served, request: Request): void {
  request.replyOpen(0, 0);
}

function replyNoEntries(_: Served, request: Request): void {
  request.replyData(0);
}

function replyNoStatistics(_: Served, request: Request): void {
  request.replyStatfs({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 4096, namelen: 255, frsize: 4096 });
}
