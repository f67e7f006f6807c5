import { closeSync, openSync, readSync, type Stats, writeSync } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { EntryType, OpenReplyFlag, RenameFlag } from '../fuse/abi/flags.ts';
import type { Entry } from '../fuse/attributes.ts';
import type { AttrChange, FileSystem } from '../fuse/file-system.ts';
import type { Request } from '../fuse/request.ts';
import { specialNodeid } from '../vfs/nodeid.ts';
import type { Found, Listed, PreparedRename, UserFiles } from '../vfs/user-files.ts';
import type { UserNode } from '../vfs/user-node.ts';
import { type BackedDirectory, isConfiguration } from './backed-directories.ts';
import { rootIndex } from './file-spec.ts';
import type { Forward } from './forwarded.ts';
import { flagsOfHandle, type HandleNumbers } from './handles.ts';
import { Listings } from './listings.ts';
import type { RefusedRemovals } from './refused-removals.ts';
import type { TreeWalkers } from './tree-walkers.ts';

/** What requests on user files need of their surroundings. */
export interface UserContext {
  readonly users: UserFiles;
  readonly forward: Forward;
  readonly handles: HandleNumbers;
  readonly refused: RefusedRemovals;
  readonly walkers: TreeWalkers;
  readonly timeoutMs: number;
}

/** An open user file. */
interface OpenFile {
  readonly node: UserNode;
  readonly fd: number;
  /** Something was written that is not durable yet. */
  dirty: boolean;
  /** Directory on this machine that got its name and is not durable yet. */
  newIn: string | Uint8Array | undefined;
}

const accessMode = 3;

/** Requests on user files: carried out here and now, except that making them durable is the main thread's. */
export class UserRequests implements FileSystem {
  readonly #context: UserContext;
  readonly #open = new Map<number, OpenFile>();
  readonly #prepared = new Map<number, PreparedRename>();
  #renames = 0;
  readonly #listings = new Listings<Listed>();

  constructor(context: UserContext) {
    this.#context = context;
  }

  /** The entry of a file, which the kernel knows from then on. */
  entryOf({ node, stats }: Found): Entry {
    const timeoutMs = this.#timeout(node);
    this.#context.users.remember(node);
    show(node, stats);
    // A guest's file gets another time of birth when it is written first, and is the same one.
    const generation = node.backing.guest === undefined ? Math.floor(stats.birthtimeMs * 1000) : 0;
    return { nodeid: node.nodeid, generation, entryTimeoutMs: timeoutMs, attrTimeoutMs: timeoutMs, attr: stats };
  }

  lookup(request: Request, name: string): void {
    const found = this.#context.users.lookup(this.#node(request), name);
    if (found === undefined) request.replyError(Errno.ENOENT);
    else request.replyEntry(this.entryOf(found));
  }

  forget(nodeid: number, nlookup: number): void {
    this.#context.users.forget(nodeid, nlookup);
  }

