import type { Attr, AttrChange, Entry } from '../../../src/fuse/index.ts';

/** Long, so that what the kernel was not told of stays as it was. */
export const timeoutMs = 3_600_000;

const directory = 0o040000;
const typeMask = 0o170000;

/** One file of the memory file system. */
export class MemoryNode {
  readonly nodeid: number;
  readonly children = new Map<string, MemoryNode>();
  readonly xattrs = new Map<string, Buffer>();
  content: Buffer = Buffer.alloc(0);
  mode: number;
  uid = 0;
  gid = 0;
  nlink: number;
  rdev = 0;
  atimeMs = Date.now();
  mtimeMs = Date.now();
  ctimeMs = Date.now();

  constructor(nodeid: number, mode: number) {
    this.nodeid = nodeid;
    this.mode = mode;
    this.nlink = this.isDirectory ? 2 : 1;
  }

  get isDirectory(): boolean {
    return (this.mode & typeMask) === directory;
  }

  attr(): Attr {
    const { nodeid, content, mode, nlink, uid, gid, rdev, atimeMs, mtimeMs, ctimeMs } = this;
    const size = content.length;
    return { ino: nodeid, size, blocks: Math.ceil(size / 512), mode, nlink, uid, gid, rdev, blksize: 4096, atimeMs, mtimeMs, ctimeMs };
  }

  entry(): Entry {
    return { nodeid: this.nodeid, generation: 0, entryTimeoutMs: timeoutMs, attrTimeoutMs: timeoutMs, attr: this.attr() };
  }

  change(change: AttrChange): void {
    if (change.mode !== undefined) this.mode = (this.mode & typeMask) | (change.mode & ~typeMask);
    this.uid = change.uid ?? this.uid;
    this.gid = change.gid ?? this.gid;
    this.atimeMs = change.atimeMs ?? this.atimeMs;
    this.mtimeMs = change.mtimeMs ?? this.mtimeMs;
    this.ctimeMs = Date.now();
    if (change.size !== undefined) this.resize(change.size);
  }

  resize(size: number): void {
    const bytes = Buffer.alloc(size);
    this.content.copy(bytes);
    this.content = bytes;
    this.mtimeMs = Date.now();
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset + bytes.length > this.content.length) this.resize(offset + bytes.length);
    this.content.set(bytes, offset);
    this.mtimeMs = Date.now();
  }
}

const page = 4096;

/** SEEK_DATA (3) and SEEK_HOLE (4), where a page of zeros is a hole; -1 past the end (lseek(2): ENXIO). */
export function seek(content: Buffer, offset: number, whence: number): number {
  if (offset >= content.length) return -1;
  for (let at = offset; at < content.length; at = (Math.floor(at / page) + 1) * page) {
    const start = Math.floor(at / page) * page;
    const hole = content.subarray(start, start + page).every((byte) => byte === 0);
    if (hole === (whence === 4)) return at;
  }
  return whence === 4 ? content.length : -1;
}
