/**
 * A file system of one file. In a project of your own (Node.js runs no TypeScript below node_modules):
 *
 *   npm install nfio && cp node_modules/nfio/examples/hello.ts .
 *   mkdir /tmp/hello && node hello.ts /tmp/hello &
 *   cat /tmp/hello/hello
 *   umount /tmp/hello                                 # Ctrl-C does so too
 *
 * In a checkout of nf.io: node --conditions=nfio-source examples/hello.ts DIRECTORY
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { EntryType, Errno, type FileSystem, FuseSession, openAndMount, unmount } from 'nfio/fuse';

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

async function serve(mountpoint: string): Promise<void> {
  const { fd } = await openAndMount(mountpoint, { fsname: 'hello' });
  // A session blocks its thread until the file system is unmounted; this one unmounts it when a signal says so.
  new Worker(import.meta.filename, { workerData: fd });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void unmount(mountpoint, { lazy: true }));
}

const mountpoint = process.argv[2];
if (!isMainThread) new FuseSession(workerData as number, hello).run();
else if (mountpoint === undefined) console.error('Usage: node hello.ts DIRECTORY');
else await serve(mountpoint);