  getattr(request: Request): void {
    const node = this.#node(request);
    const stats = this.#context.users.stat(node);
    show(node, stats);
    request.replyAttr(stats, this.#timeout(node));
  }

  setattr(request: Request, change: AttrChange): void {
    const node = this.#node(request);
    if (this.#owns(request, node, change)) return;
    const stats = this.#context.users.change(node, change);
    if (change.size !== undefined) this.#markDirty(node);
    show(node, stats);
    request.replyAttr(stats, this.#timeout(node));
  }

  /** Who owns rfs, and its mode, is kept with the VNF: the guest's own `/` stays as it is. @returns whether that is what is changed. */
  #owns(request: Request, node: UserNode, { uid, gid, mode }: AttrChange): boolean {
    const { guest } = node.backing;
    if (!node.top || guest === undefined || (uid === undefined && gid === undefined && mode === undefined)) return false;
    const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }), ...(mode === undefined ? {} : { mode }) };
    const ticket = { ...request.defer(), nodeid: specialNodeid(guest.serial, rootIndex) };
    this.#context.forward({ op: 'own', ticket, ...owner });
    return true;
  }

  readlink(request: Request): void {
    request.replyText(this.#context.users.readlink(this.#node(request)));
  }

  /**
   * What a request makes, if the server before this one made it and died before it could say so. The kernel asks for a new name only where it knows of
   * none, so that what is there now was made by that.
   */
  #madeBefore(request: Request, name: string): Found | undefined {
    return request.resent ? this.#context.users.lookup(this.#node(request), name) : undefined;
  }

  /** True for a name that the server before this one took away already. */
  #goneBefore(request: Request, name: string): boolean {
    return request.resent && this.#context.users.lookup(this.#node(request), name) === undefined;
  }

  symlink(request: Request, name: string, target: string): void {
    const made =
      this.#madeBefore(request, name) ?? this.#context.users.symlink(this.#node(request), name, { target, creator: creatorOf(request) });
    request.replyEntry(this.entryOf(made));
  }

  mknod(request: Request, name: string, node: { readonly mode: number }): void {
    if (node.mode >>> 12 !== EntryType.REG) {
      // Devices, FIFOs and sockets configure nothing.
      request.replyError(Errno.EPERM);
      return;
    }
    const options = { flags: 1, mode: node.mode, creator: creatorOf(request) };
    const before = this.#madeBefore(request, name);
    const { fd, ...found } =
      before === undefined ? this.#context.users.create(this.#node(request), name, options) : { ...before, fd: undefined };
    if (fd !== undefined) this.#context.users.close(found.node, fd);
    request.replyEntry(this.entryOf(found));
  }

  mkdir(request: Request, name: string, directory: { readonly mode: number }): void {
    const options = { mode: directory.mode, creator: creatorOf(request) };
    request.replyEntry(this.entryOf(this.#madeBefore(request, name) ?? this.#context.users.mkdir(this.#node(request), name, options)));
  }

  unlink(request: Request, name: string): void {
    const parent = this.#emptied(request);
    if (!this.#goneBefore(request, name)) this.#context.users.unlink(parent, name);
    request.replyOk();
  }

  rmdir(request: Request, name: string): void {
    const parent = this.#emptied(request);
    if (!this.#goneBefore(request, name)) this.#context.users.rmdir(parent, name);
    request.replyOk();
  }

  /** The directory that something is removed from. Throws EBUSY for who removes a VNF that is in use. */
  #emptied(request: Request): UserNode {
    const node = this.#node(request);
    const { serial } = node.backing as BackedDirectory;
    if (this.#context.refused.covers(request.pid, serial)) throw Object.assign(new Error('of a VNF in use'), { code: 'EBUSY' });
    return node;
  }

  link(request: Request, nodeid: number, name: string): void {
    const made = this.#madeBefore(request, name) ?? this.#context.users.link(this.#context.users.get(nodeid), this.#node(request), name);
    request.replyEntry(this.entryOf(made));
  }

  rename(request: Request, name: string, to: { readonly parent: number; readonly name: string; readonly flags: number }): void {
    const from = this.#node(request);
    const target = this.#context.users.get(to.parent);
    if ((to.flags & ~RenameFlag.NOREPLACE) !== 0) {
      request.replyError(Errno.EINVAL);
      return;
    }
    if (this.#goneBefore(request, name)) {
      request.replyOk();
      return;
    }
    const backing = target.backing as BackedDirectory;
    if (target.top && from === target && isConfiguration(backing, to.name)) {
      this.#forwardReplace(request, {
        prepared: this.#context.users.prepareRename({ parent: from, name }, { parent: target, name: to.name }),
        backing,
      });
      return;
    }
    const replace = (to.flags & RenameFlag.NOREPLACE) === 0;
    this.#context.users.rename({ parent: from, name }, { parent: target, name: to.name }, { replace });
    request.replyOk();
  }

  /** A file is renamed onto a configuration, as editors save: the main thread checks it, and renames it. The kernel keeps both names locked meanwhile. */
  #forwardReplace(request: Request, options: { readonly prepared: PreparedRename; readonly backing: BackedDirectory }): void {
    const { prepared, backing } = options;
    this.#renames += 1;
    this.#prepared.set(this.#renames, prepared);
    const { from, to } = prepared;
    this.#context.forward({
      op: 'replace',
      ticket: request.defer(),
      serial: backing.serial,
      rename: this.#renames,
      directory: backing.path(),
      from: from.name,
      to: to.name,
    });
  }

  /** The main thread has renamed (or not). */
  renamed(rename: number, done: boolean): void {
    const prepared = this.#prepared.get(rename);
    this.#prepared.delete(rename);
    if (done && prepared !== undefined) this.#context.users.commitRename(prepared);
  }

  open(request: Request, flags: number): void {
    const node = this.#node(request);
    const fd = this.#context.users.open(node, flags);
    const fh = this.#context.handles.make(flags);
    // O_TRUNC changes the file although nothing is written.
    const dirty = (flags & truncates) !== 0;
    this.#open.set(fh, { node, fd, dirty, newIn: undefined });
    request.replyOpen(fh, this.#openFlags(node, flags));
  }

  create(request: Request, name: string, file: { readonly flags: number; readonly mode: number }): void {
    const parent = this.#node(request);
    const before = this.#madeBefore(request, name);
    const { fd, ...found } =
      before === undefined
        ? this.#context.users.create(parent, name, { flags: file.flags, mode: file.mode, creator: creatorOf(request) })
        : { ...before, fd: this.#context.users.open(before.node, file.flags) };
    const fh = this.#context.handles.make(file.flags);
    this.#open.set(fh, { node: found.node, fd, dirty: true, newIn: this.#context.users.pathForSync(parent) });
    request.replyCreate(this.entryOf(found), fh, this.#openFlags(found.node, file.flags));
  }

  read(request: Request, fh: number, offset: number, size: number): void {
    request.replyData(readSync(this.#opened(request, fh).fd, request.data, 0, size, offset));
  }

  write(request: Request, fh: number, offset: number, size: number): void {
    const file = this.#opened(request, fh);
    const before = request.resent && isAppended(file.fd, request.written(size), offset);
    const written = before ? size : writeSync(file.fd, request.input, request.inputOffset, size, offset);
    file.dirty = true;
    request.replyWrite(written);
  }

  statfs(request: Request): void {
    const { blocks, bfree, bavail, files, ffree, bsize } = this.#context.users.statfs(this.#node(request));
    request.replyStatfs({ blocks, bfree, bavail, files, ffree, bsize, namelen: 255, frsize: bsize });
  }

  release(request: Request, fh: number): void {
    const file = this.#open.get(fh);
    this.#open.delete(fh);
    if (file !== undefined) this.#context.users.close(file.node, file.fd);
    request.replyOk();
  }

  flush(request: Request, fh: number): void {
    this.#save(request, fh);
  }

  fsync(request: Request, fh: number): void {
    this.#save(request, fh);
  }

  opendir(request: Request): void {
    request.replyOpen(this.#context.handles.make(0), 0);
  }

  readdir(request: Request, fh: number, offset: number, plus: boolean): void {
    const node = this.#node(request);
    this.#listings.reply(request, {
      fh,
      offset,
      list: () => this.#context.users.list(node, { written: this.#isWalked(request.pid, node) }),
      add: (child, next) => this.#addChild(request, child, { plus, next }),
    });
  }

  #isWalked(pid: number, { backing }: UserNode): boolean {
    return backing.guest !== undefined && this.#context.walkers.covers(pid, backing.guest.serial);
  }

  releasedir(request: Request, fh: number): void {
    this.#listings.close(fh);
    request.replyOk();
  }

  fsyncdir(request: Request): void {
    const newIn = this.#context.users.pathForSync(this.#node(request));
    this.#context.forward({ op: 'save', ticket: request.defer(), save: { fd: undefined, newIn, configures: undefined } });
  }

  #addChild(request: Request, child: Listed, place: { readonly plus: boolean; readonly next: number }): boolean {
    if (!place.plus) return request.addEntry(child.name, child.node.nodeid, child.stats.mode >>> 12, place.next);
    const added = request.addEntryPlus(child.name, this.entryOf(child), place.next);
    if (!added) this.#context.users.forget(child.node.nodeid, 1);
    return added;
  }

  #save(request: Request, fh: number): void {
    const file = this.#open.get(fh);
    if (file === undefined || !(file.dirty || file.newIn !== undefined)) {
      request.replyOk();
      return;
    }
    const { newIn } = file;
    file.dirty = false;
    file.newIn = undefined;
    const backing = file.node.backing as BackedDirectory;
    const components = file.node.components();
    const configures = components?.length === 1 && isConfiguration(backing, components[0] ?? '') ? backing.serial : undefined;
    this.#context.forward({ op: 'save', ticket: request.defer(), save: { fd: file.fd, newIn, configures } });
  }

  #markDirty(node: UserNode): void {
    for (const file of this.#open.values()) if (file.node === node) file.dirty = true;
  }

  #opened(request: Request, fh: number): OpenFile {
    const known = this.#open.get(fh);
    if (known !== undefined) {
      return known;
    }
    // The handle is one of a server before this one.
    const node = this.#node(request);
    const flags = flagsOfHandle(fh);
    const file: OpenFile = { node, fd: this.#context.users.open(node, flags), dirty: (flags & accessMode) !== 0, newIn: undefined };
    this.#open.set(fh, file);
    return file;
  }

  #node(request: Request): UserNode {
    return this.#context.users.get(request.nodeid);
  }

  /** Files that a guest changes too are never cached. */
  #timeout(node: UserNode): number {
    return node.backing.guest === undefined ? this.#context.timeoutMs : 0;
  }

  #openFlags(node: UserNode, flags: number): number {
    const caching = node.backing.guest === undefined ? OpenReplyFlag.KEEP_CACHE : OpenReplyFlag.DIRECT_IO;
    return (flags & accessMode) === 0 ? caching | OpenReplyFlag.NOFLUSH : caching;
  }
}

/** Inode numbers of the backing file system could be those of special files; nodeids are unique. */
function show(node: UserNode, stats: Stats): void {
  stats.ino = node.nodeid;
  if (node.top && node.backing.guest !== undefined) Object.assign(stats, node.backing.guest.owner());
}

/** True when a file has these bytes at an offset already. Only where it is appended to would writing them again be too much. */
function isAppended(fd: number, data: Uint8Array, offset: number): boolean {
  const reader = openSync(`/proc/self/fd/${fd}`, 'r');
  try {
    const there = Buffer.allocUnsafe(data.length);
    return readSync(reader, there, 0, there.length, offset) === data.length && there.equals(data);
  } finally {
    closeSync(reader);
  }
}

/** O_TRUNC */
const truncates = 0o1000;

function creatorOf(request: Request): { readonly uid: number; readonly gid: number } {
  return { uid: request.uid, gid: request.gid };
}
