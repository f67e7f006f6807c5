import { Errno } from '../errors/errno.ts';
import type { FileSystem } from './file-system.ts';
import type { Input } from './input.ts';
import type { Request } from './request.ts';

/** A file system whose method for the request in hand is there. */
export type Served = Required<FileSystem>;

/** Reads the arguments of a request and calls the method for it. */
export type Decoder = (fs: Served, request: Request, input: Input) => void;

/** Requests whose arguments begin with the name of an entry of the request's node. */
export const nameDecoders = {
  LOOKUP(fs, request, input) {
    input.seek(0);
    const name = input.name();
    if (name === '') request.replyError(input.nameErrno);
    else fs.lookup(request, name);
  },
  SYMLINK(fs, request, input) {
    input.seek(0);
    const name = input.name();
    if (name === '') {
      request.replyError(input.nameErrno);
      return;
    }
    const target = input.text();
    if (target === '') {
      request.replyError(input.nameErrno);
      return;
    }
    fs.symlink(request, name, target);
  },
  MKNOD(fs, request, input) {
    input.seek(16);
    const name = input.name();
    if (name === '') request.replyError(input.nameErrno);
    else fs.mknod(request, name, { mode: input.u32(0), rdev: input.u32(1), umask: input.u32(2) });
  },
  MKDIR(fs, request, input) {
    input.seek(8);
    const name = input.name();
    if (name === '') request.replyError(input.nameErrno);
    else fs.mkdir(request, name, { mode: input.u32(0), umask: input.u32(1) });
  },
  CREATE(fs, request, input) {
    input.seek(16);
    const name = input.name();
    if (name === '') request.replyError(input.nameErrno);
    else fs.create(request, name, { flags: input.u32(0), mode: input.u32(1), umask: input.u32(2) });
  },
  UNLINK(fs, request, input) {
    input.seek(0);
    const name = input.name();
    if (name === '') request.replyError(input.nameErrno);
    else fs.unlink(request, name);
  },
  RMDIR(fs, request, input) {
    input.seek(0);
    const name = input.name();
    if (name === '') request.replyError(input.nameErrno);
    else fs.rmdir(request, name);
  },
  RENAME(fs, request, input) {
    rename(fs, request, input, 0);
  },
  RENAME2(fs, request, input) {
    rename(fs, request, input, input.u32(2));
  },
  LINK(fs, request, input) {
    input.seek(8);
    const name = input.name();
    if (name === '') request.replyError(input.nameErrno);
    else fs.link(request, input.u64(0), name);
  },
  GETXATTR(fs, request, input) {
    input.seek(8);
    const name = input.text();
    if (name === '') request.replyError(input.nameErrno);
    else fs.getxattr(request, name, input.u32(0));
  },
  SETXATTR(fs, request, input) {
    input.seek(8);
    const name = input.text();
    if (name === '') {
      request.replyError(input.nameErrno);
      return;
    }
    const end = input.position + input.u32(0);
    if (end > input.length) {
      request.replyError(Errno.EIO);
      return;
    }
    fs.setxattr(request, name, input.bytes.subarray(input.position, end), input.u32(1));
  },
  REMOVEXATTR(fs, request, input) {
    input.seek(0);
    const name = input.text();
    if (name === '') request.replyError(input.nameErrno);
    else fs.removexattr(request, name);
  },
} satisfies Record<string, Decoder>;

const rename2Size = 16;
const renameSize = 8;

function rename(fs: Served, request: Request, input: Input, flags: number): void {
  input.seek(request.opcode === 45 ? rename2Size : renameSize);
  const from = input.name();
  if (from === '') {
    request.replyError(input.nameErrno);
    return;
  }
  const to = input.name();
  if (to === '') {
    request.replyError(input.nameErrno);
    return;
  }
  fs.rename(request, from, { parent: input.u64(0), name: to, flags });
}
