import { Errno } from '../errors/errno.ts';
import { OpenReplyFlag, RenameFlag } from '../fuse/abi/flags.ts';
import type { Entry } from '../fuse/attributes.ts';
import type { Request } from '../fuse/request.ts';
import { specialNodeid } from '../vfs/nodeid.ts';
import { writingOf } from './closer.ts';
import { CopyingProcesses, isRestorer } from './copying.ts';
import type { DirectorySpec, FileSpec } from './file-spec.ts';
import type { Misplaced } from './forwarded.ts';
import { Listings } from './listings.ts';
import { fateOfWrite } from './restoring.ts';
import { isScratchName, type ScratchFile } from './scratch-files.ts';
import { findInDirectory, isRemoved, type Listed, listDirectory } from './special-directory.ts';
import { pendingOf } from './special-files.ts';
import type { SpecialContext, SpecialNodes } from './special-nodes.ts';
import type { ObjectView } from './views.ts';

const noEntry: Entry = { nodeid: 0, generation: 0, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: undefined as never };

/** Requests on names in special directories. What changes something is forwarded to the main thread. */
export class SpecialDirectories {
  readonly #context: SpecialContext;
  readonly #nodes: SpecialNodes;
  readonly #listings = new Listings<Listed>();
  readonly #copying = new CopyingProcesses();

  constructor(context: SpecialContext, nodes: SpecialNodes) {
    this.#context = context;
    this.#nodes = nodes;
  }

