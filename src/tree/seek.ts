import { Errno } from '../errors/errno.ts';
import type { Request } from '../fuse/request.ts';

const seekData = 3;

/** Answers SEEK_DATA and SEEK_HOLE (lseek(2)) of a file without holes, of a size in bytes. */
export function replySeek(request: Request, size: number, { offset, whence }: { readonly offset: number; readonly whence: number }): void {
  if (offset >= size) request.replyError(Errno.ENXIO);
  else request.replyLseek(whence === seekData ? offset : size);
}
