import { Errno } from '../errors/errno.ts';
import { RequestFlag, SetattrValid } from './abi/flags.ts';
import { Opcode } from './abi/opcodes.ts';
import type { Decoder } from './decode-names.ts';
import type { AttrChange, LockRequest } from './file-system.ts';
import type { Input } from './input.ts';
import { nearestInSeconds } from './seconds.ts';

const two32 = 2 ** 32;
/** OFFSET_MAX: the kernel's "to the end of the file" (fcntl(2), l_len 0). */
const lastOffset = 2 ** 63 - 1;
const openFileHeader = 40;

/** Requests about a node or an open file, with arguments of fixed size. Offsets from 2^53 on are refused: no file of ours is as long. */
export const fileDecoders = {
  GETATTR(fs, request, input) {
    fs.getattr(request, (input.u32(0) & RequestFlag.GETATTR_FH) === 0 ? undefined : input.u64(2));
  },
  SETATTR(fs, request, input) {
    const change = attrChange(input);
    if (change.size !== undefined && change.size > Number.MAX_SAFE_INTEGER) request.replyError(Errno.EFBIG);
    else fs.setattr(request, change);
  },
  READLINK(fs, request) {
    fs.readlink(request);
  },
  OPEN(fs, request, input) {
    fs.open(request, input.u32(0));
  },
  TMPFILE(fs, request, input) {
    fs.tmpfile(request, { flags: input.u32(0), mode: input.u32(1), umask: input.u32(2) });
  },
  READ(fs, request, input) {
    const offset = input.u64(2);
    if (offset > Number.MAX_SAFE_INTEGER) request.replyData(0);
    else fs.read(request, input.u64(0), offset, request.size);
  },
  WRITE(fs, request, input) {
    const offset = input.u64(2);
    const size = input.u32(4);
    if (openFileHeader + size > input.bodyLength) request.replyError(Errno.EIO);
    else if (offset + size > Number.MAX_SAFE_INTEGER) request.replyError(Errno.EFBIG);
    else fs.write(request, input.u64(0), offset, size);
  },
  STATFS(fs, request) {
    fs.statfs(request);
  },
  RELEASE(fs, request, input) {
    fs.release(request, input.u64(0));
  },
  FSYNC(fs, request, input) {
    fs.fsync(request, input.u64(0), (input.u32(2) & RequestFlag.FSYNC_DATA_ONLY) !== 0);
  },
  FLUSH(fs, request, input) {
    fs.flush(request, input.u64(0));
  },
  LISTXATTR(fs, request, input) {
    fs.listxattr(request, input.u32(0));
  },
  OPENDIR(fs, request, input) {
    fs.opendir(request, input.u32(0));
  },
  READDIR(fs, request, input) {
    readdir(fs, request, input, false);
  },
  READDIRPLUS(fs, request, input) {
    readdir(fs, request, input, true);
  },
  RELEASEDIR(fs, request, input) {
    fs.releasedir(request, input.u64(0));
  },
  FSYNCDIR(fs, request, input) {
    fs.fsyncdir(request, input.u64(0), (input.u32(2) & RequestFlag.FSYNC_DATA_ONLY) !== 0);
  },
  ACCESS(fs, request, input) {
    fs.access(request, input.u32(0));
  },
  GETLK(fs, request, input) {
    const lock = lockRequest(input, false);
    if (lock === undefined) request.replyError(Errno.EOVERFLOW);
    else fs.getlk(request, input.u64(0), lock);
  },
  SETLK(fs, request, input) {
    const lock = lockRequest(input, request.opcode === Opcode.SETLKW);
    if (lock === undefined) request.replyError(Errno.EOVERFLOW);
    else fs.setlk(request, input.u64(0), lock);
  },
  LSEEK(fs, request, input) {
    const offset = input.u64(2);
    if (offset > Number.MAX_SAFE_INTEGER) request.replyError(Errno.ENXIO);
    else fs.lseek(request, input.u64(0), offset, input.u32(4));
  },
  FALLOCATE(fs, request, input) {
    const range = { offset: input.u64(2), length: input.u64(4), mode: input.u32(6) };
    if (range.offset + range.length > Number.MAX_SAFE_INTEGER) request.replyError(Errno.EFBIG);
    else fs.fallocate(request, input.u64(0), range);
  },
  COPY_FILE_RANGE(fs, request, input) {
    const range = {
      offsetIn: input.u64(2),
      nodeidOut: input.u64(4),
      fhOut: input.u64(6),
      offsetOut: input.u64(8),
      length: input.u64(10),
      flags: input.u64(12),
    };
    const end = Math.max(range.offsetIn, range.offsetOut) + range.length;
    if (end > Number.MAX_SAFE_INTEGER) request.replyError(Errno.EFBIG);
    else fs.copyFileRange(request, input.u64(0), range);
  },
  POLL(fs, request, input) {
    const notify = (input.u32(4) & RequestFlag.POLL_SCHEDULE_NOTIFY) !== 0;
    fs.poll(request, input.u64(0), { kh: input.u64(2), events: input.u32(5), notify });
  },
} satisfies Record<string, Decoder>;

