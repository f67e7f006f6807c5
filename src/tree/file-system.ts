import { mayPass } from '../errors/absence.ts';
import { Errno, errnoOf } from '../errors/errno.ts';
import type { Entry } from '../fuse/attributes.ts';
import type { AttrChange, CopyRange, FileSystem, PollRequest } from '../fuse/file-system.ts';
import type { Request } from '../fuse/request.ts';
import { descriptorBudget } from '../vfs/descriptor-limit.ts';
import { DescriptorShares } from '../vfs/descriptor-shares.ts';
import { RootClosedError } from '../vfs/guest-files.ts';
import { NodeJournal } from '../vfs/node-journal.ts';
import { isGuestFile, isUserFile } from '../vfs/nodeid.ts';
import type { SystemCalls } from '../vfs/system-calls.ts';
import { UnlinkedFiles } from '../vfs/unlinked-files.ts';
import { UserFiles } from '../vfs/user-files.ts';
import { BackedDirectories } from './backed-directories.ts';
import { DiskPace } from './disk-pace.ts';
import type { FileSpec } from './file-spec.ts';
import type { Directories, Forward, KernelMessage } from './forwarded.ts';
import { handleLimit } from './handle-limit.ts';
import { HandleNumbers } from './handles.ts';
import { OpenFiles } from './open-files.ts';
import { OpenRoots } from './open-roots.ts';
import { ParkedRequests } from './parked-requests.ts';
import { PollJournal } from './poll-journal.ts';
import { readiness } from './readiness.ts';
import { RefusedRemovals } from './refused-removals.ts';
import { isScratchFile, ScratchFiles } from './scratch-files.ts';
import { SpecialDirectories } from './special-directories.ts';
import { SpecialFiles } from './special-files.ts';
import { SpecialNodes } from './special-nodes.ts';
import type { Tree } from './tree.ts';
import { TreeWalkers } from './tree-walkers.ts';
import { Turns } from './turns.ts';
import { UnsavedJournal } from './unsaved-journal.ts';
import { UserRequests } from './user-requests.ts';
import type { ObjectView, TreeChange } from './views.ts';

/** What the file system of a mount is made from. */
export interface FileSystemOptions {
  readonly tree: Tree;
  readonly forward: Forward;
  /** How long the kernel may keep names and attributes, milliseconds. */
  readonly timeoutMs: number;
  /** How many servers this connection had before. */
  readonly generation: number;
  readonly calls: SystemCalls;
  /** Tells the kernel at once that it has to ask for the attributes of a file again. */
  readonly attributesChanged: (nodeid: number) => void;
  /** Writes a sentence to daemon.log. */
  readonly tell?: (sentence: string) => void;
}

/**
 * The mount, as the kernel thread answers it. Every request is on a special file or on a user file, which the nodeid tells; a failure that is
 * thrown is answered with its errno.
 */
export class NfioFileSystem implements FileSystem {
  readonly #special: SpecialFiles;
  readonly #directories: SpecialDirectories;
  readonly #scratch: ScratchFiles;
  readonly #user: UserRequests;
  readonly #users: UserFiles;
  readonly #tree: Tree;
  readonly #forward: Forward;
  readonly #roots: OpenRoots;
  readonly #backed: BackedDirectories;
  readonly #parked: ParkedRequests;
  readonly #turns: Turns;
  readonly #pace = new DiskPace();
  /** Requests that wait until the disk has answered. */
  readonly #probes: Turns;
  readonly #journal: NodeJournal;
  readonly #polls: PollJournal;
  readonly #unlinked: UnlinkedFiles;
  readonly #unsaved: UnsavedJournal;

