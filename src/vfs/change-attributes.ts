import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  openSync,
  type PathLike,
  type Stats,
} from 'node:fs';

/** What SETATTR changes; undefined: left as it is. Times in milliseconds since 1970. */
export interface AttributeChange {
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly size?: number | undefined;
  readonly atimeMs?: number | undefined;
  readonly mtimeMs?: number | undefined;
}

/** O_PATH (fcntl.h); node:fs does not name it. */
export const O_PATH = 0o10000000;

/** chown(2) leaves an id of -1 as it is. */
const unchanged = -1;

/** Changes owner, mode and times of an open file, whatever its name is by now. */
export function changeByDescriptor(fd: number, change: AttributeChange): void {
  const { uid, gid, mode } = change;
  if (uid !== undefined || gid !== undefined) fchownSync(fd, uid ?? unchanged, gid ?? unchanged);
  if (mode !== undefined) fchmodSync(fd, mode & 0o7777);
  if (changesTimes(change)) futimesSync(fd, ...times(change, fstatSync(fd)));
}

/** Changes them of the file with a path; of a symbolic link those of the link. */
export function changeByPath(path: PathLike, change: AttributeChange): void {
  const { uid, gid, mode } = change;
  if (uid !== undefined || gid !== undefined) lchownSync(path, uid ?? unchanged, gid ?? unchanged);
  // The kernel never changes the mode of a symbolic link.
  if (mode !== undefined) withInode(path, (inode, stats) => stats.isSymbolicLink() || chmodSync(inode, mode & 0o7777));
  if (changesTimes(change)) lutimesSync(path, ...times(change, lstatSync(path)));
}

/**
 * Calls `use` with a path for the very file that a path names now: calls that follow links (chmod(2)) cannot be led elsewhere by who puts a link in its place
 * meanwhile.
 */
export function withInode<T>(path: PathLike, use: (inode: string, stats: Stats) => T): T {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    return use(`/proc/self/fd/${fd}`, fstatSync(fd));
  } finally {
    closeSync(fd);
  }
}

function changesTimes({ atimeMs, mtimeMs }: AttributeChange): boolean {
  return atimeMs !== undefined || mtimeMs !== undefined;
}

function times({ atimeMs, mtimeMs }: AttributeChange, before: Stats): [Date | number, Date | number] {
  return [timeFor(atimeMs ?? before.atimeMs), timeFor(mtimeMs ?? before.mtimeMs)];
}

/** node:fs takes a negative number to mean now, a Date before 1970 for what it says; a number keeps the microseconds that a Date has not. */
function timeFor(ms: number): Date | number {
  return ms < 0 ? new Date(ms) : ms / 1000;
}
