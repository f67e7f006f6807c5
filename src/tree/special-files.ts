import { closeSync, constants, readSync } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { OpenReplyFlag } from '../fuse/abi/flags.ts';
import type { Entry } from '../fuse/attributes.ts';
import type { AttrChange, FileSystem, PollRequest } from '../fuse/file-system.ts';
import type { Request } from '../fuse/request.ts';
import { indexOf, serialOf, specialNodeid } from '../vfs/nodeid.ts';
import { attributesOf } from './attributes.ts';
import { CopyingProcesses } from './copying.ts';
import type { DirectorySpec, FileSpec, RegularSpec } from './file-spec.ts';
import { fileAt } from './files.ts';
import type { Forward } from './forwarded.ts';
import type { HandleNumbers } from './handles.ts';
import { Listings } from './listings.ts';
import { hasChanged, type OpenFile, OpenFiles, sizeWhileOpen, textFromStart } from './open-files.ts';
import { readiness } from './readiness.ts';
import { isDeployed, isIgnoredRestore } from './restoring.ts';
import { isScratchName, type ScratchFile, type ScratchFiles } from './scratch-files.ts';
import { isAsked, openStream, sizeOf, streamPath } from './special-content.ts';
import { findInDirectory, isRemoved, type Listed, listDirectory } from './special-directory.ts';
import type { Tree } from './tree.ts';
import { emptiesAtClose, truncationOf, withoutText } from './truncation.ts';
import type { ObjectView } from './views.ts';

/** What special files need of their surroundings. */
export interface SpecialContext {
  readonly tree: Tree;
  readonly forward: Forward;
  readonly handles: HandleNumbers;
  readonly scratch: ScratchFiles;
  /** How long the kernel may keep names and attributes. */
  readonly timeoutMs: number;
  /** The entry of a directory of user files (config/, rfs/), undefined when it is not there. */
  backedEntry(view: ObjectView, spec: FileSpec): Entry | undefined;
}

const ownerOnly = constants.O_WRONLY | constants.O_RDWR;
const noEntry: Entry = { nodeid: 0, generation: 0, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: undefined as never };

/**
 * Requests on special files. What memory, /proc or a file on this machine can answer is answered here and now; what changes something, or
 * asks a guest, is forwarded to the main thread.
 */
export class SpecialFiles implements FileSystem {
  readonly #context: SpecialContext;
  readonly #open = new OpenFiles();
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
    if (found === undefined) {
      this.#lookupScratch(request, name);
      return;
    }
    const entry = this.#copying.hides(request.pid, found.view, found.spec.path) ? undefined : this.#entryOf(found.view, found.spec);
    if (entry === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(entry);
  }

