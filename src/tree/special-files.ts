import { closeSync, constants, readSync } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { OpenReplyFlag } from '../fuse/abi/flags.ts';
import type { Entry } from '../fuse/attributes.ts';
import type { AttrChange, FileSystem, PollRequest } from '../fuse/file-system.ts';
import type { Request } from '../fuse/request.ts';
import { indexOf, serialOf, specialNodeid } from '../vfs/nodeid.ts';
import { attributesOf } from './attributes.ts';
import { CopyingProcesses } from './copying.ts';
import { type DirectorySpec, type FileSpec, type RegularSpec, topIndex } from './file-spec.ts';
import { fileAt } from './files.ts';
import type { Forward } from './forwarded.ts';
import type { HandleNumbers } from './handles.ts';
import { Listings } from './listings.ts';
import { readiness } from './readiness.ts';
import { isAsked, isStream, openStream, sizeOf, streamPath, textOf } from './special-content.ts';
import { findInDirectory, isRemoved, type Listed, listDirectory } from './special-directory.ts';
import type { Tree } from './tree.ts';
import type { ObjectView } from './views.ts';

/** What special files need of their surroundings. */
export interface SpecialContext {
  readonly tree: Tree;
  readonly forward: Forward;
  readonly handles: HandleNumbers;
  /** How long the kernel may keep names and attributes. */
  readonly timeoutMs: number;
  /** The entry of a directory of user files (config/, rfs/), undefined when it is not there. */
  backedEntry(view: ObjectView, spec: FileSpec): Entry | undefined;
}

/** An open special file. */
interface OpenFile {
  readonly view: ObjectView;
  readonly spec: RegularSpec;
  /** What was read at offset 0, kept so that the reads after it see the same; undefined before that. */
  text: string | undefined;
  /** Of a stream: its descriptor, and up to where it was read. */
  fd: number | undefined;
  position: number;
  /** The kernel's handle of those who poll the file. */
  kh: number | undefined;
  /** Made with O_CREAT on an undeployed VNF: somebody restores an instance. */
  readonly restoring: boolean;
}

/** State of a file that was just opened. */
const unread = { text: undefined, fd: undefined, position: 0, kh: undefined } as const;

const ownerOnly = constants.O_WRONLY | constants.O_RDWR;
const noEntry: Entry = { nodeid: 0, generation: 0, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: undefined as never };

/**
 * Requests on special files. What memory, /proc or a file on this machine can answer is answered here and now; what changes something, or
 * asks a guest, is forwarded to the main thread.
 */
export class SpecialFiles implements FileSystem {
  readonly #context: SpecialContext;
  readonly #open = new Map<number, OpenFile>();
  readonly #listings = new Listings<Listed>();
  readonly #copying = new CopyingProcesses();
  /** Reused for every answer; the reply is encoded before it changes again. */
  readonly #entry = { nodeid: 0, generation: 0, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: undefined as unknown as Entry['attr'] };

  constructor(context: SpecialContext) {
    this.#context = context;
  }

  lookup(request: Request, name: string): void {
    const { view, spec } = this.#directory(request);
    const found = findInDirectory(this.#context.tree, { view, spec, name });
    if (found === undefined || this.#isHiddenFrom(request.pid, found)) {
      request.replyError(Errno.ENOENT);
      return;
    }
    const entry = this.#entryOf(found.view, found.spec);
    if (entry === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(entry);
  }

  getattr(request: Request): void {
    const { view, spec } = this.#file(request);
    request.replyAttr(attributesOf(view, spec, sizeOf(view, spec)), isStream(spec) ? 0 : this.#context.timeoutMs);
  }

  setattr(request: Request, change: AttrChange): void {
    const { uid, gid, mode } = change;
    // Sizes and times are ours: truncation comes with every shell redirection, and says nothing.
    if (uid === undefined && gid === undefined && mode === undefined) {
      this.getattr(request);
      return;
    }
    const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }), ...(mode === undefined ? {} : { mode }) };
    this.#context.forward({ op: 'own', ticket: request.defer(), ...owner });
  }

  readlink(request: Request): void {
    const { view } = this.#file(request);
    if (view.kind === 'port') request.replyText(view.linkTarget);
    else request.replyError(Errno.EINVAL);
  }

