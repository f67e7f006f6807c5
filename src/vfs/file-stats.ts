import { type BigIntStats, fstatSync, lstatSync, type PathLike } from 'node:fs';
import type { Attr } from '../fuse/attributes.ts';

const typeMask = 0o170000;
const types = { file: 0o100000, directory: 0o040000, link: 0o120000 } as const;

/** What stat(2) says of a file, with all that Node's numbers would lose: times to the nanosecond, and 64 bits of an inode. */
export interface FileStats extends Attr {
  ino: number;
  mode: number;
  uid: number;
  gid: number;
  readonly dev: number;
  readonly exactIno: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthtimeNs: bigint;
}

/** Of the file itself that a path names; undefined when there is none. @throws as lstat(2). */
export function statsOf(path: PathLike): FileStats | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : convert(stats);
}

/** The same of one that is there. @throws ENOENT too. */
export function statsOfExisting(path: PathLike): FileStats {
  return convert(lstatSync(path, { bigint: true }));
}

/** Of an open file. */
export function statsOfOpen(fd: number): FileStats {
  return convert(fstatSync(fd, { bigint: true }));
}

export function isFile({ mode }: { readonly mode: number }): boolean {
  return (mode & typeMask) === types.file;
}

export function isDirectory({ mode }: { readonly mode: number }): boolean {
  return (mode & typeMask) === types.directory;
}

export function isLink({ mode }: { readonly mode: number }): boolean {
  return (mode & typeMask) === types.link;
}

/** What tells a file from an earlier one with its inode number: when it was made, in microseconds. */
export function generationOf({ birthtimeNs }: { readonly birthtimeNs: bigint }): number {
  return Number(birthtimeNs / 1000n);
}

function convert(stats: BigIntStats): FileStats {
  const { atimeNs, mtimeNs, ctimeNs, birthtimeNs } = stats;
  return {
    ino: Number(stats.ino),
    exactIno: stats.ino,
    dev: Number(stats.dev),
    mode: Number(stats.mode),
    nlink: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: Number(stats.rdev),
    size: Number(stats.size),
    blksize: Number(stats.blksize),
    blocks: Number(stats.blocks),
    atimeMs: Number(stats.atimeMs),
    mtimeMs: Number(stats.mtimeMs),
    ctimeMs: Number(stats.ctimeMs),
    atimeNs,
    mtimeNs,
    ctimeNs,
    birthtimeNs,
  };
}
