import {
  EntryType,
  Errno,
  type FileSystem,
  OpenReplyFlag,
  RenameFlag,
  type Replier,
  type Request,
  type Ticket,
} from '../../../src/fuse/index.ts';
import { MemoryLocks } from './locks.ts';
import { MemoryNode, seek, timeoutMs } from './node.ts';

/** What the memory file system leaves to others. */
export interface MemoryHost {
  readonly replier: Replier;
  /** A read of a file named `blocked…` is answered by another thread. */
  hand(ticket: Ticket, name: string): void;
  interrupted(uniqueLow: number, uniqueHigh: number): void;
  /** Somebody polls `pollable`, which is not ready. */
  polled(kh: number): void;
}

const negative = { nodeid: 0, generation: 0, entryTimeoutMs: timeoutMs, attrTimeoutMs: 0, attr: new MemoryNode(0, 0).attr() };
const punchHole = 2;
const pollIn = 1;

/** A file system in memory with every operation. Handles are nodeids. */
export class MemoryFileSystem {
  readonly root = new MemoryNode(1, 0o040755);
  readonly #host: MemoryHost;
  readonly #nodes = new Map<number, MemoryNode>([[1, this.root]]);
  readonly #locks = new Map<number, MemoryLocks>();
  #nextNodeid = 2 ** 40;
  ready = false;

  constructor(host: MemoryHost) {
    this.#host = host;
  }

  /** Makes a file behind the kernel's back, or in its name. */
  add(parent: MemoryNode, name: string, mode: number): MemoryNode {
    const node = new MemoryNode(this.#nextNodeid, mode);
    this.#nextNodeid += 1;
    this.#nodes.set(node.nodeid, node);
    parent.children.set(name, node);
    return node;
  }

  /** The methods that the session calls. */
  operations(): FileSystem {
    return { ...this.#names(), ...this.#attributes(), ...this.#files(), ...this.#lockOperations() };
  }

  #node(nodeid: number): MemoryNode {
    const node = this.#nodes.get(nodeid);
    if (node === undefined) throw new Error(`no node ${nodeid}`);
    return node;
  }

  #locksOf(nodeid: number): MemoryLocks {
    const locks = this.#locks.get(nodeid) ?? new MemoryLocks();
    this.#locks.set(nodeid, locks);
    return locks;
  }

  #make(request: Request, name: string, mode: number): MemoryNode {
    const node = this.add(this.#node(request.nodeid), name, mode);
    node.uid = request.uid;
    node.gid = request.gid;
    return node;
  }

