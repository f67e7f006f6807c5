/**
 * A file system of one file. In a project of your own, import from 'nfio/fuse'.
 *
 *   mkdir /tmp/hello && node examples/hello.ts /tmp/hello &
 *   cat /tmp/hello/hello
 *   umount /tmp/hello
 */
import { EntryType, Errno, type FileSystem, FuseSession, openAndMount } from '../src/fuse/index.ts';

const root = 1;
const file = 2;
const content = Buffer.from('Hello, world!\n');
const timeoutMs = Number(process.env['TIMEOUT_MS'] ?? 1000);
const now = Date.now();
const common = { blocks: 0, uid: 0, gid: 0, rdev: 0, blksize: 4096, atimeMs: now, mtimeMs: now, ctimeMs: now };
const rootAttr = { ...common, ino: root, size: 0, mode: 0o040755, nlink: 2 };
const fileAttr = { ...common, ino: file, size: content.length, mode: 0o100444, nlink: 1 };
const entry = { nodeid: file, generation: 0, entryTimeoutMs: timeoutMs, attrTimeoutMs: timeoutMs, attr: fileAttr };

const hello: FileSystem = {
  lookup(request, name) {
    if (request.nodeid === root && name === 'hello') request.replyEntry(entry);
    else request.replyError(Errno.ENOENT);
  },
  getattr(request) {
    request.replyAttr(request.nodeid === root ? rootAttr : fileAttr, timeoutMs);
  },
  readdir(request, _fh, offset) {
    if (offset < 1) request.addEntry('.', root, EntryType.DIR, 1);
    if (offset < 2) request.addEntry('..', root, EntryType.DIR, 2);
    if (offset < 3) request.addEntryPlus('hello', entry, 3);
    request.replyDirectory();
  },
  read(request, _fh, offset, size) {
    request.replyData(content.copy(request.data, 0, offset, offset + size));
  },
};

const mountpoint = process.argv[2];
if (mountpoint === undefined) throw new Error('Usage: node examples/hello.ts DIRECTORY');
const { fd } = await openAndMount(mountpoint, { fsname: 'hello' });
new FuseSession(fd, hello).run();
