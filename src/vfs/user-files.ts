import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  type PathLike,
  readlinkSync,
  renameSync,
  rmdirSync,
  type StatsFs,
  statfsSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { isAbsence } from '../errors/index.ts';
import { RenameFlag } from '../fuse/abi/flags.ts';
import { bytesOfText, pathArgument, textOfLatin1 } from '../fuse/byte-names.ts';
import { type AttributeChange, changeByDescriptor, changeByPath, roundTimes, withInode } from './change-attributes.ts';
import { confinedLink } from './confined-link.ts';
import { DirectoryNames } from './directory-names.ts';
import { EarlierFiles } from './earlier-files.ts';
import { type FileStats, isFile, statsOf, statsOfExisting, statsOfOpen } from './file-stats.ts';
import { deviceOf, isGuestOnly, nodeidOf } from './guest-files.ts';
import type { NodeJournal } from './node-journal.ts';
import { guestTopNodeid, userNodeid } from './nodeid.ts';
import { SystemCalls } from './system-calls.ts';
import type { UnlinkedFiles } from './unlinked-files.ts';
import { type Backing, UserNode } from './user-node.ts';
import { isTooLong, withDirectory, withPath, withWritten } from './with-path.ts';
import { Xattrs } from './xattrs.ts';

/** Owner of a new file: who called, as the kernel says. */
export interface Creator {
  readonly uid: number;
  readonly gid: number;
}

/** What a new file or directory is like. */
export interface Creation {
  readonly mode: number;
  /** Taken off the mode, where the directory has no access control list for what is made in it. */
  readonly umask: number;
  readonly creator: Creator;
}

/** A user file just found, with its attributes. */
export interface Found {
  readonly node: UserNode;
  readonly stats: FileStats;
}

/** A name in a directory. */
export interface Place {
  readonly parent: UserNode;
  readonly name: string;
}

/** A rename and the files it concerns. */
export interface PreparedRename {
  readonly from: Place;
  readonly to: Place;
  readonly moved: UserNode | undefined;
  readonly replaced: UserNode | undefined;
}

/** open(2) flags that are the kernel's business, done before the request reaches us. */
const notOurs = constants.O_CREAT | constants.O_EXCL | constants.O_NOCTTY | constants.O_DIRECT;
/** O_TMPFILE (asm-generic/fcntl.h); node:fs does not name it. */
const O_TMPFILE = 0o20200000;
const safely = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * User files (config/ and rfs/), passed through to directories of this machine. Every operation is synchronous and by one thread, so that
 * a check and the change that follows it are one step as far as other clients of the mount are concerned. Failures are those of node:fs, with
 * their errno. Symbolic links are never followed here: the kernel does that, in the client's own view of the world.
 */
export class UserFiles {
  readonly #nodes = new Map<number, UserNode>();
  /** Where each backing begins, while there is the backing: what is in it names it. */
  readonly #tops = new Map<Backing, UserNode>();
  readonly #journal: NodeJournal | undefined;
  /** Calls that node:fs does not have. */
  readonly calls: SystemCalls;
  readonly xattrs: Xattrs;
  readonly #unlinked: UnlinkedFiles | undefined;
  readonly #earlier: EarlierFiles;