  #remove(request: Request, name: string): void {
    const parent = this.#node(request.nodeid);
    const victim = parent.children.get(name);
    if (victim === undefined) request.replyError(Errno.ENOENT);
    else if (victim.children.size > 0) request.replyError(Errno.ENOTEMPTY);
    else {
      parent.children.delete(name);
      victim.nlink -= 1;
      request.replyOk();
    }
  }

  #names(): FileSystem {
    return {
      lookup: (request, name) => {
        const node = this.#node(request.nodeid).children.get(name);
        request.replyEntry(node === undefined ? negative : node.entry());
      },
      forget: () => {},
      symlink: (request, name, target) => {
        const node = this.#make(request, name, 0o120777);
        node.content = Buffer.from(target);
        request.replyEntry(node.entry());
      },
      readlink: (request) => request.replyBytes(this.#node(request.nodeid).content),
      mknod: (request, name, { mode, rdev }) => {
        const node = this.#make(request, name, mode);
        node.rdev = rdev;
        request.replyEntry(node.entry());
      },
      mkdir: (request, name, { mode }) => request.replyEntry(this.#make(request, name, 0o040000 | mode).entry()),
      create: (request, name, { mode }) => {
        const node = this.#make(request, name, mode);
        request.replyCreate(node.entry(), node.nodeid, 0);
      },
      unlink: (request, name) => this.#remove(request, name),
      rmdir: (request, name) => this.#remove(request, name),
      rename: (request, name, to) => {
        const from = this.#node(request.nodeid).children;
        const into = this.#node(to.parent).children;
        const moved = from.get(name);
        const replaced = into.get(to.name);
        if (moved === undefined) return request.replyError(Errno.ENOENT);
        from.delete(name);
        into.set(to.name, moved);
        if ((to.flags & RenameFlag.EXCHANGE) !== 0 && replaced !== undefined) from.set(name, replaced);
        return request.replyOk();
      },
      link: (request, nodeid, name) => {
        const node = this.#node(nodeid);
        node.nlink += 1;
        this.#node(request.nodeid).children.set(name, node);
        request.replyEntry(node.entry());
      },
    };
  }

  #attributes(): FileSystem {
    return {
      getattr: (request) => request.replyAttr(this.#node(request.nodeid).attr(), timeoutMs),
      setattr: (request, change) => {
        const node = this.#node(request.nodeid);
        node.change(change);
        request.replyAttr(node.attr(), timeoutMs);
      },
      access: (request, mask) => {
        if (mask === 2 && request.nodeid === 1) request.replyError(Errno.EROFS);
        else request.replyOk();
      },
      statfs: (request) =>
        request.replyStatfs({ blocks: 1000, bfree: 500, bavail: 400, files: 100, ffree: 50, bsize: 4096, namelen: 255, frsize: 4096 }),
      getxattr: (request, name, size) => {
        const value = this.#node(request.nodeid).xattrs.get(name);
        if (value === undefined) request.replyError(Errno.ENODATA);
        else replySized(request, value, size);
      },
      setxattr: (request, name, value) => {
        this.#node(request.nodeid).xattrs.set(name, Buffer.from(value));
        request.replyOk();
      },
      listxattr: (request, size) => {
        const names = [...this.#node(request.nodeid).xattrs.keys()].map((name) => `${name}\0`).join('');
        replySized(request, Buffer.from(names), size);
      },
      removexattr: (request, name) => {
        if (this.#node(request.nodeid).xattrs.delete(name)) request.replyOk();
        else request.replyError(Errno.ENODATA);
      },
    };
  }

  #files(): FileSystem {
    return {
      open: (request) => {
        const live = this.#nameOf(request.nodeid).match(/^(blocked|pollable)/) !== null;
        request.replyOpen(request.nodeid, live ? OpenReplyFlag.DIRECT_IO : OpenReplyFlag.KEEP_CACHE);
      },
      read: (request, fh, offset, size) => {
        const name = this.#nameOf(fh);
        if (name.startsWith('blocked')) this.#host.hand(request.defer(), name);
        else request.replyBytes(this.#node(fh).content.subarray(offset, offset + size));
      },
      write: (request, fh, offset, size) => {
        this.#node(fh).write(request.written(size), offset);
        request.replyWrite(size);
      },
      opendir: (request) => request.replyOpen(request.nodeid, 0),
      readdir: (request, fh, offset) => {
        const entries = [...this.#node(fh).children];
        let room = offset > 0 || request.addEntry('.', fh, EntryType.DIR, 1);
        room &&= offset > 1 || request.addEntry('..', 1, EntryType.DIR, 2);
        for (let at = Math.max(offset - 2, 0); room && at < entries.length; at += 1) {
          const [name, node] = entries[at] as [string, MemoryNode];
          room = request.addEntryPlus(name, node.entry(), at + 3);
        }
        request.replyDirectory();
      },
      releasedir: (request) => request.replyOk(),
      fsync: (request) => request.replyOk(),
      fsyncdir: (request) => request.replyOk(),
      lseek: (request, fh, offset, whence) => {
        const found = seek(this.#node(fh).content, offset, whence);
        if (found < 0) request.replyError(Errno.ENXIO);
        else request.replyLseek(found);
      },
      fallocate: (request, fh, { offset, length, mode }) => {
        const node = this.#node(fh);
        if ((mode & punchHole) !== 0) node.content.fill(0, offset, offset + length);
        else if (offset + length > node.content.length) node.resize(offset + length);
        request.replyOk();
      },
      copyFileRange: (request, fh, range) => {
        const bytes = this.#node(fh).content.subarray(range.offsetIn, range.offsetIn + range.length);
        this.#node(range.fhOut).write(Buffer.from(bytes), range.offsetOut);
        request.replyWrite(bytes.length);
      },
      poll: (request, _fh, { kh, notify }) => {
        if (!this.ready && notify) this.#host.polled(kh);
        request.replyPoll(this.ready ? pollIn : 0);
      },
    };
  }

  #lockOperations(): FileSystem {
    const { replier } = this.#host;
    return {
      getlk: (request, fh, lock) => {
        const inTheWay = this.#locksOf(fh).conflict(lock);
        request.replyLock(inTheWay ?? { ...lock, type: 2 });
      },
      setlk: (request, fh, lock) => this.#locksOf(fh).set(request, lock, replier),
      flush: (request, fh) => {
        this.#locksOf(fh).drop(request.lockOwner, false, replier);
        request.replyOk();
      },
      release: (request, fh) => {
        this.#locksOf(fh).drop(request.lockOwner, true, replier);
        request.replyOk();
      },
      interrupt: (uniqueLow, uniqueHigh) => {
        const ticket = replier.find(uniqueLow, uniqueHigh);
        if (ticket === undefined) this.#host.interrupted(uniqueLow, uniqueHigh);
        else if ([...this.#locks.values()].some((locks) => locks.interrupt(ticket))) replier.error(ticket, Errno.EINTR);
      },
    };
  }

  #nameOf(nodeid: number): string {
    for (const [name, node] of this.root.children) if (node.nodeid === nodeid) return name;
    return '';
  }
}

function replySized(request: Request, value: Buffer, size: number): void {
  if (size === 0) request.replyXattrSize(value.length);
  else if (size < value.length) request.replyError(Errno.ERANGE);
  else request.replyBytes(value);
}
