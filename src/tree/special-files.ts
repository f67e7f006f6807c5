import { closeSync, constants, readSync } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { OpenReplyFlag } from '../fuse/abi/flags.ts';
import type { AttrChange, PollRequest } from '../fuse/file-system.ts';
import type { Request } from '../fuse/request.ts';
import { attributesOf } from './attributes.ts';
import { isRestorer } from './copying.ts';
import type { RegularSpec } from './file-spec.ts';
import { hasChanged, type OpenFile, type OpenFiles, sizeWhileOpen, textFromStart } from './open-files.ts';
import { readiness } from './readiness.ts';
import { fateOfWrite } from './restoring.ts';
import { isAsked, openStream, sizeOf, streamPath } from './special-content.ts';
import type { SpecialContext, SpecialNodes } from './special-nodes.ts';
import { emptiesAtClose, truncationOf, withoutText } from './truncation.ts';
import type { ObjectView } from './views.ts';

const ownerOnly = constants.O_WRONLY | constants.O_RDWR;

/**
 * Requests on special files. What memory, /proc or a file on this machine can answer is answered here and now; what changes something, or
 * asks a guest, is forwarded to the main thread.
 */
export class SpecialFiles {
  readonly #context: SpecialContext;
  readonly #nodes: SpecialNodes;
  readonly #open: OpenFiles;
  /** The `action` files that an action is under way of. */
  readonly #acting = new Set<number>();

  constructor(context: SpecialContext, nodes: SpecialNodes) {
    this.#context = context;
    this.#nodes = nodes;
    this.#open = context.open;
  }

  getattr(request: Request): void {
    const { view, spec } = this.#nodes.file(request.nodeid);
    const fh = this.#open.newest(request.nodeid);
    if (spec.type !== 'file') request.replyAttr(attributesOf(view, spec, sizeOf(view, spec)), this.#context.timeoutMs);
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
      const { view, spec } = this.#nodes.file(request.nodeid);
      if (change.size === 0 && spec.type === 'file' && spec.write === 'setting') this.#empty(request, view, spec);
      else this.getattr(request);
      return;
    }
    const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }), ...(mode === undefined ? {} : { mode }) };
    this.#context.forward({ op: 'own', ticket: request.defer(), ...owner });
  }

  readlink(request: Request): void {
    const { view } = this.#nodes.file(request.nodeid);
    if (view.kind === 'port') request.replyText(view.linkTarget);
    else if (view.kind === 'symlink') request.replyText(view.target);
    else request.replyError(Errno.EINVAL);
  }

  /** Empties a value; readers see it at once. */
  #empty(request: Request, view: ObjectView, spec: RegularSpec): void {
    this.#context.tree.apply({ kind: 'put', views: [withoutText(view, spec.path)] });
    this.#context.forward({ op: 'empty', ticket: request.defer() });
  }

  open(request: Request, flags: number): void {
    const { view, spec } = this.#nodes.file(request.nodeid);
    if (spec.type !== 'file') {
      request.replyError(Errno.EINVAL);
      return;
    }
    const writes = (flags & ownerOnly) !== 0;
    const restoring = writes && isRestorer(request.pid);
    const fate = fateOfWrite(view, spec, restoring);
    if (writes && fate === 'refused') {
      request.replyError(Errno.EACCES);
      return;
    }
    // The kernel keeps who writes with O_TRUNC waiting until the write before is over, so that it has to be refused here.
    if (writes && this.#acting.has(request.nodeid)) {
      request.replyError(Errno.EBUSY);
      this.#context.forward({ op: 'refused', nodeid: request.nodeid });
      return;
    }
    const fh = this.#context.handles.make(flags);
    const truncation = fate === 'done' ? truncationOf(spec, flags) : 'none';
    this.#open.add(request.nodeid, fh, { view, spec, truncation, restoring });
    // A close matters where it may empty a value.
    const closing = truncation === 'none' ? OpenReplyFlag.NOFLUSH : 0;
    // Those who opened it before a write is under way are not kept waiting either.
    request.replyOpen(fh, OpenReplyFlag.DIRECT_IO | OpenReplyFlag.PARALLEL_DIRECT_WRITES | closing);
  }

  read(request: Request, fh: number, offset: number, size: number): void {
    const file = this.#opened(request, fh);
    file.inherited = false;
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
    const fate = fateOfWrite(view, file.spec, file.restoring);
    if (fate !== 'done') {
      if (fate === 'refused') request.replyError(Errno.EACCES);
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
    const acts = file.spec.write === 'action';
    if (acts) this.#acting.add(request.nodeid);
    this.#context.forward({ op: 'write', ticket: request.defer(), data, restoring: file.restoring, acts });
  }

  /** The action of a file is over. */
  acted(nodeid: number): void {
    this.#acting.delete(nodeid);
  }

  poll(request: Request, fh: number, poll: PollRequest): void {
    const file = this.#opened(request, fh);
    const view = this.#context.tree.get(file.view.serial) ?? file.view;
    if (poll.notify) {
      file.kh = poll.kh;
      this.#context.polls.note(poll.kh);
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
    if (file?.kh !== undefined) this.#unwatch(request.nodeid, file.kh);
    if (file !== undefined && isAsked(file.view, file.spec)) this.#context.forward({ op: 'released', fh });
    const view = file === undefined ? undefined : this.#context.tree.get(file.view.serial);
    if (file !== undefined && view !== undefined && emptiesAtClose(file, view, { last: true })) this.#empty(request, view, file.spec);
    else request.replyOk();
  }

  #unwatch(nodeid: number, kh: number): void {
    this.#context.polls.forget(kh);
    this.#context.forward({ op: 'unwatch', nodeid, kh });
  }

  statfs(request: Request): void {
    request.replyStatfs({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 4096, namelen: 63, frsize: 4096 });
  }

  /** The open file of a handle; one of a server before this one is opened again. */
  #opened(request: Request, fh: number): OpenFile {
    const known = this.#open.get(fh);
    if (known !== undefined) return known;
    const { view, spec } = this.#nodes.file(request.nodeid);
    if (spec.type !== 'file') throw Object.assign(new Error('not a file'), { code: 'EBADF' });
    const file = this.#open.add(request.nodeid, fh, { view, spec, truncation: 'none', restoring: false });
    file.inherited = true;
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
}

function replyPart(request: Request, text: string, offset: number, size: number): void {
  if (offset === 0 && text.length * 3 <= size) {
    request.replyText(text);
    return;
  }
  const bytes = Buffer.from(text);
  request.replyBytes(bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + size, bytes.length)));
}