  /**
   * @param backings every place where user files are, to find one again that an earlier server process named.
   * @param parts.journal where files are noted. @param parts.unlinked where files are that are open and have no name.
   */
  constructor(
    backings: () => Iterable<Backing>,
    parts: { readonly journal?: NodeJournal; readonly unlinked?: UnlinkedFiles; readonly calls?: SystemCalls | undefined } = {},
  ) {
    this.calls = parts.calls ?? new SystemCalls();
    this.xattrs = new Xattrs(this.calls, (node, use) => this.#withFile(node, use));
    this.#journal = parts.journal;
    this.#unlinked = parts.unlinked;
    this.#earlier = new EarlierFiles(this, { backings, journal: parts.journal, unlinked: parts.unlinked });
  }

  /** The directory where a backing begins. */
  enter(backing: Backing): Found {
    const stats = statsOfExisting(backing.guest?.written() ?? backing.path());
    const nodeid = backing.guest === undefined ? userNodeid(stats) : guestTopNodeid(backing.guest.serial);
    let node = this.#nodes.get(nodeid);
    // A known one of another place is a removed directory whose inode number came back.
    if (node === undefined || !node.top || node.backing !== backing) {
      node = new UserNode(nodeid, backing, { top: true });
      this.#nodes.set(nodeid, node);
      this.#tops.set(backing, node);
    }
    return { node, stats };
  }

  /** A backing is no more: its top is not entered again. */
  leave(backing: Backing): void {
    const node = this.#tops.get(backing);
    this.#tops.delete(backing);
    if (node?.lookups === 0 && this.#nodes.get(node.nodeid) === node) this.#nodes.delete(node.nodeid);
  }

  #isEntered(node: UserNode): boolean {
    return node.top && this.#tops.get(node.backing) === node;
  }

  /**
   * The file a nodeid names. One this process never saw was named by the server before it: then it is searched.
   *
   * @throws ESTALE when there is none.
   */
  get(nodeid: number): UserNode {
    const known = this.#nodes.get(nodeid);
    if (known !== undefined) return known;
    const found = this.#earlier.find(nodeid);
    if (found === undefined) throw Object.assign(new Error('no such user file'), { code: 'ESTALE' });
    this.#nodes.set(nodeid, found);
    return found;
  }

  /** The entry of a directory, undefined when there is none. */
  lookup(parent: UserNode, name: string): Found | undefined {
    return withPath(parent, name, (path) => this.#look(parent, name, path));
  }

  /** The kernel is told of a file: it may name it by its nodeid from now on, until it forgets it. */
  remember(node: UserNode): void {
    if (node.lookups === 0) this.#note(node);
    node.lookups += 1;
    this.#nodes.set(node.nodeid, node);
    this.#earlier.isUsed(node.nodeid);
  }

  /** How many files are known: those that the kernel knows, and that are open. */
  get count(): number {
    return this.#nodes.size;
  }

  /** The kernel forgot `count` lookups of a file. */
  forget(nodeid: number, count: number): void {
    const node = this.#nodes.get(nodeid);
    if (node !== undefined) node.lookups = Math.max(0, node.lookups - count);
    if (node !== undefined && node.lookups > 0) return;
    // The close that comes before it may be read after it, and needs no name.
    if (count > 0) this.#unlinked?.drop(nodeid);
    if (node?.fds.size === 0 && !this.#isEntered(node)) this.#nodes.delete(nodeid);
  }

  /**
   * Path of a directory on this machine, for making its names durable; undefined when it has been removed, and for those of guests, who would lead it elsewhere. One that no path leads
   * to is made durable at once.
   */
  pathForSync(node: UserNode): string | Uint8Array | undefined {
    if (node.backing.guest !== undefined) return undefined;
    const components = node.components();
    if (components === undefined) return undefined;
    const path = [node.backing.path(), ...components].join('/');
    if (!isTooLong(path)) return pathArgument(path);
    withDirectory(node, syncDirectory);
    return undefined;
  }

  stat(node: UserNode): FileStats {
    const stats = this.#stat(node);
    // The name that only we know does not count.
    return this.#unlinked?.path(node.nodeid) === undefined ? stats : { ...stats, nlink: stats.nlink - 1 };
  }

  #stat(node: UserNode): FileStats {
    for (const fd of node.fds) return statsOfOpen(fd);
    const written = node.top ? node.backing.guest?.written() : undefined;
    if (written !== undefined) return statsOfExisting(written);
    return this.#withFile(node, (path) => {
      const stats = statsOfExisting(path);
      checkPlace(node, stats);
      return stats;
    });
  }

