import { constants } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { OpenReplyFlag } from '../fuse/abi/flags.ts';
import type { Entry } from '../fuse/attributes.ts';
import type { AttrChange, FileSystem } from '../fuse/file-system.ts';
import type { Request } from '../fuse/request.ts';
import { serialOf, specialNodeid } from '../vfs/nodeid.ts';
import type { DirectorySpec } from './file-spec.ts';
import type { HandleNumbers } from './handles.ts';
import { replySeek } from './seek.ts';
import type { ObjectView } from './views.ts';

/** Serial that the nodeids of scratch files have; objects of users have 16 and more. */
const scratchSerial = 15;

/** So many at once: the indices of a serial. */
const mostFiles = 4096;

/** Of those that hold data, so many; the oldest goes when there would be more. */
const mostHolding = 256;

/** After this time, milliseconds, whoever made one is taken for dead when room is needed. */
const abandonedMs = 600_000;

/** What is kept of one, bytes: more than any value file takes. The rest of a restored log is counted only. */
const keptBytes = 128 * 1024;

/** A temporary file in a special directory. */
export interface ScratchFile {
  readonly nodeid: number;
  readonly createdMs: number;
  /** The text of a symbolic link. */
  readonly target: string | undefined;
  data: Uint8Array;
  size: number;
  uid: number;
  gid: number;
  mode: number;
  atimeMs: number;
  mtimeMs: number;
}

/** True for the nodeid of a scratch file. */
export function isScratchFile(nodeid: number): boolean {
  return serialOf(nodeid) === scratchSerial;
}

/**
 * True when a file may be made only to be renamed onto another, or to be replaced by a symbolic link. Programs that replace files whole (rsync, `sed -i`) do the one;
 * their names begin with a dot, or with `sed`. tar does the other: until it has unpacked all else, an empty file without permissions is in the place of each link
 * that could lead out of the archive. All insist on a new file. Anything else is a mistyped name, which must fail.
 */
export function isScratchName(
  place: { readonly view: ObjectView; readonly spec: DirectorySpec; readonly name: string },
  file: { readonly flags: number; readonly mode: number },
): boolean {
  if ((file.flags & constants.O_EXCL) === 0) return false;
  const { kind } = place.view;
  if (linkDirectories.has(place.spec.listing) && (file.mode & 0o7777) === 0) return true;
  return kind !== 'root' && kind !== 'type' && /^(\.[^/]+|sed[A-Za-z0-9]{6})$/.test(place.name);
}

/** Directories with symbolic links: those of service chains, and the ports of networks. */
const linkDirectories: ReadonlySet<DirectorySpec['listing']> = new Set(['entry', 'link']);

/** Scratch files, held in memory: renaming one onto a special file writes its content there. They end with the server. */
export class ScratchFiles implements FileSystem {
  readonly #handles: HandleNumbers;
  readonly #files = new Map<number, ScratchFile>();
  readonly #names = new Map<string, ScratchFile>();
  readonly #holding = new Set<ScratchFile>();
  #made = 0;

  constructor(handles: HandleNumbers) {
    this.#handles = handles;
  }

  /** The one of a name in a directory. */
  find(directory: number, name: string): ScratchFile | undefined {
    return this.#names.get(keyOf(directory, name));
  }

  /** What the kernel is told of one; never cached, so that the name shows what it is after a rename. */
  entryOf(file: ScratchFile): Entry {
    return { nodeid: file.nodeid, generation: file.createdMs, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: attributesOf(file) };
  }

