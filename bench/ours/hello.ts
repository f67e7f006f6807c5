// Our side of the fuse-library benchmark: one read-only file, /control, on nfio/fuse. Nothing is cached: both timeouts 0, direct I/O.
import { Errno, type FileSystem, FuseSession, OpenReplyFlag, openAndMount } from '../../src/fuse/index.ts';

const root = 1;
const file = 2;
const content = Buffer.from('a control file\n');
const now = Date.now();
const common = { blocks: 0, uid: 0, gid: 0, rdev: 0, blksize: 4096, atimeMs: now, mtimeMs: now, ctimeMs: now };
const rootAttr = { ...common, ino: root, size: 0, mode: 0o040755, nlink: 2 };
const fileAttr = { ...common, ino: file, size: 1000, mode: 0o100444, nlink: 1 };
const entry = { nodeid: file, generation: 0, entryTimeoutMs: 0, attrTimeoutMs: 0, attr: fileAttr };

const hello: FileSystem = {
  lookup(request, name) {
    if (request.nodeid === root && name === 'control') request.replyEntry(entry);
    else request.replyError(Errno.ENOENT);
  },
  getattr(request) {
    request.replyAttr(request.nodeid === root ? rootAttr : fileAttr, 0);
  },
  open(request) {
    request.replyOpen(0, OpenReplyFlag.DIRECT_IO);
  },
  read(request, _fh, offset, size) {
    request.replyData(content.copy(request.data, 0, offset, offset + size));
  },
};

const { fd } = await openAndMount(process.argv[2] ?? '', { fsname: 'hello' });
new FuseSession(fd, hello).run();
