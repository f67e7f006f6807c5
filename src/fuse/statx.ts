import type { Attr } from './attributes.ts';

/** What is told (STATX_BASIC_STATS and STATX_BTIME, statx(2)). */
const basicStats = 0x7ff;
const birthTime = 0x800;

/** Where a reply is written, in words of four bytes. */
interface Words {
  readonly words: Uint32Array;
  put64(at: number, value: number): void;
  putTime(secondsAt: number, nanosecondsAt: number, time: bigint | number): void;
}

/** Writes struct fuse_statx (linux/fuse.h) at a word of a reply, where all is 0. */
export function putStatx(out: Words, at: number, attr: Attr): void {
  const { words } = out;
  const born = attr.birthtimeNs ?? attr.birthtimeMs;
  words[at] = born === undefined ? basicStats : basicStats | birthTime;
  words[at + 1] = attr.blksize;
  words[at + 4] = attr.nlink;
  words[at + 5] = attr.uid;
  words[at + 6] = attr.gid;
  words[at + 7] = attr.mode;
  out.put64(at + 8, attr.ino);
  out.put64(at + 10, attr.size);
  out.put64(at + 12, attr.blocks);
  out.putTime(at + 16, at + 18, attr.atimeNs ?? attr.atimeMs);
  if (born !== undefined) out.putTime(at + 20, at + 22, born);
  out.putTime(at + 24, at + 26, attr.ctimeNs ?? attr.ctimeMs);
  out.putTime(at + 28, at + 30, attr.mtimeNs ?? attr.mtimeMs);
  words[at + 32] = (attr.rdev >>> 8) & 0xfff;
  words[at + 33] = (attr.rdev & 0xff) | ((attr.rdev >>> 12) & 0xfff00);
}
