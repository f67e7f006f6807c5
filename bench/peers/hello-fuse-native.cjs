// The peer in JavaScript: one read-only file, /control, on fuse-native. Nothing is cached: both timeouts 0, direct I/O.
//   node hello-fuse-native.cjs DIRECTORY-OF-THE-PACKAGE MOUNTPOINT
const Fuse = require(process.argv[2]);

const content = Buffer.from('a control file\n');
const now = new Date();
const attributes = { mtime: now, atime: now, ctime: now, uid: 0, gid: 0 };
const directory = { ...attributes, mode: 0o40755, nlink: 2, size: 0 };
const control = { ...attributes, mode: 0o100444, nlink: 1, size: 1000 };

const operations = {
  getattr(path, reply) {
    if (path === '/') return process.nextTick(reply, 0, directory);
    if (path === '/control') return process.nextTick(reply, 0, control);
    return process.nextTick(reply, Fuse.ENOENT);
  },
  open(path, _flags, reply) {
    return process.nextTick(reply, path === '/control' ? 0 : Fuse.ENOENT, 1);
  },
  read(_path, _fd, buffer, length, position, reply) {
    return process.nextTick(reply, content.copy(buffer, 0, position, Math.min(content.length, position + length)));
  },
};

// A timeout of the number 0 would be left out and mean libfuse's default of 1 s. The package has no name for direct_io: it rides on fsname.
const options = { defaultPermissions: true, allowOther: true, attrTimeout: '0', entryTimeout: '0', fsname: 'hello,direct_io' };
new Fuse(process.argv[3], operations, options).mount((error) => {
  if (error) {
    console.error(error.message);
    process.exit(1);
  }
});
