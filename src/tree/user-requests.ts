import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { Errno } from '../errors/errno.ts';
import { EntryType, OpenReplyFlag, RenameFlag } from '../fuse/abi/flags.ts';
import type { Entry } from '../fuse/attributes.ts';
import { bytesOfText } from '../fuse/byte-names.ts';
import type { AttrChange, CopyRange, FileSystem } from '../fuse/file-system.ts';
import type { Request } from '../fuse/request.ts';
import type { DescriptorShares } from '../vfs/descriptor-shares.ts';
import type { DirectoryNames } from '../vfs/directory-names.ts';
import { type FileStats, generationOf } from '../vfs/file-stats.ts';
import { specialNodeid } from '../vfs/nodeid.ts';
import type { Creation, Found, Place, UserFiles } from '../vfs/user-files.ts';
import type { UserNode } from '../vfs/user-node.ts';
import { type BackedDirectories, type BackedDirectory, isApplied, isConfigurationName } from './backed-directories.ts';
import { type Writing, writingOf } from './closer.ts';
import { readable } from './configuration-file.ts';
import { ConfigurationSaves } from './configuration-saves.ts';
import type { DiskPace } from './disk-pace.ts';
import { rootIndex } from './file-spec.ts';
import type { Forward } from './forwarded.ts';
import { flagsOfHandle, type HandleNumbers } from './handles.ts';
import { PendingSave, type SaveOutcome, type Unsaved } from './pending-save.ts';
import type { RefusedRemovals } from './refused-removals.ts';
import type { TreeWalkers } from './tree-walkers.ts';
import type { Turns } from './turns.ts';
import type { UnsavedJournal } from './unsaved-journal.ts';
import { type Added, UserListings } from './user-listings.ts';

/** What requests on user files need of their surroundings. */
export interface UserContext {
  readonly users: UserFiles;
  readonly descriptors: DescriptorShares;
  readonly backed: BackedDirectories;
  readonly forward: Forward;
  readonly handles: HandleNumbers;
  readonly unsaved: UnsavedJournal;
  readonly refused: RefusedRemovals;
  readonly walkers: TreeWalkers;
  readonly turns: Turns;
  readonly attributesChanged: (nodeid: number) => void;
  readonly pace: DiskPace;
  readonly timeoutMs: number;
}

/** An open user file. */
interface OpenFile {
  readonly node: UserNode;
  readonly fd: number;
  /** What was written through it and may have to take effect; undefined: it was opened to read. */
  readonly pending: PendingSave | undefined;
  /** Who opened it; undefined: that is not known. */
  readonly by: Writing | undefined;
  /** Opened under a server before this one, which may have saved what was written. */
  readonly resumed: boolean;
  /** Directory on this machine that got its name and is not durable yet. */
  newIn: string | Uint8Array | undefined;
}

const accessMode = 3;

/** So much of a copy is made at once, bytes. */
const mostCopied = 4 * 1024 * 1024;

/** The mode of a new file, and what is taken off it where its directory says nothing else. */
interface Modes {
  readonly mode: number;
  readonly umask: number;
}

/** Requests on user files: carried out here and now, except that making them durable is the main thread's. */
export class UserRequests implements FileSystem {
  readonly #context: UserContext;
  readonly #open = new Map<number, OpenFile>();
  readonly #saves: ConfigurationSaves;
  readonly #listings = new UserListings();

  constructor(context: UserContext) {
    this.#context = context;
    this.#saves = new ConfigurationSaves(context);
  }