function readdir(...[fs, request, input, plus]: [...Parameters<Decoder>, boolean]): void {
  const offset = input.u64(2);
  if (offset > Number.MAX_SAFE_INTEGER) request.replyDirectory();
  else fs.readdir(request, input.u64(0), offset, plus);
}

function attrChange(input: Input): AttrChange {
  const valid = input.u32(0);
  const has = (flag: number): boolean => (valid & flag) !== 0;
  const time = (flag: number, nowFlag: number, [secondsAt, nanosecondsAt]: readonly [number, number]): bigint | undefined => {
    if (!has(flag)) return undefined;
    const ns = timeNs(input, secondsAt, nanosecondsAt);
    return has(nowFlag) ? nearestInSeconds(ns) : ns; // the kernel fills the present time in
  };
  const atimeNs = time(SetattrValid.ATIME, SetattrValid.ATIME_NOW, [8, 14]);
  const mtimeNs = time(SetattrValid.MTIME, SetattrValid.MTIME_NOW, [10, 15]);
  return {
    fh: has(SetattrValid.FH) ? input.u64(2) : undefined,
    size: has(SetattrValid.SIZE) ? input.u64(4) : undefined,
    atimeMs: atimeNs === undefined ? undefined : milliseconds(atimeNs),
    mtimeMs: mtimeNs === undefined ? undefined : milliseconds(mtimeNs),
    ctimeMs: has(SetattrValid.CTIME) ? milliseconds(timeNs(input, 12, 16)) : undefined,
    atimeNs,
    mtimeNs,
    mode: has(SetattrValid.MODE) ? input.u32(17) : undefined,
    uid: has(SetattrValid.UID) ? input.u32(19) : undefined,
    gid: has(SetattrValid.GID) ? input.u32(20) : undefined,
  };
}

/** Seconds are signed: times before 1970 are negative. */
function timeNs(input: Input, secondsAt: number, nanosecondsAt: number): bigint {
  const seconds = input.u32(secondsAt) + (input.u32(secondsAt + 1) | 0) * two32;
  return BigInt(seconds) * 1_000_000_000n + BigInt(input.u32(nanosecondsAt));
}

function milliseconds(ns: bigint): number {
  return Number(ns / 1_000_000n) + Number(ns % 1_000_000n) / 1e6;
}

function lockRequest(input: Input, wait: boolean): LockRequest | undefined {
  const start = input.u64(4);
  const end = input.u64(6) >= lastOffset ? Number.POSITIVE_INFINITY : input.u64(6);
  if (start > Number.MAX_SAFE_INTEGER || (end > Number.MAX_SAFE_INTEGER && end !== Number.POSITIVE_INFINITY)) return undefined;
  const flock = (input.u32(10) & RequestFlag.LOCK_FLOCK) !== 0;
  return { owner: input.big64(2), start, end, type: input.u32(8), pid: input.u32(9), wait, flock };
}