  mkdir(request: Request, name: string, directory: { readonly mode: number }): void {
    const { view, spec } = this.#directory(request);
    const existing = spec.children.get(name);
    if (existing !== undefined && this.#copyMakes(request, view, existing)) return;
    if (existing === undefined && spec.listing !== undefined && spec.listing !== 'link') {
      this.#copying.began(request.pid, request.nodeid, name);
    }
    this.#context.forward({ op: 'mkdir', ticket: request.defer(), name, mode: directory.mode });
  }

  create(request: Request, name: string, file: { readonly flags: number }): void {
    const { view, spec } = this.#directory(request);
    const existing = spec.children.get(name);
    if (existing?.type !== 'file') {
      request.replyError(Errno.EPERM);
      return;
    }
    const fh = this.#context.handles.make(file.flags);
    this.#open.set(fh, { view, spec: existing, ...unread, restoring: true });
    if (isRemoved(view, existing)) {
      this.#context.forward({ op: 'create', ticket: request.defer(), name, fh });
      return;
    }
    this.#markMade(request.pid, view, existing);
    request.replyCreate(this.#entryOf(view, existing) ?? noEntry, fh, OpenReplyFlag.DIRECT_IO);
  }

  unlink(request: Request, name: string): void {
    this.#context.forward({ op: 'unlink', ticket: request.defer(), name });
  }

  rmdir(request: Request, name: string): void {
    this.#context.forward({ op: 'rmdir', ticket: request.defer(), name });
  }

  rename(request: Request, name: string, to: { readonly parent: number; readonly name: string; readonly flags: number }): void {
    this.#context.forward({ op: 'rename', ticket: request.defer(), name, parent: to.parent, newName: to.name });
  }

  open(request: Request, flags: number): void {
    const { view, spec } = this.#file(request);
    if (spec.type !== 'file') {
      request.replyError(Errno.EINVAL);
      return;
    }
    const writes = (flags & ownerOnly) !== 0;
    if (writes && spec.write === undefined && isDeployed(view)) {
      request.replyError(Errno.EACCES);
      return;
    }
    const fh = this.#context.handles.make(flags);
    this.#open.set(fh, { view, spec, ...unread, restoring: false });
    request.replyOpen(fh, writes ? OpenReplyFlag.DIRECT_IO : OpenReplyFlag.DIRECT_IO | OpenReplyFlag.NOFLUSH);
  }

  read(request: Request, fh: number, offset: number, size: number): void {
    const file = this.#opened(request, fh);
    // A file the owner holds open while the VNF changes shows the VNF as it is now.
    const view = this.#context.tree.get(file.view.serial) ?? file.view;
    if (file.spec.content === 'stream') {
      request.replyData(this.#readStream(file, view, { request, offset, size }));
      return;
    }
    if (isAsked(view, file.spec)) {
      this.#context.forward({ op: 'read', ticket: request.defer(), fh, offset, size });
      return;
    }
    if (offset === 0 || file.text === undefined) file.text = textOf(view, file.spec);
    replyPart(request, file.text, offset, size);
  }

  write(request: Request, fh: number, offset: number, size: number): void {
    const file = this.#opened(request, fh);
    const view = this.#context.tree.get(file.view.serial) ?? file.view;
    if (file.spec.write === undefined || (file.restoring && isIgnoredRestore(file.spec, view))) {
      if (isDeployed(view)) request.replyError(Errno.EACCES);
      else request.replyWrite(size);
      return;
    }
    // A value is one write. What continues one is refused, unless it was opened to append, where the kernel adds st_size.
    if (offset !== 0 && (request.flags & constants.O_APPEND) === 0) {
      request.replyError(Errno.EFBIG);
      return;
    }
    file.text = undefined;
    const data = Uint8Array.from(request.written(size));
    this.#context.forward({ op: 'write', ticket: request.defer(), data, restoring: file.restoring });
  }

  poll(request: Request, fh: number, poll: PollRequest): void {
    const file = this.#opened(request, fh);
    const view = this.#context.tree.get(file.view.serial) ?? file.view;
    if (poll.notify) {
      file.kh = poll.kh;
      this.#context.forward({ op: 'watch', nodeid: request.nodeid, kh: poll.kh });
    }
    request.replyPoll(readiness(hasChanged(file, view)));
  }

  flush(request: Request): void {
    request.replyOk();
  }

  fsync(request: Request): void {
    request.replyOk();
  }

  release(request: Request, fh: number): void {
    const file = this.#open.get(fh);
    this.#open.delete(fh);
    if (file?.fd !== undefined) closeSync(file.fd);
    if (file?.kh !== undefined) this.#context.forward({ op: 'unwatch', nodeid: request.nodeid, kh: file.kh });
    if (file !== undefined && isAsked(file.view, file.spec)) this.#context.forward({ op: 'released', fh });
    request.replyOk();
  }

  opendir(request: Request): void {
    this.#directory(request);
    request.replyOpen(this.#context.handles.make(0), 0);
  }

  readdir(request: Request, fh: number, offset: number, plus: boolean): void {
    const { view, spec } = this.#directory(request);
    this.#listings.reply(request, {
      fh,
      offset,
      list: () => listDirectory(this.#context.tree, view, spec),
      add: (item, next) => {
        const entry = this.#entryOf(item.view, item.spec);
        // Its backing directory is gone: not there any more.
        if (entry === undefined) return true;
        return plus
          ? request.addEntryPlus(item.name, entry, next)
          : request.addEntry(item.name, entry.attr.ino, entry.attr.mode >>> 12, next);
      },
    });
  }

  releasedir(request: Request, fh: number): void {
    this.#listings.close(fh);
    request.replyOk();
  }

  fsyncdir(request: Request): void {
    request.replyOk();
  }

  statfs(request: Request): void {
    request.replyStatfs({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 4096, namelen: 63, frsize: 4096 });
  }

  #entryOf(view: ObjectView, spec: FileSpec): Entry | undefined {
    if (spec.type === 'backed') return this.#context.backedEntry(view, spec);
    const entry = this.#entry;
    entry.nodeid = specialNodeid(view.serial, spec.index);
    entry.generation = Math.floor(view.createdMs);
    entry.entryTimeoutMs = this.#context.timeoutMs;
    entry.attrTimeoutMs = isStream(spec) ? 0 : this.#context.timeoutMs;
    entry.attr = attributesOf(view, spec, sizeOf(view, spec));
    return entry;
  }

  #file(request: Request): { view: ObjectView; spec: FileSpec } {
    const { nodeid } = request;
    const view = this.#context.tree.get(serialOf(nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
    if (view === undefined || spec === undefined) throw Object.assign(new Error('removed'), { code: 'ENOENT' });
    return { view, spec };
  }

  #directory(request: Request): { view: ObjectView; spec: DirectorySpec } {
    const { view, spec } = this.#file(request);
    if (spec.type !== 'directory') throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
    return { view, spec };
  }

