import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { posixPlaces } from '../support/posix-places.ts';

/* Calls beyond those that every program makes: preallocation, nameless files, exchanged names, holes, copies by the kernel, attributes and access control lists. */

const { places, same, samePython } = posixPlaces();

const calls = `import ctypes, tempfile; libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    r = getattr(libc, name)(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args]); return r if r >= 0 else errno.errorcode[ctypes.get_errno()]
def rename(a, b, flags): return call('renameat2', -100, a, -100, b, flags)
`;

describe('space', () => {
  samePython(
    'is given, kept without growing, and taken back, by fallocate',
    `${calls}fd = os.open('f', os.O_RDWR | os.O_CREAT); os.write(fd, b'x' * 8192)
print(call('fallocate', fd, 0, 0, 1 << 20), os.fstat(fd).st_size, os.fstat(fd).st_blocks >= 2048); print(call('fallocate', fd, 1, 0, 1 << 21), os.fstat(fd).st_size)
print(call('fallocate', fd, 3, 0, 4096), os.pread(fd, 2, 4095)); r = os.open('f', os.O_RDONLY); print(call('fallocate', r, 0, 0, 1), call('fallocate', fd, 0, 0, 0))`,
    `0 1048576 True
     0 1048576
     0 b'\\x00x'
     EBADF EINVAL`,
  );
  samePython(
    'that is none is found by SEEK_HOLE and SEEK_DATA',
    `fd = os.open('f', os.O_RDWR | os.O_CREAT); os.pwrite(fd, b'a', 1 << 20); print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 1 << 20, os.SEEK_HOLE), os.lseek(fd, 5, os.SEEK_HOLE))
try: os.lseek(fd, 1 << 21, os.SEEK_DATA)
except OSError as e: print(errno.errorcode[e.errno])
subprocess.run(['cp', '--sparse=auto', 'f', 'g']); print(os.stat('g').st_blocks < 100, open('g', 'rb').read() == open('f', 'rb').read())`,
    '1048576 1048577 5\nENXIO\nTrue True',
  );
  samePython(
    'of one file is copied to another by copy_file_range',
    `open('f', 'wb').write(os.urandom(10 << 20)); a = os.open('f', os.O_RDONLY); b = os.open('g', os.O_WRONLY | os.O_CREAT); done = 0
while (n := os.copy_file_range(a, b, 64 << 20)): done += n
print(done, open('f', 'rb').read() == open('g', 'rb').read()); print(os.copy_file_range(a, b, 100, 5, 1), os.stat('g').st_size, open('g', 'rb').read()[1:101] == open('f', 'rb').read()[5:105])`,
    '10485760 True\n100 10485760 True',
  );
});

describe('names', () => {
  samePython(
    'are exchanged, or not taken from another',
    `${calls}open('a', 'w').write('A'); os.mkdir('d'); open('d/b', 'w').write('B'); fd = os.open('a', os.O_RDONLY)
print(rename(b'a', b'd/b', 2), open('a').read(), open('d/b').read(), os.read(fd, 9)); print(rename(b'a', b'd', 2), os.path.isdir('a'), open('d').read(), open('a/b').read())
print(rename(b'a', b'none', 2), rename(b'd', b'a', 1), rename(b'd', b'new', 1), rename(b'new', b'new', 2), rename(b'a', b'a/b', 2), rename(b'new', b'a', 3)); print(sorted(os.listdir()))`,
    `0 B A b'A'
     0 True B A
     ENOENT EEXIST 0 0 EINVAL EINVAL
     ['a', 'new']`,
  );
  samePython(
    'come to a file later (O_TMPFILE), or never',
    `${calls}os.umask(0o027); fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o666); os.write(fd, b'nameless'); st = os.fstat(fd); print(oct(st.st_mode), st.st_nlink, os.listdir())
call('linkat', -100, f'/proc/self/fd/{fd}'.encode(), -100, b'named', 0x400); print(open('named').read(), os.stat('named').st_nlink, os.fstat(fd).st_ino == os.stat('named').st_ino); os.write(fd, b'!'); print(open('named').read())
x = os.open('.', os.O_TMPFILE | os.O_WRONLY | os.O_EXCL, 0o600); print(call('linkat', -100, f'/proc/self/fd/{x}'.encode(), -100, b'x', 0x400)); t = tempfile.TemporaryFile(dir='.'); t.write(b'1'); t.close(); print(os.listdir())`,
    `0o100640 0 []
     nameless 1 True
     nameless!
     ENOENT
     ['named']`,
  );

  test('of what runs are not exchanged, and O_TMPFILE is for config/ and rfs/ alone', async () => {
    const script = `cd nf-types; mkdir firewall firewall/f; echo activate > firewall/f/action; cd firewall/f; echo 'table inet x { }' > config/new; python3 - <<'END'
import os, errno
${calls}print(rename(b'config/new', b'config/nf_conf', 2), rename(b'error', b'status', 2))
try: os.open('.', os.O_TMPFILE | os.O_RDWR)
except OSError as e: print(errno.errorcode[e.errno])
print(os.listxattr('status'), call('fallocate', os.open('machine/ip', os.O_RDWR), 0, 0, 1))
END`;
    assert.equal(await places.mount.run(script), 'EINVAL EINVAL\nENOTSUP\n[] ENOTSUP\n');
  });

  test('a nameless file outlives the server', async () => {
    const server = await places.mount.server();
    const program = `import os, errno
${calls}fd = os.open('nf-types/host/h/config', os.O_TMPFILE | os.O_RDWR); os.write(fd, b'before'); os.kill(${server}, 9); os.write(fd, b' after'); print(os.pread(fd, 99, 0), os.fstat(fd).st_nlink)
call('linkat', -100, f'/proc/self/fd/{fd}'.encode(), -100, b'nf-types/host/h/config/later', 0x400); print(open('nf-types/host/h/config/later').read())`;
    assert.equal(await places.mount.run(`python3 - <<'E'\n${program}\nE`), `b'before after' 0\nbefore after\n`);
  });
});