  #lookupScratch(request: Request, name: string): void {
    const scratch = this.#context.scratch.find(request.nodeid, name);
    if (scratch === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(this.#context.scratch.entryOf(scratch));
  }

  getattr(request: Request): void {
    const { view, spec } = this.#file(request);
    const fh = this.#open.newest(request.nodeid);
    if (spec.type !== 'file') request.replyAttr(attributesOf(view, spec), this.#context.timeoutMs);
    else if (fh === undefined) request.replyAttr(attributesOf(view, spec, sizeOf(view, spec)), 0);
    else this.#getattrOpen(request, { view, spec, fh });
  }

  /** An open file tells its true size, so it is asked each time. */
  #getattrOpen(request: Request, { view, spec, fh }: { readonly view: ObjectView; readonly spec: RegularSpec; readonly fh: number }): void {
    const file = this.#open.get(fh);
    const size = sizeOf(view, spec);
    if (size !== undefined || file === undefined) request.replyAttr(attributesOf(view, spec, size), 0);
    else if (isAsked(view, spec)) this.#context.forward({ op: 'size', ticket: request.defer(), fh });
    else request.replyAttr(attributesOf(view, spec, sizeWhileOpen(file, view)), 0);
  }

  setattr(request: Request, change: AttrChange): void {
    const { uid, gid, mode } = change;
    if (uid === undefined && gid === undefined && mode === undefined) {
      // truncate(2) to nothing empties a value; other sizes, and times, are ours.
      const { view, spec } = this.#file(request);
      if (change.size === 0 && spec.type === 'file' && spec.write === 'setting') this.#empty(request, view, spec);
      else this.getattr(request);
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
    const makesObject = existing === undefined && spec.listing !== undefined && spec.listing !== 'link';
    const copying = makesObject && this.#copying.began(request.pid, request.nodeid, name);
    this.#context.forward({ op: 'mkdir', ticket: request.defer(), name, mode: directory.mode, copying });
  }

  create(request: Request, name: string, file: { readonly flags: number; readonly mode: number }): void {
    const { view, spec } = this.#directory(request);
    const existing = spec.children.get(name);
    if (existing?.type !== 'file') {
      if (existing === undefined && isScratchName({ view, spec, name }, file.flags)) this.#context.scratch.make(request, name, file);
      else request.replyError(Errno.EPERM);
      return;
    }
    const fh = this.#context.handles.make(file.flags);
    this.#open.add(specialNodeid(view.serial, existing.index), fh, {
      view,
      spec: existing,
      truncation: truncationOf(existing, constants.O_TRUNC),
      restoring: true,
    });
    if (isRemoved(view, existing)) {
      this.#context.forward({ op: 'create', ticket: request.defer(), name, fh });
      return;
    }
    this.#copying.made(request.pid, view, existing.path);
    request.replyCreate(this.#entryOf(view, existing) ?? noEntry, fh, OpenReplyFlag.DIRECT_IO);
  }

  unlink(request: Request, name: string): void {
    if (this.#context.scratch.find(request.nodeid, name) !== undefined) {
      this.#context.scratch.remove(request.nodeid, name);
      request.replyOk();
      return;
    }
    this.#context.forward({ op: 'unlink', ticket: request.defer(), name });
  }

  rmdir(request: Request, name: string): void {
    this.#context.forward({ op: 'rmdir', ticket: request.defer(), name });
  }

  rename(request: Request, name: string, to: { readonly parent: number; readonly name: string; readonly flags: number }): void {
    const scratch = this.#context.scratch.find(request.nodeid, name);
    if (scratch !== undefined) {
      this.#renameScratch(request, { scratch, name, to });
      return;
    }
    this.#context.forward({ op: 'rename', ticket: request.defer(), name, parent: to.parent, newName: to.name });
  }

  /** A program replaces a file by a temporary one: what that holds is written. */
  #renameScratch(
    request: Request,
    {
      scratch,
      name,
      to,
    }: { readonly scratch: ScratchFile; readonly name: string; readonly to: { readonly parent: number; readonly name: string } },
  ): void {
    const { view, spec } = this.#directory(request, to.parent);
    const target = spec.children.get(to.name);
    if (target?.type !== 'file') {
      request.replyError(Errno.EPERM);
      return;
    }
    const ignored = target.write === undefined || isIgnoredRestore(target, view);
    if (ignored && isDeployed(view)) {
      request.replyError(Errno.EACCES);
      return;
    }
    this.#context.scratch.remove(request.nodeid, name);
    const { uid, gid, mode } = scratch;
    const nodeid = specialNodeid(view.serial, target.index);
    this.#context.forward({
      op: 'restore',
      ticket: request.defer(),
      nodeid,
      data: ignored ? undefined : scratch.data,
      owner: { uid, gid, mode },
    });
  }

  /** Empties a value; readers see it at once. */
  #empty(request: Request, view: ObjectView, spec: RegularSpec): void {
    this.#context.tree.apply({ kind: 'put', view: withoutText(view, spec.path) });
    this.#context.forward({ op: 'empty', ticket: request.defer() });
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
    this.#open.add(request.nodeid, fh, { view, spec, truncation: truncationOf(spec, flags), restoring: false });
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
    const text = offset === 0 || file.text === undefined ? textFromStart(file, view) : file.text;
    replyPart(request, text, offset, size);
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
    file.truncation = 'none';
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

  flush(request: Request, fh: number): void {
    const file = this.#open.get(fh);
    const view = file === undefined ? undefined : this.#context.tree.get(file.view.serial);
    if (file !== undefined && view !== undefined && emptiesAtClose(file, view, { last: false })) this.#empty(request, view, file.spec);
    else request.replyOk();
  }

  fsync(request: Request): void {
    request.replyOk();
  }

  release(request: Request, fh: number): void {
    const file = this.#open.remove(request.nodeid, fh);
    if (file?.fd !== undefined) closeSync(file.fd);
    if (file?.kh !== undefined) this.#context.forward({ op: 'unwatch', nodeid: request.nodeid, kh: file.kh });
    if (file !== undefined && isAsked(file.view, file.spec)) this.#context.forward({ op: 'released', fh });
    const view = file === undefined ? undefined : this.#context.tree.get(file.view.serial);
    if (file !== undefined && view !== undefined && emptiesAtClose(file, view, { last: true })) this.#empty(request, view, file.spec);
    else request.replyOk();
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
    // An open file tells its true size, another the constant one.
    entry.attrTimeoutMs = spec.type === 'file' ? 0 : this.#context.timeoutMs;
    entry.attr = attributesOf(view, spec, sizeOf(view, spec));
    return entry;
  }

  #file(request: Request, nodeid = request.nodeid): { view: ObjectView; spec: FileSpec } {
    const view = this.#context.tree.get(serialOf(nodeid));
    const spec = view === undefined ? undefined : fileAt(view, indexOf(nodeid));
    if (view === undefined || spec === undefined) throw Object.assign(new Error('removed'), { code: 'ENOENT' });
    return { view, spec };
  }

  #directory(request: Request, nodeid = request.nodeid): { view: ObjectView; spec: DirectorySpec } {
    const { view, spec } = this.#file(request, nodeid);
    if (spec.type !== 'directory') throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
    return { view, spec };
  }

  /** The open file of a handle; one of a server before this one is opened again. */
  #opened(request: Request, fh: number): OpenFile {
    const known = this.#open.get(fh);
    if (known !== undefined) return known;
    const { view, spec } = this.#file(request);
    if (spec.type !== 'file') throw Object.assign(new Error('not a file'), { code: 'EBADF' });
    return this.#open.add(request.nodeid, fh, { view, spec, truncation: 'none', restoring: false });
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

  /** A copying process makes a directory that was there from the start: answered here when it is so. */
  #copyMakes(request: Request, view: ObjectView, spec: FileSpec): boolean {
    if (!this.#copying.hides(request.pid, view, spec.path)) return false;
    this.#copying.made(request.pid, view, spec.path);
    const entry = this.#entryOf(view, spec);
    if (entry === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(entry);
    return true;
  }
}

function replyPart(request: Request, text: string, offset: number, size: number): void {
  if (offset === 0 && text.length * 3 <= size) {
    request.replyText(text);
    return;
  }
  const bytes = Buffer.from(text);
  request.replyBytes(bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + size, bytes.length)));
}