  /** The open file of a handle; one of a server before this one is opened again. */
  #opened(request: Request, fh: number): OpenFile {
    const known = this.#open.get(fh);
    if (known !== undefined) return known;
    const { view, spec } = this.#file(request);
    if (spec.type !== 'file') throw Object.assign(new Error('not a file'), { code: 'EBADF' });
    const file: OpenFile = { view, spec, ...unread, restoring: false };
    this.#open.set(fh, file);
    return file;
  }

  #readStream(
    file: OpenFile,
    view: ObjectView,
    part: { readonly request: Request; readonly offset: number; readonly size: number },
  ): number {
    file.fd ??= openStream(streamPath(view, file.spec));
    const length = file.fd === undefined ? 0 : readSync(file.fd, part.request.data, 0, part.size, part.offset);
    file.position = part.offset + length;
    return length;
  }

  #isHiddenFrom(pid: number, found: Omit<Listed, 'name'>): boolean {
    const directory = placeOf(found.view);
    return directory !== undefined && found.spec.path !== '' && this.#copying.hides(pid, directory, found.spec.path);
  }

  /** A copying process makes a directory that was there from the start: answered here when it is so. */
  #copyMakes(request: Request, view: ObjectView, spec: FileSpec): boolean {
    const directory = placeOf(view);
    if (directory === undefined || !this.#copying.hides(request.pid, directory, spec.path)) return false;
    this.#markMade(request.pid, view, spec);
    const entry = this.#entryOf(view, spec);
    if (entry === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(entry);
    return true;
  }

  #markMade(pid: number, view: ObjectView, spec: FileSpec): void {
    const directory = placeOf(view);
    if (directory !== undefined) this.#copying.made(pid, directory, spec.path);
  }
}

/** True when a file is no longer what was read through this descriptor. Counters always change; nobody waits for that. */
function hasChanged(file: OpenFile, view: ObjectView): boolean {
  if (isStream(file.spec)) return (sizeOf(view, file.spec) ?? 0) > file.position;
  return file.spec.content === 'text' && file.text !== undefined && file.text !== textOf(view, file.spec);
}

/** The directory an object is in, as nodeid and name; undefined for objects that nobody makes by copying. */
function placeOf(view: ObjectView): { readonly parent: number; readonly name: string } | undefined {
  if (view.kind === 'vnf') return { parent: specialNodeid(view.parent, topIndex), name: view.name };
  if (view.kind === 'port') return { parent: specialNodeid(view.parent, portsIndex), name: view.name };
  return undefined;
}

/** Index of a VNF's ports directory. */
const portsIndex = 15;

function isDeployed(view: ObjectView): boolean {
  return (view.kind !== 'vnf' && view.kind !== 'port') || view.deployed;
}

/** What a restored copy of an instance writes to files that act, and means nothing by. */
function isIgnoredRestore(spec: RegularSpec, view: ObjectView): boolean {
  return spec.write === 'command' && !isDeployed(view);
}

function replyPart(request: Request, text: string, offset: number, size: number): void {
  if (offset === 0 && text.length * 3 <= size) {
    request.replyText(text);
    return;
  }
  const bytes = Buffer.from(text);
  request.replyBytes(bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + size, bytes.length)));
}
