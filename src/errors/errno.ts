/** Linux errno numbers by name (errno(3), asm-generic/errno.h). Only 1 to 511 may be sent in a FUSE reply. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EOVERFLOW: 75,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  ESTALE: 116,
  EDQUOT: 122,
  ECANCELED: 125,
  ENOTRECOVERABLE: 131,
} as const;

/** The name of an errno, as errno(3) spells it. */
export type ErrnoName = keyof typeof Errno;

const names = new Map<number, ErrnoName>(Object.entries(Errno).map(([name, value]) => [value, name as ErrnoName]));

/** The name of an errno number, or undefined when this table does not hold it. */
export function errnoName(value: number): ErrnoName | undefined {
  return names.get(value);
}

/** libuv calls 95 by its other name. */
function nameOf(code: unknown): unknown {
  return code === 'ENOTSUP' ? 'EOPNOTSUPP' : code;
}

/** The errno of a failed Node.js file-system or process call; EIO when the value carries none that Linux knows. */
export function errnoOf(error: unknown): number {
  const code = nameOf((error as { code?: unknown } | null)?.code);
  return typeof code === 'string' && code in Errno ? Errno[code as ErrnoName] : Errno.EIO;
}