  /** How many files and directories are open. */
  kept(): { readonly open: number; readonly listings: number } {
    return { open: this.#open.size, listings: this.#listings.count };
  }

  /** The entry of a file, which the kernel knows from then on. */
  entryOf({ node, stats }: Found): Entry {
    const timeoutMs = this.#timeout(node);
    this.#context.users.remember(node);
    show(node, stats);
    // A guest's file gets another time of birth when it is written first, and is the same one.
    const generation = node.backing.guest === undefined ? generationOf(stats) : 0;
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
    // What runs may be given away with its VNF, and shown to others.
    const node = change.size === undefined ? this.#node(request) : this.#changed(request);
    if (this.#owns(request, node, change)) return;
    const stats = this.#context.users.change(node, change);
    if (change.size !== undefined && request.killSuidgid) this.#dropPrivilegesOf(request, node, stats);
    show(node, stats);
    if (change.size !== undefined && this.#truncated(request, node, { size: change.size, fh: change.fh })) return;
    request.replyAttr(stats, this.#timeout(node));
  }

  /** Clears the set-user-id and set-group-id bits of a file that somebody without the right to keep them writes to. */
  #dropPrivileges(request: Request, fd: number): void {
    const stats = fstatSync(fd);
    const without = withoutPrivileges(request, stats);
    if (without === stats.mode) return;
    fchmodSync(fd, without & 0o7777);
    this.#context.attributesChanged(request.nodeid);
  }

  /** The same for who has set a length. */
  #dropPrivilegesOf(request: Request, node: UserNode, stats: FileStats): void {
    const mode = withoutPrivileges(request, stats);
    if (mode !== stats.mode) stats.mode = this.#context.users.change(node, { mode }).mode;
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

  /** A length was set: by ftruncate(2), which counts when the file is closed, or by truncate(2). True when the main thread answers. */
  #truncated(request: Request, node: UserNode, { size, fh }: { readonly size: number; readonly fh: number | undefined }): boolean {
    if (fh === undefined) return this.#saves.written(request, node);
    this.#opened(request, fh).pending?.truncate(size);
    return false;
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
    const parent = this.#node(request);
    if (isRunningConfiguration(parent, name)) {
      request.replyError(Errno.EINVAL);
      return;
    }
    const made =
      this.#madeBefore(request, name) ??
      this.#context.users.symlink(this.#changed(request, name), name, { target, creator: creatorOf(request) });
    request.replyEntry(this.entryOf(made));
  }

  mknod(request: Request, name: string, node: Modes): void {
    if (node.mode >>> 12 !== EntryType.REG) {
      this.#makeSpecial(request, name, node);
      return;
    }
    const options = { flags: 1, ...creationOf(request, node) };
    const before = this.#madeBefore(request, name);
    const { fd, ...found } =
      before === undefined ? this.#context.users.create(this.#changed(request, name), name, options) : { ...before, fd: undefined };
    if (fd !== undefined) this.#context.users.close(found.node, fd);
    request.replyEntry(this.entryOf(found));
  }

  /** FIFOs and sockets are made in config/, where programs of this machine meet. Devices are not, nor what could not be the guest's own in its root. */
  #makeSpecial(request: Request, name: string, node: Modes): void {
    const { mode } = node;
    const parent = this.#changed(request, name);
    const isMeetingPoint = mode >>> 12 === EntryType.FIFO || mode >>> 12 === EntryType.SOCK;
    if (!isMeetingPoint || parent.backing.guest !== undefined) request.replyError(Errno.EPERM);
    else if (isRunningConfiguration(parent, name)) request.replyError(Errno.EINVAL);
    else {
      const made = this.#madeBefore(request, name) ?? this.#context.users.makeSpecial(parent, name, creationOf(request, node));
      request.replyEntry(this.entryOf(made));
    }
  }

  mkdir(request: Request, name: string, directory: Modes): void {
    const options = creationOf(request, directory);
    request.replyEntry(
      this.entryOf(this.#madeBefore(request, name) ?? this.#context.users.mkdir(this.#changed(request, name), name, options)),
    );
  }

  unlink(request: Request, name: string): void {
    const parent = this.#emptied(request, name);
    if (!this.#goneBefore(request, name)) this.#context.users.unlink(parent, name);
    request.replyOk();
  }

  rmdir(request: Request, name: string): void {
    const parent = this.#emptied(request, name);
    if (!this.#goneBefore(request, name)) this.#context.users.rmdir(parent, name);
    request.replyOk();
  }

  /** The directory that something is removed from. Throws EBUSY for who removes a VNF that is in use. */
  #emptied(request: Request, name: string): UserNode {
    const node = this.#changed(request, name);
    const { serial } = node.backing as BackedDirectory;
    if (this.#context.refused.covers(request.pid, serial)) throw Object.assign(new Error('of a VNF in use'), { code: 'EBUSY' });
    return node;
  }

  link(request: Request, nodeid: number, name: string): void {
    const place = { parent: this.#changed(request, name), name };
    const node = this.#context.users.get(nodeid);
    const before = this.#madeBefore(request, name);
    if (before === undefined && !isOneTree(node, place.parent)) request.replyError(Errno.EXDEV);
    else if (node.newestLink === undefined && isRunningConfiguration(place.parent, name)) request.replyError(Errno.EINVAL);
    else if (before !== undefined || !this.#saves.links(request, node, place)) {
      request.replyEntry(this.entryOf(before ?? this.#context.users.link(node, place.parent, name)));
    }
  }

  rename(request: Request, name: string, to: { readonly parent: number; readonly name: string; readonly flags: number }): void {
    const from = { parent: this.#changed(request, name), name };
    const target = { parent: checked(this.#context.users.get(to.parent), to.name), name: to.name };
    const replace = (to.flags & RenameFlag.NOREPLACE) === 0;
    const exchanges = (to.flags & RenameFlag.EXCHANGE) !== 0;
    if ((to.flags & ~(RenameFlag.NOREPLACE | RenameFlag.EXCHANGE)) !== 0) request.replyError(Errno.EINVAL);
    else if (this.#goneBefore(request, name)) request.replyOk();
    else if (!isOneTree(from.parent, target.parent)) request.replyError(Errno.EXDEV);
    else if (exchanges) this.#exchange(request, from, target);
    else if (!this.#saves.renames(request, from, target, { replace })) {
      this.#context.users.rename(from, target, { replace });
      request.replyOk();
    }
  }

  /** A configuration that runs is judged before its name is another's: renaming onto it does that, exchanging does not. */
  #exchange(request: Request, from: Place, to: Place): void {
    if (isRunningConfiguration(from.parent, from.name) || isRunningConfiguration(to.parent, to.name)) {
      request.replyError(Errno.EINVAL);
      return;
    }
    this.#context.users.exchange(from, to);
    request.replyOk();
  }

  /** The main thread has renamed, or linked, or not. */
  replaced(replacement: number, done: boolean): void {
    this.#saves.replaced(replacement, done);
  }

  /** The main thread could not write what was written to an open file. */
  cut(fh: number): void {
    this.#open.get(fh)?.pending?.cut();
  }

  /** The main thread has judged what was saved. */
  configured(save: number, outcome: SaveOutcome): void {
    this.#saves.configured(save, outcome);
  }

  open(request: Request, flags: number): void {
    const node = (flags & accessMode) === 0 ? this.#node(request) : this.#changed(request);
    const fd = this.#openFor(request, node, flags);
    if (request.killSuidgid) this.#dropPrivileges(request, fd);
    const fh = this.#context.handles.make(flags);
    const by = writingOf(request);
    const pending = this.#pendingOf({ fh, node, flags, by }, (flags & constants.O_TRUNC) !== 0);
    this.#open.set(fh, { node, fd, pending, by, resumed: false, newIn: undefined });
    request.replyOpen(fh, this.#openFlags(node, flags));
  }

  create(request: Request, name: string, file: Modes & { readonly flags: number }): void {
    const parent = this.#changed(request, name);
    const before = this.#madeBefore(request, name);
    const { fd, ...found } =
      before === undefined
        ? this.#context.descriptors.open(request.uid, () =>
            this.#context.users.create(parent, name, { flags: file.flags, ...creationOf(request, file) }),
          )
        : { ...before, fd: this.#openFor(request, before.node, file.flags) };
    const fh = this.#context.handles.make(file.flags);
    const newIn = this.#context.users.pathForSync(parent);
    const by = writingOf(request);
    const pending = this.#pendingOf({ fh, node: found.node, flags: file.flags, by }, true);
    this.#open.set(fh, { node: found.node, fd, pending, by, resumed: false, newIn });
    request.replyCreate(this.entryOf(found), fh, this.#openFlags(found.node, file.flags));
  }

  tmpfile(request: Request, file: Modes & { readonly flags: number }): void {
    const parent = this.#changed(request);
    const create = (): Found & { fd: number } =>
      this.#context.users.createNameless(parent, { flags: file.flags, ...creationOf(request, file) });
    const made = this.#context.descriptors.open(request.uid, create);
    const fh = this.#context.handles.make(file.flags);
    const by = writingOf(request);
    const pending = this.#pendingOf({ fh, node: made.node, flags: file.flags, by }, true);
    this.#open.set(fh, { node: made.node, fd: made.fd, pending, by, resumed: false, newIn: undefined });
    request.replyCreate(this.entryOf(made), fh, this.#openFlags(made.node, file.flags));
  }

  #openFor(request: Request, node: UserNode, flags: number): number {
    return this.#context.descriptors.open(request.uid, () => ({ fd: this.#context.users.open(node, flags) })).fd;
  }

  read(request: Request, fh: number, offset: number, size: number): void {
    const { fd } = this.#opened(request, fh);
    if (this.#context.pace.isQuick) request.replyData(readSync(fd, request.data, 0, size, offset));
    else this.#context.forward({ op: 'readFile', ticket: request.defer(), fd, offset, size });
  }

  write(request: Request, fh: number, offset: number, size: number): void {
    const file = this.#opened(request, fh);
    const before = request.resent && isAppended(file.fd, request.written(size), offset);
    if (!before && !this.#context.pace.isQuick) {
      if (request.killSuidgid) this.#dropPrivileges(request, file.fd);
      this.#saves.wrote(request, file, { begins: offset === 0 });
      const data = Uint8Array.from(request.written(size));
      this.#context.forward({ op: 'writeFile', ticket: request.defer(), fh, fd: file.fd, offset, data });
      return;
    }
    const write = (): number => writeSync(file.fd, request.input, request.inputOffset, size, offset);
    const written = before ? size : cutOnFailure(file, write);
    if (request.killSuidgid) this.#dropPrivileges(request, file.fd);
    this.#saves.wrote(request, file, { begins: offset === 0 });
    request.replyWrite(written);
  }

  fallocate(
    request: Request,
    fh: number,
    { offset, length, mode }: { readonly offset: number; readonly length: number; readonly mode: number },
  ): void {
    const file = this.#opened(request, fh);
    this.#context.users.calls.make('fallocate', pathOfOpen(file.fd), mode, offset, length);
    this.#saves.wrote(request, file, { begins: false });
    request.replyOk();
  }

  /** SEEK_DATA and SEEK_HOLE. */
  lseek(request: Request, fh: number, offset: number, whence: number): void {
    const found = this.#context.users.calls.make('seek', pathOfOpen(this.#opened(request, fh).fd), offset, whence);
    request.replyLseek(Number(found.toString()));
  }

  /** A part is copied at a time, so that nobody waits long. */
  copyFileRange(request: Request, fh: number, range: CopyRange): void {
    const from = this.#opened(request, fh);
    const to = this.#opened(request, range.fhOut, range.nodeidOut);
    const length = Math.min(range.length, mostCopied);
    const { calls } = this.#context.users;
    const copy = (): Buffer => calls.make('copy', pathOfOpen(from.fd), range.offsetIn, pathOfOpen(to.fd), range.offsetOut, length);
    const copied = cutOnFailure(to, copy);
    this.#saves.wrote(request, to, { begins: range.offsetOut === 0 });
    request.replyWrite(Number(copied.toString()));
  }

  getxattr(request: Request, name: string, size: number): void {
    replyXattr(request, this.#context.users.xattrs.get(this.#node(request), name), size);
  }

  listxattr(request: Request, size: number): void {
    const names = [...this.#context.users.xattrs.names(this.#node(request))];
    replyXattr(request, bytesOfText(names.map((name) => `${name}\0`).join('')), size);
  }

  setxattr(request: Request, name: string, value: Uint8Array, flags: number): void {
    this.#context.users.xattrs.set(this.#changed(request), name, { value, flags });
    request.replyOk();
  }

  removexattr(request: Request, name: string): void {
    this.#context.users.xattrs.remove(this.#changed(request), name);
    request.replyOk();
  }

  statfs(request: Request): void {
    const { blocks, bfree, bavail, files, ffree, bsize } = this.#context.users.statfs(this.#node(request));
    request.replyStatfs({ blocks, bfree, bavail, files, ffree, bsize, namelen: 255, frsize: bsize });
  }

  release(request: Request, fh: number): void {
    const isNoted = this.#context.unsaved.find(fh)?.save !== undefined;
    const file = this.#open.get(fh) ?? (isNoted ? this.#openedBefore(request, fh) : undefined);
    this.#open.delete(fh);
    try {
      if (file === undefined || !this.#saves.ends(request, file, this.#open.values())) request.replyOk();
    } finally {
      if (file !== undefined) this.#close(file);
    }
  }

  #close({ node, fd, pending }: OpenFile): void {
    pending?.close();
    this.#context.descriptors.closed(fd);
    this.#context.users.close(node, fd);
  }

  flush(request: Request, fh: number): void {
    const file = this.#openedBefore(request, fh);
    if (file === undefined || !this.#saves.closes(request, file, this.#open.values())) request.replyOk();
  }

  fsync(request: Request, fh: number): void {
    const file = this.#opened(request, fh);
    if (this.#saves.syncs(request, file, this.#open.values())) return;
    const { newIn } = file;
    file.newIn = undefined;
    this.#context.forward({ op: 'sync', ticket: request.defer(), fd: readable(file.fd), newIn });
  }

  opendir(request: Request): void {
    request.replyOpen(this.#context.handles.make(0), 0);
  }

  readdir(request: Request, fh: number, offset: number, plus: boolean): void {
    const node = this.#node(request);
    const { users, descriptors, turns } = this.#context;
    const open = (): DirectoryNames => users.names(node, { written: this.#isWalked(request.pid, node) });
    const answered = this.#listings.reply(request, {
      fh,
      offset,
      open: () => descriptors.open(request.uid, () => ({ fd: open() })).fd,
      close: (names) => {
        names[Symbol.dispose]();
        descriptors.closed(names);
      },
      add: (name, next) => this.#addChild(request, { parent: node, name }, { plus, next }),
    });
    if (!answered) turns.wait(request);
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
    this.#context.forward({ op: 'sync', ticket: request.defer(), fd: undefined, newIn });
  }

  #addChild(request: Request, child: Place, { plus, next }: { readonly plus: boolean; readonly next: number }): Added {
    const found = this.#context.users.lookup(child.parent, child.name);
    if (found === undefined) return 'absent';
    const { node, stats } = found;
    if (!plus) return request.addEntry(child.name, node.nodeid, stats.mode >>> 12, next) ? 'added' : 'full';
    const added = request.addEntryPlus(child.name, this.entryOf(found), next);
    if (!added) this.#context.users.forget(node.nodeid, 1);
    return added ? 'added' : 'full';
  }

  /** The same for a close, which may be of a file that is gone since: undefined. */
  #openedBefore(request: Request, fh: number): OpenFile | undefined {
    try {
      return this.#opened(request, fh);
    } catch (error) {
      if (['ENOENT', 'ESTALE'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  #opened(request: Request, fh: number, nodeid = request.nodeid): OpenFile {
    const known = this.#open.get(fh);
    if (known !== undefined) return known;
    // The handle is one of a server before this one, which may not have saved what was written.
    const { unsaved, users } = this.#context;
    const node = users.get(nodeid);
    const flags = flagsOfHandle(fh);
    const unknown = { truncated: false, refused: false, writers: [0] };
    const by = unsaved.find(fh)?.by ?? writingOf(request);
    const pending = this.#pendingOf({ fh, node, flags, by }, unsaved.isWhole ? (unsaved.find(fh)?.save ?? false) : unknown);
    const parent = node.newestLink?.parent;
    const newIn = parent === undefined ? undefined : users.pathForSync(parent); // its name may be new
    const file: OpenFile = { node, fd: this.#openFor(request, node, flags), pending, by, resumed: true, newIn };
    this.#open.set(fh, file);
    return file;
  }

  /** What is kept of writes to a file that may configure a VNF; those of guests never do. */
  #pendingOf(
    { fh, node, flags, by }: { readonly fh: number; readonly node: UserNode; readonly flags: number; readonly by: Writing | undefined },
    begin: boolean | Unsaved,
  ): PendingSave | undefined {
    if ((flags & accessMode) === 0 || node.backing.guest !== undefined) return undefined;
    return new PendingSave(begin, this.#context.unsaved.noteOf(fh, by));
  }

  #node(request: Request): UserNode {
    return this.#context.users.get(request.nodeid);
  }

  /** A file, or the directory where a name, is to be changed. Throws EACCES for what runs, which nf.io alone writes. */
  #changed(request: Request, name?: string): UserNode {
    return checked(this.#node(request), name);
  }

  /** Files that a guest changes too, or nf.io, are never cached. */
  #timeout(node: UserNode): number {
    return node.backing.guest !== undefined || isApplied(node) ? 0 : this.#context.timeoutMs;
  }

  /** A close matters where it may save the configuration of a VNF, which any file in config/ may become. */
  #openFlags(node: UserNode, flags: number): number {
    if (node.backing.guest !== undefined) return OpenReplyFlag.DIRECT_IO | OpenReplyFlag.NOFLUSH;
    if (isApplied(node)) return OpenReplyFlag.NOFLUSH;
    return (flags & accessMode) === 0 ? OpenReplyFlag.KEEP_CACHE | OpenReplyFlag.NOFLUSH : OpenReplyFlag.KEEP_CACHE;
  }
}

/** Inode numbers of the backing file system could be those of special files; nodeids are unique. */
function show(node: UserNode, stats: FileStats): void {
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

/** What could not be written is not whole, and is not saved when it is closed. */
function cutOnFailure<T>({ pending }: OpenFile, write: () => T): T {
  try {
    return write();
  } catch (error) {
    pending?.cut();
    throw error;
  }
}

/** Configurations are one tree to who renames or links. The root of each guest is a tree of its own: what the guest holds open in it must not end up elsewhere. */
function isOneTree(one: UserNode, other: UserNode): boolean {
  return one.backing === other.backing || (one.backing.guest === undefined && other.backing.guest === undefined);
}

/** What configures a VNF is a regular file: another would be seen by nobody before the next start, which refuses it. */
function isRunningConfiguration(parent: UserNode, name: string): boolean {
  return isConfigurationName(parent, name) && (parent.backing as BackedDirectory).deployed();
}

function checked(node: UserNode, name?: string): UserNode {
  if (isApplied(node, name) && (node.backing as BackedDirectory).deployed()) {
    throw Object.assign(new Error('nf.io alone changes what shows what runs'), { code: 'EACCES' });
  }
  return node;
}

/** Where the group may not execute, who is in it leaves the set-group-id bit as it is. */
function withoutPrivileges(request: Request, { mode, gid }: { readonly mode: number; readonly gid: number }): number {
  return mode & ~(0o4000 | ((mode & 0o010) === 0 && request.gid === gid ? 0 : 0o2000));
}

function pathOfOpen(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function replyXattr(request: Request, value: Uint8Array, size: number): void {
  if (size === 0) request.replyXattrSize(value.length);
  else if (value.length > size) request.replyError(Errno.ERANGE);
  else request.replyBytes(value);
}

function creationOf(request: Request, { mode, umask }: Modes): Creation {
  return { mode, umask, creator: creatorOf(request) };
}

function creatorOf(request: Request): { readonly uid: number; readonly gid: number } {
  return { uid: request.uid, gid: request.gid };
}