  constructor(options: FileSystemOptions) {
    const { tree, forward, timeoutMs } = options;
    this.#roots = new OpenRoots();
    const backed = new BackedDirectories(tree, this.#roots);
    this.#backed = backed;
    this.#journal = new NodeJournal({ first: options.generation === 0 });
    this.#polls = new PollJournal({ first: options.generation === 0 });
    this.#unsaved = new UnsavedJournal({ first: options.generation === 0 });
    this.#unlinked = new UnlinkedFiles({ first: options.generation === 0, tell: options.tell ?? (() => undefined) });
    const users = new UserFiles(() => backed.all(), { journal: this.#journal, unlinked: this.#unlinked, calls: options.calls });
    this.#users = users;
    const handles = new HandleNumbers(options.generation);
    const enter = (view: ObjectView, spec: FileSpec): Entry => this.#user.entryOf(users.enter(backed.of(view, spec)));
    const backedEntry = (view: ObjectView, spec: FileSpec): Entry | undefined => {
      try {
        return enter(view, spec);
      } catch (error) {
        if (mayPass(error)) throw error; // it may be there all the same
        return made(view, spec);
      }
    };
    const made = (view: ObjectView, spec: FileSpec): Entry | undefined => {
      try {
        backed.makeRoot(view, spec);
        return enter(view, spec);
      } catch (error) {
        if (mayPass(error)) throw error;
        return undefined;
      }
    };
    this.#tree = tree;
    this.#forward = forward;
    this.#parked = new ParkedRequests(forward);
    this.#turns = new Turns(forward);
    this.#probes = new Turns(forward, 'probe');
    const refused = new RefusedRemovals();
    const walkers = new TreeWalkers();
    const descriptors = new DescriptorShares(descriptorBudget, (uid) => handleLimit(tree, uid));
    const shared = { forward, handles, descriptors, refused, walkers, timeoutMs, unsaved: this.#unsaved };
    this.#user = new UserRequests({
      ...shared,
      users,
      backed,
      turns: this.#turns,
      pace: this.#pace,
      attributesChanged: options.attributesChanged,
    });
    this.#scratch = new ScratchFiles(handles);
    const context = {
      ...shared,
      tree,
      scratch: this.#scratch,
      open: new OpenFiles(),
      polls: this.#polls,
      backedEntry,
      forgetBacked: (nodeid: number) => users.forget(nodeid, 1),
    };
    const nodes = new SpecialNodes(context);
    this.#special = new SpecialFiles(context, nodes);
    this.#directories = new SpecialDirectories(context, nodes);
  }

  /** Takes in what the main thread tells; a ping is its thread's to answer. */
  receive(message: Exclude<KernelMessage, { kind: 'ping' }>): void {
    if (message.kind === 'replaced') this.#user.replaced(message.replacement, message.done);
    else if (message.kind === 'configured') this.#user.configured(message.save, message.outcome);
    else if (message.kind === 'cut') this.#user.cut(message.fh);
    else if (message.kind === 'acted') this.#special.acted(message.nodeid);
    else if (message.kind === 'directories') this.#noteIn(message);
    else if (message.kind === 'turn') this.#turns.come();
    else if (message.kind === 'paced') this.#paced(message);
    else if (message.kind === 'rootOpened') this.#parked.release(message.serial);
    else this.#apply(message);
  }

  /** Where servers take notes for those after them. */
  #noteIn({ run, unlinked }: Directories): void {
    this.#journal.directory = run;
    this.#polls.directory = run;
    this.#unsaved.directory = run;
    this.#unlinked.directory = unlinked;
  }

  #apply(change: TreeChange): void {
    this.#tree.apply(change);
    if (change.kind === 'remove') {
      this.#roots.close(change.serial);
      for (const directory of this.#backed.forget(change.serial)) this.#users.leave(directory);
    } else for (const view of change.views) if (view.kind === 'vnf') this.#roots.changed(view.serial, view.root);
  }

  /** How many things of users this thread knows: files and directories that the kernel knows, VNFs' directories, open files, open directories. */
  kept(): { readonly files: number; readonly directories: number; readonly open: number; readonly listings: number } {
    return { files: this.#users.count, directories: this.#backed.count, ...this.#user.kept() };
  }

  /** Serves the requests again that waited for what has been opened meanwhile, or for their turn. */
  resume(session: { resume(request: Uint8Array): void }): void {
    this.#parked.resume(session);
    this.#turns.resume(session);
    this.#probes.resume(session);
  }

  #paced({ tookMs, probe }: Extract<KernelMessage, { kind: 'paced' }>): void {
    this.#pace.took(tookMs);
    if (probe) this.#probes.come();
  }

  /** Requests on user files wait while nobody knows whether their disk answers, and everybody else is served. */
  around(request: Request, serve: () => void): void {
    if (!isUserFile(request.nodeid) || this.#turns.isResuming) {
      serve();
      return;
    }
    if (!this.#pace.isQuick && !this.#probes.isResuming) {
      this.#probes.wait(request);
      return;
    }
    const began = performance.now();
    serve();
    this.#pace.took(performance.now() - began);
  }

  /** Answers a request that failed, or puts it aside until the root that it needs is open. */
  #fail(request: Request, error: unknown): void {
    if (error instanceof RootClosedError && this.#parked.park(request, error.serial)) return;
    request.replyError(errnoOf(error));
  }

  #file(request: Request): SpecialFiles | UserRequests | ScratchFiles {
    return isScratchFile(request.nodeid) ? this.#scratch : this.#side(request);
  }