  make(request: Request, name: string, file: { readonly flags: number; readonly mode: number }): void {
    const made = this.#add(request, name, { mode: file.mode & 0o7777, target: undefined });
    request.replyCreate(this.entryOf(made), this.#handles.make(file.flags), OpenReplyFlag.DIRECT_IO);
  }

  /** A symbolic link that stands for one that is not there yet. */
  makeLink(request: Request, name: string, target: string): void {
    request.replyEntry(this.entryOf(this.#add(request, name, { mode: 0o777, target })));
  }

  #add(request: Request, name: string, { mode, target }: Pick<ScratchFile, 'mode' | 'target'>): ScratchFile {
    const now = Date.now();
    const nodeid = this.#freeNodeid();
    const { uid, gid } = request;
    const size = target === undefined ? 0 : Buffer.byteLength(target);
    const made = { nodeid, createdMs: now, target, data: new Uint8Array(), size, uid, gid, mode, atimeMs: now, mtimeMs: now };
    this.#files.set(nodeid, made);
    this.#names.set(keyOf(request.nodeid, name), made);
    return made;
  }

  #freeNodeid(): number {
    if (this.#files.size >= mostFiles) this.#dropNamed((file) => file.createdMs < Date.now() - abandonedMs);
    if (this.#files.size >= mostFiles) throw Object.assign(new Error('too many scratch files'), { code: 'ENOSPC' });
    let nodeid: number;
    do {
      nodeid = specialNodeid(scratchSerial, this.#made % mostFiles);
      this.#made += 1;
    } while (this.#files.has(nodeid));
    return nodeid;
  }

  #dropNamed(which: (file: ScratchFile) => boolean): void {
    for (const [key, file] of this.#names) {
      if (!which(file)) continue;
      this.#names.delete(key);
      this.#files.delete(file.nodeid);
      this.#holding.delete(file);
    }
  }

  /** Takes a name away; the file itself goes when the kernel forgets it. */
  remove(directory: number, name: string): void {
    this.#names.delete(keyOf(directory, name));
  }

  /** Gives one another name. */
  move(
    file: ScratchFile,
    from: { readonly directory: number; readonly name: string },
    to: { readonly directory: number; readonly name: string },
  ): void {
    this.remove(from.directory, from.name);
    this.#names.set(keyOf(to.directory, to.name), file);
  }

  forget(nodeid: number): void {
    const file = this.#files.get(nodeid);
    for (const named of this.#names.values()) if (named === file) return;
    this.#files.delete(nodeid);
    if (file !== undefined) this.#holding.delete(file);
  }

  getattr(request: Request): void {
    request.replyAttr(attributesOf(this.#file(request)), 0);
  }

  lseek(request: Request, _fh: number, offset: number, whence: number): void {
    replySeek(request, this.#file(request).size, { offset, whence });
  }

  setattr(request: Request, change: AttrChange): void {
    const file = this.#file(request);
    file.uid = change.uid ?? file.uid;
    file.gid = change.gid ?? file.gid;
    file.mode = (change.mode ?? file.mode) & 0o7777;
    file.atimeMs = change.atimeMs ?? file.atimeMs;
    file.mtimeMs = change.mtimeMs ?? file.mtimeMs;
    file.size = change.size ?? file.size;
    file.data = file.data.subarray(0, file.size);
    request.replyAttr(attributesOf(file), 0);
  }

  open(request: Request, flags: number): void {
    const file = this.#file(request);
    if ((flags & constants.O_TRUNC) !== 0) [file.size, file.data] = [0, new Uint8Array()];
    request.replyOpen(this.#handles.make(flags), OpenReplyFlag.DIRECT_IO);
  }

  read(request: Request, _fh: number, offset: number, size: number): void {
    request.replyBytes(this.#file(request).data.subarray(offset, offset + size));
  }

  write(request: Request, _fh: number, offset: number, size: number): void {
    const file = this.#file(request);
    file.size = Math.max(file.size, offset + size);
    const kept = new Uint8Array(Math.min(file.size, keptBytes));
    kept.set(file.data);
    if (offset < keptBytes) kept.set(request.written(size).subarray(0, keptBytes - offset), offset);
    file.data = kept;
    this.#hold(file);
    request.replyWrite(size);
  }

  #hold(file: ScratchFile): void {
    this.#holding.add(file);
    if (this.#holding.size <= mostHolding) return;
    const [oldest] = this.#holding;
    this.#dropNamed((each) => each === oldest);
  }

  readlink(request: Request): void {
    const { target } = this.#file(request);
    if (target === undefined) request.replyError(Errno.EINVAL);
    else request.replyText(target);
  }

  flush(request: Request): void {
    request.replyOk();
  }

  fsync(request: Request): void {
    request.replyOk();
  }

  release(request: Request): void {
    request.replyOk();
  }

  statfs(request: Request): void {
    request.replyStatfs({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 4096, namelen: 63, frsize: 4096 });
  }

  #file(request: Request): ScratchFile {
    const file = this.#files.get(request.nodeid);
    if (file === undefined) throw Object.assign(new Error('the scratch file is gone'), { code: 'ESTALE' });
    return file;
  }
}

function keyOf(directory: number, name: string): string {
  return `${directory}/${name}`;
}

function attributesOf(file: ScratchFile): Entry['attr'] {
  const { nodeid, size, uid, gid, atimeMs, mtimeMs } = file;
  const mode = (file.target === undefined ? 0o100000 : 0o120000) | file.mode;
  return { ino: nodeid, size, blocks: 0, mode, nlink: 1, uid, gid, rdev: 0, blksize: 4096, atimeMs, mtimeMs, ctimeMs: mtimeMs };
}