describe('extended attributes of users', () => {
  samePython(
    'are set, read, listed and removed, of files and directories, open and nameless',
    `os.mkdir('d'); fd = os.open('f', os.O_RDWR | os.O_CREAT)
for name in ('f', 'd', fd): os.setxattr(name, 'user.a', b'x\\0y'); os.setxattr(name, 'user.empty', b''); print(os.getxattr(name, 'user.a'), os.getxattr(name, 'user.empty'), sorted(os.listxattr(name)))
for arguments in (('f', 'user.none'), ('f', 'user.a', b'', os.XATTR_CREATE), ('f', 'user.none', b'', os.XATTR_REPLACE), ('f', 'user.big', b'x' * 70000)):
    try: (os.getxattr if len(arguments) == 2 else os.setxattr)(*arguments)
    except OSError as e: print(errno.errorcode[e.errno], end=' ')
os.unlink('f'); os.removexattr(fd, 'user.a'); print(os.listxattr(fd)); os.symlink('d', 'l')
try: os.setxattr('l', 'user.a', b'', follow_symlinks=False)
except OSError as e: print(errno.errorcode[e.errno], os.listxattr('l'))
child = "import os\\nfor f in (lambda: os.getxattr('d', 'user.a'), lambda: os.setxattr('d', 'user.a', b'')):\\n  try: print(f())\\n  except OSError as e: print(e.strerror)"
os.chmod('.', 0o755); print(subprocess.run(['setpriv', '--reuid', '65534', '--clear-groups', sys.executable, '-c', child], capture_output=True, text=True).stdout, end='')`,
    `b'x\\x00y' b'' ['user.a', 'user.empty']
     b'x\\x00y' b'' ['user.a', 'user.empty']
     b'x\\x00y' b'' ['user.a', 'user.empty']
     ENODATA EEXIST ENODATA E2BIG ['user.empty']
     EPERM ['user.a', 'user.empty']
     b'x\\x00y'
     Permission denied`,
  );
  same(
    'go along with cp -a, rsync -X and tar --xattrs, and stay over a rename',
    `echo 1 > f; setfattr -n user.k -v value f; cp -a f a; rsync -aX f b; mkdir t; tar --xattrs -cf - f | tar --xattrs -C t -xf -; mv f g; for x in a b t/f g; do getfattr --only-values -n user.k $x; echo; done; cp a c; getfattr c`,
    'value\nvalue\nvalue\nvalue',
    { needs: 'setfattr' },
  );
});

describe('access control lists', () => {
  same(
    'let a user in, and keep one out',
    `chmod 755 .; echo secret > f; chmod 600 f; setfacl -m u:65534:r f; as 65534 cat f; fails as 1 cat f; stat -c %a f; setfacl -m u:65534:- f; fails as 65534 cat f; setfacl -b f; stat -c %a f; getfacl -cn f
     chmod 640 f; setfacl -m u:1:rwx f; chmod g-wx f; getfacl -cn f | grep user:1: | tr '\\t' ' '; fails as 65534 setfacl -b f`,
    `secret
     Permission denied
     640
     Permission denied
     600
     user::rw-
     group::---
     other::---

     user:1:rwx #effective:r--
     Operation not permitted`,
    { needs: 'setfacl' },
  );
  same(
    'of a directory are inherited, whatever the umask',
    `mkdir d; setfacl -d -m u:65534:rwx,g::rx,o::- d; umask 077; touch d/f; mkdir d/e; touch d/e/g; mkfifo d/p; umask 022; touch d/h; stat -c '%n %a' d d/f d/e d/e/g d/p d/h; getfacl -cn d/e | sort | uniq -c | wc -l; getfacl -cn d/e/g | grep 65534 | tr '\\t' ' '
     cp -a d d2; getfacl -cn d2/e/g | grep 65534 | tr '\\t' ' '; setfacl -k d; touch d/after; stat -c %a d/after`,
    `d 755
     d/f 660
     d/e 770
     d/e/g 660
     d/p 660
     d/h 660
     11
     user:65534:rwx #effective:rw-
     user:65534:rwx #effective:rw-
     644`,
    { needs: 'setfacl' },
  );
});

describe('set-user-id and set-group-id bits', () => {
  same(
    'go when another writes, truncates or opens with O_TRUNC, and stay when root does, or who is in the group writes to what it may not execute',
    `chmod 777 .; for f in w t o; do touch $f; chmod 6777 $f; done; as 65534 bash -c 'echo x >> w; truncate -s 0 t; : > o'; stat -c %a w t o; touch r; chmod 6755 r; echo x >> r; truncate -s 0 r; stat -c %a r
     touch g n; chmod 2666 g n; chgrp 65534 g; as 65534 bash -c 'echo x >> g; echo x >> n'; stat -c %a g n; touch c; chmod 6755 c; chown 5 c; stat -c %a c; mkdir d; chmod 6755 d; chown 5 d; stat -c %a d`,
    '777\n777\n777\n6755\n2666\n666\n755\n6755',
  );
});
