import { constants } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { OpenReplyFlag } from '../fuse/abi/flags.ts';
import { isEndedBySignal } from '../fuse/ended-by-signal.ts';
import type { AttrChange, PollRequest } from '../fuse/file-system.ts';
import { processOf } from '../fuse/process-of.ts';
import type { Request } from '../fuse/request.ts';
import { nameOf, type Ticket } from '../fuse/ticket.ts';
import { attributesOf } from './attributes.ts';
import { deferFor, writingOf } from './closer.ts';
import { isRestorer } from './copying.ts';
import type { FileSpec, RegularSpec } from './file-spec.ts';
import { FollowedFile } from './followed-file.ts';
import { hasChanged, type OpenFile, type OpenFiles, sizeWhileOpen, textFromStart } from './open-files.ts';
import { PendingSave, type Unsaved } from './pending-save.ts';
import { readiness } from './readiness.ts';
import { fateOfWrite } from './restoring.ts';
import { replySeek } from './seek.ts';
import { isAsked, isLive, isReplaced, liveSize, openStream, sizeOf, streamPath } from './special-content.ts';
import type { SpecialContext, SpecialNodes } from './special-nodes.ts';
import type { ObjectView } from './views.ts';
import { isCutByBuffer, WrittenText } from './written-text.ts';

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
    if (spec.type !== 'file')
      request.replyAttr(attributesOf(this.#context.tree, { view, spec, uid: request.uid }), this.#context.timeoutMs);
    else if (!this.#asksSize(request, view, spec)) {
      const size = this.#promisedSize(request, view, spec);
      request.replyAttr(attributesOf(this.#context.tree, { view, spec, uid: request.uid, size }), 0);
    }
  }

  lseek(request: Request, _fh: number, offset: number, whence: number): void {
    const { view, spec } = this.#nodes.file(request.nodeid);
    replySeek(request, this.#promisedSize(request, view, spec) ?? sizeOf(view, spec, request.uid), { offset, whence });
  }

  /** Has the main thread tell the size of what only it knows: of open files, for programs insist on what fstat(2) said; and of what a module shows of a VNF at rest. */
  #asksSize(request: Request, view: ObjectView, spec: RegularSpec): boolean {
    if (!isAsked(view, spec) || sizeOf(view, spec, request.uid) !== liveSize) return false;
    const fh = this.#open.newest(request.nodeid, request.pid);
    const atRest = spec.content === 'module' && view.kind === 'vnf' && !view.deployed;
    if (fh === undefined && !atRest) return false;
    this.#context.forward({ op: 'size', ticket: request.defer(), fh });
    return true;
  }

  /**
   * Of a counter that whoever asks has open: that of what it will read; of events, as who has read on over their replacement counts. Others, who have it not open,
   * change nothing of that.
   */
  #promisedSize(request: Request, view: ObjectView, spec: FileSpec): number | undefined {
    const promises = spec.type === 'file' && (isReplaced(view) || (isLive(view, spec) && !isAsked(view, spec)));
    const fh = promises ? this.#open.newest(request.nodeid, request.pid) : undefined;
    const file = fh === undefined ? undefined : this.#open.get(fh);
    if (file === undefined) return undefined;
    return isReplaced(view) ? file.stream?.size : sizeWhileOpen(file, view);
  }

  setattr(request: Request, change: AttrChange): void {
    const { uid, gid, mode } = change;
    if (uid === undefined && gid === undefined && mode === undefined) {
      this.#truncate(request, change);
      return;
    }
    const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }), ...(mode === undefined ? {} : { mode }) };
    this.#context.forward({ op: 'own', ticket: request.defer(), ...owner });
  }

  /** ftruncate(2) of an open value counts when it is closed; truncate(2) names no open file, and is done now. Other files, and times, are ours. */
  #truncate(request: Request, { size, fh }: AttrChange): void {
    const { view, spec } = this.#nodes.file(request.nodeid);
    const empties = size === 0 && spec.type === 'file' && spec.write === 'setting';
    if (empties && fh === undefined) {
      this.#empty(request, { view, spec, fh });
      return;
    }
    if (empties && fh !== undefined) this.#open.get(fh)?.pending?.truncate(0);
    this.getattr(request);
  }

  readlink(request: Request): void {
    const { view } = this.#nodes.file(request.nodeid);
    if (view.kind === 'port') request.replyText(view.linkTarget);
    else if (view.kind === 'symlink') request.replyText(view.target);
    else request.replyError(Errno.EINVAL);
  }

  /** Empties a value; readers see it at once. */
  #empty(
    request: Request,
    { view, spec, fh }: { readonly view: ObjectView; readonly spec: RegularSpec; readonly fh: number | undefined },
  ): void {
    this.#context.tree.apply({ kind: 'put', views: [withoutText(view, spec.path)] });
    this.#context.forward({ op: 'empty', ticket: this.#deferFor(request, fh) });
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
      const { nodeid, uid, gid, pid } = request;
      this.#context.forward({ op: 'refused', nodeid, by: { uid, gid, pid } });
      return;
    }
    const fh = this.#context.handles.make(flags);
    const truncated = (flags & constants.O_TRUNC) !== 0;
    const pending =
      writes && fate === 'done' ? pendingOf(spec, truncated, this.#context.unsaved.noteOf(fh, writingOf(request))) : undefined;
    this.#open.add(request, fh, { view, spec, pending, restoring });
    const closing = pending === undefined ? OpenReplyFlag.NOFLUSH : 0;
    // Those who opened it before a write is under way are not kept waiting either.
    request.replyOpen(fh, OpenReplyFlag.DIRECT_IO | OpenReplyFlag.PARALLEL_DIRECT_WRITES | closing);
  }

  read(request: Request, fh: number, offset: number, size: number): void {
    const file = this.#opened(request, fh);
    file.inherited = false;
    // A file the owner holds open while the VNF changes shows the VNF as it is now.
    const view = this.#context.tree.get(file.view.serial) ?? file.view;
    if (file.spec.content === 'stream') {
      request.replyData(this.#readStream(file, view, { data: request.data, offset, size }));
      return;
    }
    if (isAsked(view, file.spec)) {
      this.#context.forward({ op: 'read', ticket: request.defer(), fh, offset, size });
      return;
    }
    // While one is under way there is no verb that would be taken, whether the main thread has begun it or not.
    if (this.#acting.has(request.nodeid)) file.text = '';
    else if (offset === 0 || file.text === undefined) textFromStart(file, view);
    replyPart(request, file.text ?? '', offset, size);
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
    file.text = undefined;
    const data = request.written(size);
    if (file.spec.write === 'action') this.#act(request, data, file.restoring);
    else if (file.spec.write === 'command') this.#writeCommand(request, { file, fh, data });
    else this.#writeValue(request, { file, view, fh, data, offset });
  }

  #act(request: Request, data: Uint8Array, restoring: boolean): void {
    this.#acting.add(request.nodeid);
    const { length: size } = data;
    this.#context.forward({
      op: 'write',
      ticket: request.defer(),
      data: Uint8Array.from(data),
      size,
      before: undefined,
      restoring,
      acts: true,
    });
  }

  /** What is complete runs at once, the rest waits for more or for the close: the main thread tells them apart. */
  #writeCommand(request: Request, { file, fh, data }: { readonly file: OpenFile; readonly fh: number; readonly data: Uint8Array }): void {
    file.pending?.write(processOf(request.pid), true);
    this.#context.forward({ op: 'command', ticket: request.defer(), fh, data: Uint8Array.from(data) });
  }

  /** All that is written through one descriptor is one value. It is judged at each write, so that the writer sees the errno. */
  #writeValue(
    request: Request,
    {
      file,
      view,
      fh,
      data,
      offset,
    }: { readonly file: OpenFile; readonly view: ObjectView; readonly fh: number; readonly data: Uint8Array; readonly offset: number },
  ): void {
    file.written ??= new WrittenText(view.texts[file.spec.path] ?? '');
    // One that comes again, and that the server before this one had taken in, is judged again.
    if (file.written.request !== nameOf(request)) file.written.add(data, (request.flags & constants.O_APPEND) === 0 ? offset : undefined);
    const waits = isCutByBuffer(data) && file.pending !== undefined;
    const isWhole = !waits && data.length > 0;
    // One note of both: that the text is judged, and that nothing of it waits.
    const settles = isWhole && file.pending?.open === true;
    if (isWhole) file.pending?.hand();
    this.#context.unsaved.note(fh, {
      text: file.written.note(nameOf(request), { judged: !waits }),
      by: writingOf(request),
      ...(settles && { save: undefined }),
    });
    if (waits) {
      file.pending?.write(processOf(request.pid), offset === 0);
      request.replyWrite(data.length);
    } else this.#judge(request, { file, fh, size: data.length });
  }

  #judge(request: Request, { file, fh, size }: { readonly file: OpenFile; readonly fh: number; readonly size: number }): void {
    const { written, pending, restoring } = file;
    if (size === 0) pending?.hand();
    if (written === undefined) {
      request.replyOk();
      return;
    }
    const before = written.judged === 0 ? undefined : written.before;
    written.judged += 1;
    const ticket = this.#deferFor(request, fh);
    this.#context.forward({ op: 'write', ticket, data: written.bytes, size, before, restoring, acts: false });
  }

  #deferFor(request: Request, fh: number | undefined): Ticket {
    return deferFor(request, fh === undefined ? undefined : this.#context.unsaved.find(fh)?.by);
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
    const file = this.#openOrNoted(request, fh);
    // Who closes is looked up where it matters: each close of each descriptor comes here.
    const closer = file?.pending?.written === true ? processOf(request.pid) : 0;
    if (file?.pending?.open !== true) request.replyOk();
    else if (isEndedBySignal(request.pid) && file.pending.writerKilled(closer)) this.#discard(request, fh, file);
    else if (file.pending.savesAtClose(closer)) this.#finish(request, fh, file);
    else request.replyOk();
  }

  /** Who wrote was killed: what waits is not whole, and is not carried out. */
  #discard(request: Request, fh: number, file: OpenFile): void {
    if (file.spec.write === 'command') this.#context.forward({ op: 'finish', ticket: request.defer(), fh, discard: true });
    else request.replyOk();
  }

  /** What was written and waits is carried out. */
  #finish(request: Request, fh: number, file: OpenFile): void {
    if (file.spec.write !== 'command') {
      this.#judge(request, { file, fh, size: 0 });
      return;
    }
    file.pending?.hand();
    this.#context.forward({ op: 'finish', ticket: request.defer(), fh });
  }

  fsync(request: Request): void {
    request.replyOk();
  }

  release(request: Request, fh: number): void {
    this.#openOrNoted(request, fh);
    const file = this.#open.remove(fh);
    file?.stream?.close();
    if (file?.kh !== undefined) this.#unwatch(request.nodeid, file.kh);
    if (file !== undefined && isAsked(file.view, file.spec)) this.#context.forward({ op: 'released', fh });
    this.#context.unsaved.forgetLater(fh);
    if (file?.pending !== undefined) this.#end(request, fh, file);
    else request.replyOk();
  }

  #unwatch(nodeid: number, kh: number): void {
    this.#context.polls.forget(kh);
    this.#context.forward({ op: 'unwatch', nodeid, kh });
  }

  /** The last descriptor of a file that was opened to write is closed. */
  #end(request: Request, fh: number, file: OpenFile): void {
    const { pending, spec } = file;
    const view = this.#context.tree.get(file.view.serial);
    if (spec.write === 'command') this.#context.forward({ op: 'finish', ticket: this.#deferFor(request, fh), fh, last: true });
    else if (view === undefined || pending?.savesAtEnd() !== true) request.replyOk();
    else if (pending.written) this.#judge(request, { file, fh, size: 0 });
    else if ((view.texts[spec.path] ?? '') === '') request.replyOk();
    else this.#empty(request, { view, spec, fh });
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
    const { unsaved } = this.#context;
    const { save, text } = unsaved.find(fh) ?? {};
    const pending = pendingOf(spec, save ?? false, unsaved.noteOf(fh, writingOf(request)));
    const file = this.#open.add(request, fh, { view, spec, pending, restoring: false });
    file.inherited = true;
    if (text !== undefined) file.written = new WrittenText(text.before, text);
    return file;
  }

  /** The same, if anything was written through it that a close may have to carry out. */
  #openOrNoted(request: Request, fh: number): OpenFile | undefined {
    return this.#open.get(fh) ?? (this.#context.unsaved.find(fh) === undefined ? undefined : this.#opened(request, fh));
  }

  #readStream(
    file: OpenFile,
    view: ObjectView,
    part: { readonly data: Uint8Array; readonly offset: number; readonly size: number },
  ): number {
    file.stream ??= this.#openStream(file, view);
    const length = file.stream?.read(part.data, part) ?? 0;
    file.position = part.offset + length;
    return length;
  }

  /** Undefined when nothing was written to it yet. Where a log or an output is replaced, its reader stays with what she opened: the other is of another guest or command. */
  #openStream({ spec, uid }: OpenFile, view: ObjectView): FollowedFile | undefined {
    const { descriptors } = this.#context;
    const open = (): number | undefined => descriptors.open(uid, () => ({ fd: openStream(streamPath(view, spec, uid)) })).fd;
    const fd = open();
    const how = { open: isReplaced(view) ? open : () => undefined, closed: (each: number) => descriptors.closed(each) };
    return fd === undefined ? undefined : new FollowedFile(fd, how);
  }
}

/** What is kept of writes to a file; undefined where closing it means nothing. */
export function pendingOf(
  spec: RegularSpec,
  begin: boolean | Unsaved,
  note: (unsaved: Unsaved | undefined) => void,
): PendingSave | undefined {
  if (spec.write === undefined || spec.write === 'action') return undefined;
  return new PendingSave(begin === true ? spec.write === 'setting' : begin, note);
}

/** The view with a value emptied: what readers see until the main thread has done it, or has refused. */
function withoutText(view: ObjectView, path: string): ObjectView {
  return { ...view, texts: { ...view.texts, [path]: '' } };
}

function replyPart(request: Request, text: string, offset: number, size: number): void {
  if (offset === 0 && text.length * 3 <= size) {
    request.replyText(text);
    return;
  }
  const bytes = Buffer.from(text);
  request.replyBytes(bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + size, bytes.length)));
}