  lookup(request: Request, name: string): void {
    const { view, spec } = this.#nodes.directory(request.nodeid);
    const found = findInDirectory(this.#context.tree, { view, spec, name });
    if (found === undefined) {
      this.#lookupScratch(request, name);
      return;
    }
    const [owner, path] = spec.listing === 'link' ? [view, `${spec.path}/${name}`] : [found.view, found.spec.path];
    const entry = this.#copying.hides(request.pid, owner, path) ? undefined : this.#nodes.entryOf(found.view, found.spec, request.uid);
    if (entry === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(entry);
  }

  #lookupScratch(request: Request, name: string): void {
    const scratch = this.#context.scratch.find(request.nodeid, name);
    if (scratch === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(this.#context.scratch.entryOf(scratch));
  }

  mkdir(request: Request, name: string, directory: { readonly mode: number }): void {
    const { view, spec } = this.#nodes.directory(request.nodeid);
    const existing = spec.children.get(name);
    if (existing !== undefined && this.#copyMakes(request, view, existing)) return;
    const makesObject = existing === undefined && spec.listing !== undefined && spec.listing !== 'link';
    const copying = makesObject && this.#copying.began(request.pid, request.nodeid, name);
    this.#context.forward({ op: 'mkdir', ticket: request.defer(), name, mode: directory.mode, copying });
  }

  /** Links are made in service chains; elsewhere they mean nothing, and copies of those that a network has are ignored. */
  symlink(request: Request, name: string, target: string): void {
    const { view, spec } = this.#nodes.directory(request.nodeid);
    if (spec.listing === 'link' && isPortLink(name, target)) {
      this.#copying.made(request.pid, view, `${spec.path}/${name}`);
      if (this.#context.tree.networkPorts(view.serial).has(name))
        this.#context.forward({ op: 'symlink', ticket: request.defer(), name, target });
      else this.#context.scratch.makeLink(request, name, target);
      return;
    }
    if (spec.children.has(name)) request.replyError(Errno.EEXIST);
    else if (spec.listing !== 'entry') this.misplaced(request, name, 'link');
    else this.#context.forward({ op: 'symlink', ticket: request.defer(), name, target });
  }

  create(request: Request, name: string, file: { readonly flags: number; readonly mode: number }): void {
    const { view, spec } = this.#nodes.directory(request.nodeid);
    const existing = spec.children.get(name);
    if (existing?.type !== 'file') {
      if (existing === undefined && isScratchName({ view, spec, name }, file)) this.#context.scratch.make(request, name, file);
      else this.misplaced(request, name, 'file');
      return;
    }
    const fh = this.#context.handles.make(file.flags);
    const { pid, uid } = request;
    this.#context.open.add({ nodeid: specialNodeid(view.serial, existing.index), pid, uid }, fh, {
      view,
      spec: existing,
      pending:
        fateOfWrite(view, existing, true) === 'done'
          ? pendingOf(existing, true, this.#context.unsaved.noteOf(fh, writingOf(request)))
          : undefined,
      restoring: true,
    });
    if (isRemoved(view, existing)) {
      this.#context.forward({ op: 'create', ticket: request.defer(), name, fh });
      return;
    }
    this.#copying.made(request.pid, view, existing.path);
    request.replyCreate(this.#nodes.entryOf(view, existing, request.uid) ?? noEntry, fh, OpenReplyFlag.DIRECT_IO);
  }

  /** Refuses what means nothing here, with a sentence. */
  misplaced(request: Request, name: string, made: Misplaced): void {
    this.#context.forward({ op: 'misplaced', ticket: request.defer(), name, made });
  }

  unlink(request: Request, name: string): void {
    const { view, spec } = this.#nodes.directory(request.nodeid);
    if (this.#refuses(request, { view, spec, name })) return;
    const scratch = this.#context.scratch.find(request.nodeid, name);
    this.#context.scratch.remove(request.nodeid, name);
    // What a temporary file stood for may be there by now.
    const stands = scratch !== undefined && findInDirectory(this.#context.tree, { view, spec, name }) === undefined;
    if (stands) request.replyOk();
    else this.#context.forward({ op: 'unlink', ticket: request.defer(), name });
  }

  rmdir(request: Request, name: string): void {
    if (this.#refuses(request, { ...this.#nodes.directory(request.nodeid), name })) return;
    this.#context.forward({ op: 'rmdir', ticket: request.defer(), name });
  }

  /**
   * What keeps an object in use from being removed file by file: its own files say why not (in the main thread); ports, hops and links follow them. Programs that
   * copy replace one file after another, each for itself.
   */
  #refuses(request: Request, place: { readonly view: ObjectView; readonly spec: DirectorySpec; readonly name: string }): boolean {
    const { view, spec, name } = place;
    const { refused } = this.#context;
    const whole = view.kind === 'hop' || view.kind === 'port' ? view.parent : view.serial;
    if (isInUse(view) && spec.children.has(name)) {
      if (!isRestorer(request.pid)) refused.refuse(request.pid, whole);
      return false;
    }
    if (!refused.covers(request.pid, whole)) return false;
    request.replyError(Errno.EBUSY);
    return true;
  }

  rename(request: Request, name: string, to: { readonly parent: number; readonly name: string; readonly flags: number }): void {
    if ((to.flags & ~RenameFlag.NOREPLACE) !== 0) {
      request.replyError(Errno.EINVAL);
      return;
    }
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
    const { view, spec } = this.#nodes.directory(to.parent);
    const target = spec.children.get(to.name);
    if (target?.type !== 'file') {
      this.misplaced(request, to.name, 'file');
      return;
    }
    const fate = fateOfWrite(view, target, true);
    if (fate === 'refused') {
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
      data: fate === 'ignored' ? undefined : scratch.data,
      owner: { uid, gid, mode },
      copying: isRestorer(request.pid),
    });
  }

  opendir(request: Request): void {
    const { view, spec } = this.#nodes.directory(request.nodeid);
    if (view.kind === 'vnf') this.#context.walkers.lists(request.pid, view.serial, spec.path);
    request.replyOpen(this.#context.handles.make(0), 0);
  }

  readdir(request: Request, fh: number, offset: number, plus: boolean): void {
    const { view, spec } = this.#nodes.directory(request.nodeid);
    this.#listings.reply(request, {
      fh,
      offset,
      list: () => listDirectory(this.#context.tree, view, spec),
      add: (item, next) => {
        const entry = this.#nodes.entryOf(item.view, item.spec, request.uid);
        // Its backing directory is gone: not there any more.
        if (entry === undefined) return true;
        const added = plus
          ? request.addEntryPlus(item.name, entry, next)
          : request.addEntry(item.name, entry.attr.ino, entry.attr.mode >>> 12, next);
        if (item.spec.type === 'backed' && !(plus && added)) this.#context.forgetBacked(entry.nodeid);
        return added;
      },
    });
  }

  releasedir(request: Request, fh: number): void {
    this.#listings.close(fh);
    request.replyOk();
  }

  /** What was made here is durable soon; who must know for sure asks. */
  fsyncdir(request: Request): void {
    this.#context.forward({ op: 'sync', ticket: request.defer(), fd: undefined, newIn: undefined });
  }

  /** A copying process makes a directory that was there from the start: answered here when it is so. */
  #copyMakes(request: Request, view: ObjectView, spec: FileSpec): boolean {
    if (!this.#copying.hides(request.pid, view, spec.path)) return false;
    this.#copying.made(request.pid, view, spec.path);
    const entry = this.#nodes.entryOf(view, spec, request.uid);
    if (entry === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(entry);
    return true;
  }
}

/** True for what a link in `networks/NET/ports` is and says: the port of that name. */
function isPortLink(name: string, target: string): boolean {
  const [, type, vnf, port] = /^\.\.\/\.\.\/\.\.\/nf-types\/([^/]+)\/([^/]+)\/ports\/([^/]+)$/.exec(target) ?? [];
  return name === `${type}.${vnf}.${port}`;
}

/** True for what has to be destroyed or stopped before it can be removed. */
function isInUse(view: ObjectView): boolean {
  return (view.kind === 'vnf' && view.deployed) || (view.kind === 'chain' && view.active);
}
