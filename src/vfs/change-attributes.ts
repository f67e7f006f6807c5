import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  openSync,
  type PathLike,
} from 'node:fs';
import { O_PATH } from '../errors/index.ts';
import { isExactInSeconds, secondsOf } from '../fuse/seconds.ts';
import { type FileStats, isLink, statsOfExisting, statsOfOpen } from './file-stats.ts';
import type { SystemCalls } from './system-calls.ts';

/** What SETATTR changes; undefined: left as it is. Times in nanoseconds since 1970. */
export interface AttributeChange {
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly size?: number | undefined;
  readonly atimeNs?: bigint | undefined;
  readonly mtimeNs?: bigint | undefined;
}

/** chown(2) leaves an id of -1 as it is. */
const unchanged = -1;
/** UTIME_OMIT (utimensat(2)): leaves a time as it is. */
const omit = (1 << 30) - 2;
const secondNs = 1_000_000_000n;

/** Changes owner, mode and times of an open file, whatever its name is by now. */
export function changeByDescriptor(fd: number, change: AttributeChange, calls: SystemCalls): void {
  const { uid, gid, mode } = change;
  if (uid !== undefined || gid !== undefined) fchownSync(fd, uid ?? unchanged, gid ?? unchanged);
  if (mode !== undefined) fchmodSync(fd, mode & 0o7777);
  if (!changesTimes(change)) return;
  const both = isExactTo(change) ? change : withBoth(change, statsOfOpen(fd));
  if (isExactTo(both)) futimesSync(fd, ...times(both));
  else setTimes(`/proc/self/fd/${fd}`, change, calls);
}

/** Changes them of the file with a path; of a symbolic link those of the link. */
export function changeByPath(path: PathLike, change: AttributeChange, calls: SystemCalls): void {
  const { uid, gid, mode } = change;
  if (uid !== undefined || gid !== undefined) lchownSync(path, uid ?? unchanged, gid ?? unchanged);
  // The kernel never changes the mode of a symbolic link.
  if (mode !== undefined) withInode(path, (inode, stats) => isLink(stats) || chmodSync(inode, mode & 0o7777));
  if (!changesTimes(change)) return;
  const both = isExactTo(change) ? change : withBoth(change, statsOfExisting(path));
  if (isExactTo(both)) lutimesSync(path, ...times(both));
  else setTimes(path, change, calls);
}

/**
 * Calls `use` with a path for the very file that a path names now: calls that follow links (chmod(2)) cannot be led elsewhere by who puts a link in its place
 * meanwhile.
 */
export function withInode<T>(path: PathLike, use: (inode: string, stats: FileStats) => T): T {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    return use(`/proc/self/fd/${fd}`, statsOfOpen(fd));
  } finally {
    closeSync(fd);
  }
}

function changesTimes({ atimeNs, mtimeNs }: AttributeChange): boolean {
  return atimeNs !== undefined || mtimeNs !== undefined;
}

/** Setting the time that stays to what it is leaves it as it is, where that can be set exactly: nobody else changes it meanwhile. */
function withBoth({ atimeNs, mtimeNs }: AttributeChange, stats: FileStats): AttributeChange {
  return { atimeNs: atimeNs ?? stats.atimeNs, mtimeNs: mtimeNs ?? stats.mtimeNs };
}

/**
 * Gives a new file times that node:fs can set exactly: those who unpack an archive set its mtime and leave its atime, which then needs no other process. They change
 * by less than a quarter of a microsecond.
 */
export function roundTimes(fd: number): void {
  const now = secondsOf(statsOfOpen(fd).atimeNs);
  futimesSync(fd, now, now);
}

/** True where node:fs sets both times right. */
function isExactTo({ atimeNs, mtimeNs }: AttributeChange): boolean {
  return atimeNs !== undefined && mtimeNs !== undefined && isExactInSeconds(atimeNs) && isExactInSeconds(mtimeNs);
}

function times({ atimeNs = 0n, mtimeNs = 0n }: AttributeChange): [number, number] {
  return [secondsOf(atimeNs), secondsOf(mtimeNs)];
}

function setTimes(path: PathLike, { atimeNs, mtimeNs }: AttributeChange, calls: SystemCalls): void {
  calls.make('utimens', path, ...timespec(atimeNs), ...timespec(mtimeNs));
}

/** Seconds and nanoseconds; these count forward before 1970 too. */
function timespec(ns: bigint | undefined): [bigint | number, bigint | number] {
  if (ns === undefined) return [0, omit];
  const rest = ((ns % secondNs) + secondNs) % secondNs;
  return [(ns - rest) / secondNs, rest];
}