  /** Calls `use` with the path of a file, also of one that was removed while it was open: a name that it had before may be of another by now. */
  #withFile<T>(node: UserNode, use: (path: PathLike) => T): T {
    const kept = this.#unlinked?.path(node.nodeid);
    return kept === undefined ? withPath(node, undefined, use) : use(kept);
  }

  /** A name is about to be taken away: the file lives on where somebody may have it open. */
  #keepOpen({ parent, name }: Place, { node, stats }: Found): void {
    if (this.#unlinked === undefined || node.backing.guest !== undefined || !isFile(stats) || stats.nlink > 1) return;
    if (node.fds.size > 0 || this.#unlinked.hasHeirs)
      withPath(parent, name, (path) => this.#unlinked?.keep(node.nodeid, (kept) => linkSync(path, kept)));
  }

  statfs(node: UserNode): StatsFs {
    return withPath(node, undefined, (path) => statfsSync(path));
  }

  change(node: UserNode, change: AttributeChange): FileStats {
    if (change.size !== undefined) this.#truncate(node, change.size);
    const [fd] = node.fds;
    if (fd === undefined) this.#withFile(node, (path) => changeByPath(path, change, this.calls));
    else changeByDescriptor(fd, change, this.calls);
    return this.stat(node);
  }

  #truncate(node: UserNode, size: number): void {
    const fd = this.open(node, constants.O_WRONLY);
    try {
      ftruncateSync(fd, size);
    } finally {
      this.close(node, fd);
    }
  }

  /** Text of a symbolic link; that of a guest leads nowhere but into its own root file system. */
  readlink(node: UserNode): string {
    const target = textOfLatin1(withPath(node, undefined, (path) => readlinkSync(path, 'latin1')));
    return node.backing.guest === undefined ? target : confinedLink(target, (node.components()?.length ?? 1) - 1);
  }

  symlink(parent: UserNode, name: string, options: { readonly target: string; readonly creator: Creator }): Found {
    withPath(parent, name, (path) => {
      symlinkSync(bytesOfText(options.target), path);
      lchownSync(path, options.creator.uid, this.#groupFor(parent, options.creator));
    });
    return this.#made(parent, name, false);
  }

  mkdir(parent: UserNode, name: string, options: Creation): Found {
    const inherits = this.xattrs.isInherited(parent);
    withPath(parent, name, (path) => {
      mkdirSync(path, inherits ? options.mode & 0o7777 : 0o700);
      withInode(path, (inode) => {
        chownSync(inode, options.creator.uid, this.#groupFor(parent, options.creator));
        if (!inherits) chmodSync(inode, modeOf(options) | (this.stat(parent).mode & setGid));
      });
    });
    return this.#made(parent, name, inherits);
  }

  /** Makes a FIFO or a socket, which nobody opens here: the kernel connects those who do. */
  makeSpecial(parent: UserNode, name: string, options: Creation): Found {
    const inherits = this.xattrs.isInherited(parent);
    withPath(parent, name, (path) => {
      this.calls.make('mknod', path, inherits ? options.mode : (options.mode & ~0o7777) | 0o600);
      withInode(path, (inode) => {
        chownSync(inode, options.creator.uid, this.#groupFor(parent, options.creator));
        if (!inherits) chmodSync(inode, modeOf(options));
      });
    });
    return this.#made(parent, name, inherits);
  }

  /** Makes and opens a regular file; `flags` as open(2). */
  create(parent: UserNode, name: string, options: Creation & { readonly flags: number }): Found & { fd: number } {
    const flags = (options.flags & ~notOurs) | constants.O_CREAT | constants.O_EXCL | safely;
    const inherits = this.xattrs.isInherited(parent);
    const fd = withPath(parent, name, (path) => this.#createAt(path, parent, { ...options, flags, inherits }));
    const found = this.#made(parent, name, inherits);
    found.node.fds.add(fd);
    return { ...found, fd };
  }

  /** Makes and opens a regular file that has no name as yet (O_TMPFILE, open(2)). */
  createNameless(parent: UserNode, options: Creation & { readonly flags: number }): Found & { fd: number } {
    const flags = (options.flags & ~(constants.O_CREAT | constants.O_NOCTTY | constants.O_DIRECT)) | O_TMPFILE;
    const inherits = this.xattrs.isInherited(parent);
    const fd = withDirectory(parent, (path) => this.#createAt(path, parent, { ...options, flags, inherits }));
    const stats = statsOfOpen(fd);
    const { backing } = parent;
    const nodeid = backing.guest === undefined ? userNodeid(stats) : nodeidOf(backing.guest, parent.components() ?? [], stats);
    const node = new UserNode(nodeid, backing, { top: false });
    node.fds.add(fd);
    this.xattrs.made(node, { inherits });
    // As a file that lost its name: the server after this one has no descriptor of it.
    if (backing.guest === undefined && (options.flags & constants.O_EXCL) === 0)
      this.#unlinked?.keep(nodeid, (kept) => this.calls.make('link', `/proc/self/fd/${fd}`, kept));
    return { node, stats, fd };
  }

  #createAt(path: PathLike, parent: UserNode, options: Creation & { readonly flags: number; readonly inherits: boolean }): number {
    const made = openSync(path, options.flags, options.inherits ? options.mode & 0o7777 : 0o600);
    fchownSync(made, options.creator.uid, this.#groupFor(parent, options.creator));
    if (!options.inherits) fchmodSync(made, modeOf(options));
    roundTimes(made);
    return made;
  }

  /** Opens a regular file; others (a device, a FIFO of a guest) are refused with EACCES. */
  open(node: UserNode, flags: number): number {
    const [other] = node.fds;
    // What is open already is opened by its descriptor: its name may be gone, or another file's by now.
    const fd =
      other === undefined ? this.#openByName(node, flags) : openSync(`/proc/self/fd/${other}`, flags & ~(notOurs | constants.O_NOFOLLOW));
    node.fds.add(fd);
    return fd;
  }

  #openByName(node: UserNode, flags: number): number {
    // In config/ nobody but us changes what a name means.
    if (node.backing.guest === undefined) return this.#withFile(node, (path) => openRegular(path, (flags & ~notOurs) | safely));
    return this.#withFile(node, (path) =>
      withInode(path, (inode, stats) => {
        if (!isFile(stats)) throw notRegular();
        checkPlace(node, stats);
        return openSync(inode, flags & ~(notOurs | constants.O_NOFOLLOW));
      }),
    );
  }

  close(node: UserNode, fd: number): void {
    node.fds.delete(fd);
    closeSync(fd);
    this.forget(node.nodeid, 0);
  }

  unlink(parent: UserNode, name: string): void {
    const victim = this.lookup(parent, name);
    if (victim !== undefined) this.#keepOpen({ parent, name }, victim);
    withPath(parent, name, (path) => unlinkSync(path));
    if (victim !== undefined) this.#hasLost(victim.node, { parent, name });
  }

  rmdir(parent: UserNode, name: string): void {
    const victim = this.lookup(parent, name);
    withPath(parent, name, (path) => rmdirSync(path));
    if (victim !== undefined) this.#hasLost(victim.node, { parent, name });
  }

  link(node: UserNode, parent: UserNode, name: string): Found {
    const [fd] = node.fds;
    withPath(parent, name, (to) => {
      // What was made without a name has only descriptors.
      if (node.newestLink === undefined && fd !== undefined) this.calls.make('link', `/proc/self/fd/${fd}`, to);
      else withPath(node, undefined, (from) => linkSync(from, to));
    });
    return this.#made(parent, name, true);
  }

  /** Finds what a rename concerns, before it is done. */
  prepareRename(from: Place, to: Place): PreparedRename {
    const moved = this.lookup(from.parent, from.name)?.node;
    const replaced = this.lookup(to.parent, to.name);
    if (replaced !== undefined && replaced.node !== moved) this.#keepOpen(to, replaced);
    return { from, to, moved, replaced: replaced?.node };
  }

  /** Takes note of a rename that has been done. */
  commitRename({ from, to, moved, replaced }: PreparedRename): void {
    // Two names of one file: rename(2) leaves both.
    if (replaced !== undefined && replaced.nodeid === moved?.nodeid) return;
    if (replaced !== undefined) this.#hasLost(replaced, to);
    moved?.removeLink(from.parent, from.name);
    if (moved?.addLink(to.parent, to.name)) this.#note(moved);
  }

  /** @param options.replace false: fail with EEXIST when the new name is taken (RENAME_NOREPLACE, renameat2(2)). */
  rename(from: Place, to: Place, options: { readonly replace: boolean }): void {
    const prepared = this.prepareRename(from, to);
    if (!options.replace && prepared.replaced !== undefined) throw Object.assign(new Error('exists'), { code: 'EEXIST' });
    withPath(from.parent, from.name, (oldPath) => withPath(to.parent, to.name, (newPath) => renameSync(oldPath, newPath)));
    this.commitRename(prepared);
  }

  /** Has two files change their names (RENAME_EXCHANGE, renameat2(2)). */
  exchange(from: Place, to: Place): void {
    const [one, other] = [this.lookup(from.parent, from.name)?.node, this.lookup(to.parent, to.name)?.node];
    const exchange = (path: PathLike, otherPath: PathLike): Buffer => this.calls.make('rename', path, otherPath, RenameFlag.EXCHANGE);
    withPath(from.parent, from.name, (path) => withPath(to.parent, to.name, (otherPath) => exchange(path, otherPath)));
    if (one === other) return;
    one?.removeLink(from.parent, from.name);
    other?.removeLink(to.parent, to.name);
    if (one?.addLink(to.parent, to.name)) this.#note(one);
    if (other?.addLink(from.parent, from.name)) this.#note(other);
  }

  /**
   * Opens a directory, to read its names. Those that `lookup` does not find are not to be shown: they are gone by now, or what only the guest can use.
   *
   * @param options.written leave out what the guest did not write itself, where that can be told.
   */
  names(node: UserNode, options: { readonly written: boolean } = { written: false }): DirectoryNames {
    const written = options.written ? node.backing.guest?.written() : undefined;
    const all = (): DirectoryNames => withDirectory(node, (path) => new DirectoryNames(path));
    if (written === undefined) return all();
    try {
      return withWritten(node, written, (path) => new DirectoryNames(path));
    } catch (error) {
      // The guest wrote nothing there.
      if (isAbsence(error) || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return new DirectoryNames(undefined);
      throw error;
    }
  }

  #look(parent: UserNode, name: string, path: PathLike): Found | undefined {
    const stats = statsOf(path);
    if (stats === undefined) return undefined;
    const { guest } = parent.backing;
    if (guest === undefined) return this.#found(parent, name, { nodeid: userNodeid(stats), stats });
    const components = [...(parent.components() ?? []), name];
    if (isGuestOnly(guest, components, stats)) return undefined;
    return this.#found(parent, name, { nodeid: nodeidOf(guest, components, stats), stats });
  }

  /** @param inherits whether it may have xattrs already. */
  #made(parent: UserNode, name: string, inherits: boolean): Found {
    const found = this.lookup(parent, name);
    if (found === undefined) throw Object.assign(new Error('it vanished while it was made'), { code: 'ESTALE' });
    this.xattrs.made(found.node, { inherits });
    return found;
  }

  #found(parent: UserNode, name: string, { nodeid, stats }: { readonly nodeid: number; readonly stats: FileStats }): Found {
    const known = this.#nodes.get(nodeid);
    // A known top directory is a removed one, whose inode number came back.
    const node = known === undefined || known.top ? new UserNode(nodeid, parent.backing, { top: false }) : known;
    if (node.addLink(parent, name) && node.lookups > 0) this.#note(node);
    return { node, stats };
  }

  /** A name is gone; another that it is known by is the newest from now on. */
  #hasLost(node: UserNode, { parent, name }: Place): void {
    node.removeLink(parent, name);
    if (node.lookups > 0) this.#note(node);
  }

  #note(node: UserNode): void {
    this.#journal?.note(node, this.#nodes);
  }

  #groupFor(parent: UserNode, creator: Creator): number {
    const { mode, gid } = this.stat(parent);
    return (mode & setGid) === 0 ? creator.gid : gid;
  }
}

function syncDirectory(path: PathLike): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const setGid = 0o2000;

/** Waits for nobody, whatever is there. @throws EACCES for what is no regular file. */
function openRegular(path: PathLike, flags: number): number {
  const fd = openSync(path, flags);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw notRegular();
}

function notRegular(): Error {
  return Object.assign(new Error('not a regular file'), { code: 'EACCES' });
}

function modeOf({ mode, umask }: Creation): number {
  return mode & ~umask & 0o7777;
}

/** The guest may have mounted something over a file that was looked up before. @throws ESTALE */
function checkPlace(node: UserNode, stats: FileStats): void {
  const { guest } = node.backing;
  if (guest === undefined || stats.dev === deviceOf(guest.devices(), node.components() ?? [])) return;
  throw Object.assign(new Error('something is mounted over it'), { code: 'ESTALE' });
}