  #side(request: Request): SpecialFiles | UserRequests {
    return isUserFile(request.nodeid) ? this.#user : this.#special;
  }

  /** For requests on names in a directory. */
  #parent(request: Request): SpecialDirectories | UserRequests {
    return isUserFile(request.nodeid) ? this.#user : this.#directories;
  }

  lookup(request: Request, name: string): void {
    try {
      this.#parent(request).lookup(request, name);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  forget(nodeid: number, nlookup: number): void {
    if (isUserFile(nodeid)) this.#user.forget(nodeid, nlookup);
    else if (isScratchFile(nodeid)) this.#scratch.forget(nodeid);
  }

  getattr(request: Request): void {
    try {
      this.#file(request).getattr(request);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  setattr(request: Request, change: AttrChange): void {
    try {
      this.#file(request).setattr(request, change);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  readlink(request: Request): void {
    try {
      this.#file(request).readlink(request);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  symlink(request: Request, name: string, target: string): void {
    this.#guard(request, () => this.#parent(request).symlink(request, name, target));
  }

  mknod(request: Request, name: string, node: { readonly mode: number; readonly umask: number }): void {
    this.#guard(request, () => {
      if (isUserFile(request.nodeid)) this.#user.mknod(request, name, node);
      else this.#directories.misplaced(request, name, 'node');
    });
  }

  link(request: Request, nodeid: number, name: string): void {
    this.#guard(request, () => {
      if (!isUserFile(request.nodeid)) this.#directories.misplaced(request, name, 'hard link');
      else if (!isUserFile(nodeid)) request.replyError(Errno.EPERM);
      else if (isGuestFile(nodeid) !== isGuestFile(request.nodeid)) request.replyError(Errno.EXDEV);
      else this.#user.link(request, nodeid, name);
    });
  }

  mkdir(request: Request, name: string, directory: { readonly mode: number; readonly umask: number }): void {
    const masked = { ...directory, mode: directory.mode & ~directory.umask };
    this.#guard(request, () => this.#parent(request).mkdir(request, name, isUserFile(request.nodeid) ? directory : masked));
  }

  create(request: Request, name: string, file: { readonly flags: number; readonly mode: number; readonly umask: number }): void {
    const masked = { ...file, mode: file.mode & ~file.umask };
    this.#guard(request, () => this.#parent(request).create(request, name, isUserFile(request.nodeid) ? file : masked));
  }

  tmpfile(request: Request, file: { readonly flags: number; readonly mode: number; readonly umask: number }): void {
    this.#userOnly(request, Errno.EOPNOTSUPP, () => this.#user.tmpfile(request, file));
  }

  fallocate(request: Request, fh: number, range: { readonly offset: number; readonly length: number; readonly mode: number }): void {
    this.#userOnly(request, Errno.EOPNOTSUPP, () => this.#user.fallocate(request, fh, range));
  }

  /** The kernel copies what this refuses itself, by reading and writing. */
  copyFileRange(request: Request, fh: number, range: CopyRange): void {
    if (isUserFile(range.nodeidOut)) this.#userOnly(request, Errno.EOPNOTSUPP, () => this.#user.copyFileRange(request, fh, range));
    else request.replyError(Errno.EOPNOTSUPP);
  }

  lseek(request: Request, fh: number, offset: number, whence: number): void {
    this.#guard(request, () => this.#file(request).lseek(request, fh, offset, whence));
  }

  getxattr(request: Request, name: string, size: number): void {
    this.#userOnly(request, Errno.ENODATA, () => this.#user.getxattr(request, name, size));
  }

  listxattr(request: Request, size: number): void {
    if (isUserFile(request.nodeid)) this.#guard(request, () => this.#user.listxattr(request, size));
    else if (size === 0) request.replyXattrSize(0);
    else request.replyBytes(new Uint8Array());
  }

  setxattr(request: Request, name: string, value: Uint8Array, flags: number): void {
    this.#userOnly(request, Errno.EOPNOTSUPP, () => this.#user.setxattr(request, name, value, flags));
  }

  removexattr(request: Request, name: string): void {
    this.#userOnly(request, Errno.ENODATA, () => this.#user.removexattr(request, name));
  }

  unlink(request: Request, name: string): void {
    this.#guard(request, () => this.#parent(request).unlink(request, name));
  }

  rmdir(request: Request, name: string): void {
    this.#guard(request, () => this.#parent(request).rmdir(request, name));
  }

  rename(request: Request, name: string, to: { readonly parent: number; readonly name: string; readonly flags: number }): void {
    if (kindOf(request.nodeid) !== kindOf(to.parent)) request.replyError(Errno.EXDEV);
    else this.#guard(request, () => this.#parent(request).rename(request, name, to));
  }

  open(request: Request, flags: number): void {
    try {
      this.#file(request).open(request, flags);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  read(request: Request, fh: number, offset: number, size: number): void {
    try {
      this.#file(request).read(request, fh, offset, size);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  write(request: Request, fh: number, offset: number, size: number): void {
    try {
      this.#file(request).write(request, fh, offset, size);
    } catch (error) {
      this.#fail(request, error);
    }
  }

  statfs(request: Request): void {
    this.#guard(request, () => this.#file(request).statfs(request));
  }

  release(request: Request, fh: number): void {
    this.#guard(request, () => this.#file(request).release(request, fh));
  }

  flush(request: Request, fh: number): void {
    this.#guard(request, () => this.#file(request).flush(request, fh));
  }

  fsync(request: Request, fh: number): void {
    this.#guard(request, () => this.#file(request).fsync(request, fh));
  }

  opendir(request: Request): void {
    this.#guard(request, () => this.#parent(request).opendir(request));
  }

  readdir(request: Request, fh: number, offset: number, plus: boolean): void {
    this.#guard(request, () => this.#parent(request).readdir(request, fh, offset, plus));
  }

  releasedir(request: Request, fh: number): void {
    this.#guard(request, () => this.#parent(request).releasedir(request, fh));
  }

  fsyncdir(request: Request): void {
    this.#guard(request, () => this.#parent(request).fsyncdir(request));
  }

  poll(request: Request, fh: number, poll: PollRequest): void {
    // User files are always ready, as on any disk.
    if (isUserFile(request.nodeid)) request.replyPoll(readiness(false));
    else this.#guard(request, () => this.#special.poll(request, fh, poll));
  }

  interrupt(uniqueLow: number, uniqueHigh: number): void {
    this.#forward({ op: 'interrupt', uniqueLow, uniqueHigh });
  }

  /** What is done with user files alone. */
  #userOnly(request: Request, elsewhere: number, answer: () => void): void {
    if (isUserFile(request.nodeid)) this.#guard(request, answer);
    else request.replyError(elsewhere);
  }

  #guard(request: Request, answer: () => void): void {
    try {
      answer();
    } catch (error) {
      this.#fail(request, error);
    }
  }
}

/** Special files, config/ and the roots of guests are file systems of their own. */
function kindOf(nodeid: number): 'special' | 'guest' | 'config' {
  if (!isUserFile(nodeid)) return 'special';
  return isGuestFile(nodeid) ? 'guest' : 'config';
}
