import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { posixPlaces } from '../support/posix-places.ts';
import { shell } from '../support/shell.ts';

/*
 * User files behave as on the file system of this machine. Each script runs in a directory of this machine, which shows that the expectation is
 * Linux's, and then in config/ of a VNF, where it must print the same.
 */

const { places, same, samePython } = posixPlaces();

describe('names', () => {
  same(
    'any name that Linux takes',
    `n=$(printf 'a%.0s' {1..255}); for f in 'with space' 'grün—数据' .hidden "$n" $'new\\nline' '-dash' 'quote"' "back\\\\slash" '*'; do
       echo "$f" > "./$f" && [ "$(cat "./$f")" = "$f" ] || echo "failed: $f"; done; ls -A | wc -l; rm -- ./* .hidden; ls -A | wc -l`,
    '10\n0',
  );
  same('256 bytes are ENAMETOOLONG', 'fails touch "$(printf "a%.0s" {1..256})"', 'File name too long');
  same(
    'the errors of wrong paths',
    `touch file; mkdir dir dir/in; ln -s a b; ln -s b a
     fails cat file/x; fails cat dir; fails mkdir file; fails rmdir dir; fails rmdir file; fails cat a; fails cat none; fails ln file dir/in/no/x
     fails mv -T file dir; fails mv -T dir file; fails ln file file; fails ln -s x file; fails mkdir dir/in; fails unlink dir; fails mv dir dir/in/x`,
    `Not a directory\nIs a directory\nFile exists\nDirectory not empty\nNot a directory\nToo many levels of symbolic links\nNo such file or directory
     No such file or directory\ncannot overwrite directory 'dir' with non-directory\ncannot overwrite non-directory 'file' with directory 'dir'
     File exists\nFile exists\nFile exists\nIs a directory\ncannot move 'dir' to a subdirectory of itself, 'dir/in/x'`,
  );
  samePython(
    'a directory with 5000 files',
    `for i in range(5): os.mknod(f'f{i}')
for i in range(5, 5000): os.link(f'f{i % 5}', f'f{i}')
print(len(os.listdir()), len(set(os.listdir())), sum(e.is_file() for e in os.scandir()))
subprocess.run(['find', '.', '-type', 'f', '-delete']); print(os.listdir())`,
    '5000 5000 5000\n[]',
  );
  same('deep directories', 'p=$(printf "d/%.0s" {1..300}); mkdir -p "$p"; echo deep > "$p/f"; cat "$p/f"; rm -r d; ls | wc -l', 'deep\n0');
});

describe('names that are not UTF-8', () => {
  same(
    'are made, listed, read, renamed, linked and removed by bash',
    `a=$'caf\\xe9'; b=$'\\xff\\xfe'; echo one > "$a"; mkdir "$b"; mv "$a" "$b/"; echo two >> "$b/$a"; ln "$b/$a" $'hard\\x80'; ln -s "$b/$a" $'soft\\xc3'
     printf '%s\\n' * */* | od -An -tx1 -v -w64 | sed 's/^ //' | tr -d '\\n'; echo; readlink $'soft\\xc3' | od -An -tx1 | sed 's/^ //'; cat $'soft\\xc3'; stat -c %h $'hard\\x80'
     [ -e $'caf\\xc3\\xa9' ] || echo another; rm $'hard\\x80' $'soft\\xc3' "$b/$a"; rmdir "$b"; ls -A | wc -l; fails cat "$a"`,
    `68 61 72 64 80 0a 73 6f 66 74 c3 0a ff fe 0a ff fe 2f 63 61 66 e9 0a
     ff fe 2f 63 61 66 e9 0a
     one
     two
     2
     another
     0
     No such file or directory`,
  );

  samePython(
    'each of 255 bytes is a name of its own, and every one is found again',
    `names = [bytes([c]) for c in range(1, 256) if c not in (0x2e, 0x2f)] + [b'x' * 254 + b'\\xff', b'\\xed\\xa0\\x80', b'\\xc3\\xa9\\xc3']
for n in names: os.close(os.open(n, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
print(sorted(os.listdir(b'.')) == sorted(names), len({os.stat(n).st_ino for n in names}) == len(names))
for n in names: os.rename(n, b'moved'); os.symlink(n, n); assert os.readlink(n) == n; os.unlink(n); os.rename(b'moved', n)
fd = os.open(b'.', os.O_RDONLY); os.fsync(fd)
try: os.mkdir(b'\\xff' * 256)
except OSError as e: print(errno.errorcode[e.errno])
for n in names: os.unlink(n)
print(os.listdir(b'.'))`,
    `True True
     ENAMETOOLONG
     []`,
  );

  test('name nothing among the special files, where names are text', async () => {
    const { stderr } = await places.mount.sh(String.raw`mkdir $'nf-types/host/\xff'; cat $'nf-types/host/h/\xff'; ls -d nf-types/host/h`);
    assert.match(stderr, /mkdir: .*Invalid argument\ncat: .*No such file or directory\n$/);
  });
});

describe('content', () => {
  same('64 MiB, whole', 'head -c 64M /dev/urandom > big; cp big copy; cmp big copy && stat -c %s copy; rm big copy', '67108864');
  same(
    'seek, overwrite, holes',
    `echo 0123456789 > f; printf XY | dd of=f bs=1 seek=3 conv=notrunc status=none; cat f; truncate -s 4 f; cat f; echo; truncate -s 8 f; od -An -v -tx1 f | tr -d ' '
     dd if=/dev/null of=sparse bs=1 seek=1G status=none; stat -c %s sparse; [ $(stat -c %b sparse) -lt 100 ] && echo holes; printf end >> sparse; tail -c 3 sparse; echo`,
    '012XY56789\n012X\n3031325800000000\n1073741824\nholes\nend',
  );
  same(
    'appends of two processes do not overwrite each other',
    'for w in a b; do (for i in {1..200}; do echo "$w$i" >> log; done) & done; wait; wc -l < log; grep -c ^a log; sort -u log | wc -l',
    '400\n200\n400',
  );
  samePython(
    'an append through an open descriptor goes to the end, wherever that is by then',
    `a = os.open('f', os.O_WRONLY | os.O_APPEND | os.O_CREAT); os.write(a, b'one')
subprocess.run(['sh', '-c', 'printf two >> f']); os.write(a, b'three'); print(open('f').read())`,
    'onetwothree',
  );
  samePython(
    'O_EXCL, O_TRUNC, O_CREAT',
    `fd = os.open('f', os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640); os.write(fd, b'x' * 10000); print(oct(os.fstat(fd).st_mode))
try: os.open('f', os.O_CREAT | os.O_EXCL)
except OSError as e: print(errno.errorcode[e.errno])
t = os.open('f', os.O_WRONLY | os.O_TRUNC); print(os.fstat(t).st_size, os.fstat(fd).st_size, os.pread(fd, 5, 0)); print(os.pwrite(t, b'abc', 5), os.pread(fd, 9, 0))`,
    `0o100640\nEEXIST\n0 0 b''\n3 b'\\x00\\x00\\x00\\x00\\x00abc'`,
  );
  samePython(
    'mmap, shared and private, is coherent with read and write',
    `f = open('f', 'w+b'); f.write(b'a' * 8192); f.flush()
m = mmap.mmap(f.fileno(), 8192); m[4096:4100] = b'MMAP'; m.flush(); print(os.pread(f.fileno(), 6, 4095))
os.pwrite(f.fileno(), b'WRITE', 0); print(m[0:6]); p = mmap.mmap(f.fileno(), 8192, mmap.MAP_PRIVATE); p[0:4] = b'priv'; print(m[0:5], p[0:5])
m.close(); print(subprocess.run(['tail', '-c', '+4096', 'f'], capture_output=True).stdout[:6])`,
    `b'aMMAPa'\nb'WRITEa'\nb'WRITE' b'privE'\nb'aMMAPa'`,
  );
  samePython(
    'fsync, fdatasync, also of directories; ftruncate; fallocate',
    `fd = os.open('f', os.O_RDWR | os.O_CREAT); os.write(fd, b'data'); os.fsync(fd); os.write(fd, b'more'); os.fdatasync(fd); d = os.open('.', os.O_RDONLY); os.fsync(d)
os.ftruncate(fd, 2); print(os.fstat(fd).st_size); os.posix_fallocate(fd, 0, 100000); print(os.fstat(fd).st_size); print(os.lseek(fd, 0, os.SEEK_END))`,
    '2\n100000\n100000',
  );
  samePython(
    'what another process writes is seen at once',
    `open('f', 'w').write('old'); r = open('f'); print(r.read()); subprocess.run(['sh', '-c', 'echo newer and longer > f'])
print(os.stat('f').st_size, open('f').read(), end='')`,
    'old\n17 newer and longer',
  );
});

describe('links and renames', () => {
  same(
    'hard links are one file',
    `echo text > a; mkdir d; ln a d/b; stat -c %h a d/b; [ a -ef d/b ] && echo same; echo more >> d/b; cat a; rm a; cat d/b; stat -c %h d/b; mv d/b c; stat -c %h c; cat c`,
    '2\n2\nsame\ntext\nmore\ntext\nmore\n1\n1\ntext\nmore',
  );
  same(
    'symbolic links say what was put into them',
    `echo hi > file; mkdir d; ln -s ../file d/rel; ln -s "$PWD/file" abs; ln -s 'no where' dangling; ln -s "$(printf 'x%.0s' {1..1000})" long
     cat d/rel abs; readlink d/rel dangling; readlink long | wc -c; stat -c '%F %s' dangling; test -e dangling || echo dangles; ln d/rel hard; readlink hard
     chown -h 1:2 dangling; stat -c %u:%g dangling; touch -h -d @5 dangling; stat -c %Y dangling`,
    'hi\nhi\n../file\nno where\n1001\nsymbolic link 8\ndangles\n../file\n1:2\n5',
  );
  same(
    'a rename replaces, and open files stay what they were',
    `echo old > t; echo new > s; exec 3< t; mv s t; cat t; cat <&3; ls; exec 4< t; mv t moved; cat <&4; mkdir e n; touch n/f; mv -T e e2; fails mv -T e2 n; rm n/f; mv -T e2 n; ls -F`,
    'new\nold\nt\nnew\nDirectory not empty\nmoved\nn/',
  );
  samePython(
    'a file without a name can still be read, written, changed and asked about',
    `fd = os.open('f', os.O_RDWR | os.O_CREAT); os.write(fd, b'before'); os.unlink('f'); os.write(fd, b' after'); os.ftruncate(fd, 9)
print(os.pread(fd, 99, 0), os.fstat(fd).st_size, os.fstat(fd).st_nlink, os.path.exists('f'))
os.fchmod(fd, 0o600); print(oct(os.fstat(fd).st_mode)); os.fchown(fd, 7, 8); print(os.fstat(fd).st_uid); os.utime(fd, (1, 2)); print(os.fstat(fd).st_mtime); os.fsync(fd)`,
    `b'before af' 9 0 False\n0o100600\n7\n2.0`,
  );
  samePython(
    'a file whose name another took keeps its own attributes',
    `a = open('f', 'w+'); a.write('first'); a.flush(); open('g', 'w').write('second'); os.rename('g', 'f'); os.fchmod(a.fileno(), 0o600)
print(oct(os.fstat(a.fileno()).st_mode), oct(os.stat('f').st_mode), os.fstat(a.fileno()).st_size, os.stat('f').st_size)`,
    '0o100600 0o100644 5 6',
  );
  same(
    'directories are renamed below open files',
    `mkdir -p a/b; echo 1 > a/b/f; exec 3>> a/b/f; mv a x; echo 2 >&3; cat x/b/f; cd x/b; mv ../../x ../../y 2>/dev/null; cat f; rm f; echo 3 > f; cat ../../y/b/f`,
    '1\n2\n1\n2\n3',
  );
  same('a removed directory is gone for those in it', 'mkdir d; cd d; rmdir ../d; fails touch x; ls -A ..', 'No such file or directory');
  same(
    'mv between directories, and back over',
    'mkdir a b; echo 1 > a/f; echo 2 > b/f; mv a/f b/f; cat b/f; ls a | wc -l; mv b a/; find . | sort',
    '1\n0\n.\n./a\n./a/b\n./a/b/f',
  );
});

describe('permissions', () => {
  same(
    'others cannot read 0600 or enter 0700',
    'echo secret > f; chmod 600 f; mkdir d; echo x > d/f; chmod 700 d; fails as 65534 cat f; fails as 65534 cat d/f; fails as 65534 ls d; chmod 644 f; as 65534 cat f; fails as 65534 touch f; fails as 65534 rm -f f',
    'Permission denied\nPermission denied\nPermission denied\nsecret\nPermission denied\nPermission denied',
  );
  same(
    'chown -R hands over',
    'mkdir -p d/e; touch d/e/f; chown -R 65534:65534 d; as 65534 bash -c "echo mine > d/e/f; mkdir d/new; cat d/e/f; chmod 600 d/e/f"; stat -c "%u:%g %a" d/new d/e/f; fails as 65534 chown 0 d/e/f; fails as 1 cat d/e/f',
    'mine\n65534:65534 755\n65534:65534 600\nOperation not permitted\nPermission denied',
  );
  same(
    'a new file is its maker’s, by the umask',
    'chmod 777 .; umask 077; as 65534 touch a; umask 002; as 65534 mkdir b; umask 027; as 65534 ln -s x c; umask 0; as 65534 touch d; stat -c "%n %u:%g %a" a b c d',
    'a 65534:65534 600\nb 65534:65534 775\nc 65534:65534 777\nd 65534:65534 666',
  );
  same(
    'a set-group-id directory gives its group',
    'mkdir d; chgrp 42 d; chmod 2775 d; touch d/f; mkdir d/e; stat -c "%n %g %a" d d/f d/e',
    'd 42 2775\nd/f 42 644\nd/e 42 2755',
  );
  same(
    'a sticky directory keeps files from others',
    'mkdir d; chmod 1777 d; touch d/f; fails as 65534 rm -f d/f; as 65534 touch d/own; as 65534 rm d/own; ls d',
    'Operation not permitted\nf',
  );
  same(
    'set-user-id goes when another writes',
    'touch f; chmod 666 f; chmod u+s f; stat -c %a f; as 65534 bash -c "echo x >> f"; stat -c %a f',
    '4666\n666',
  );
  same('chown clears set-user-id', 'touch f; chmod 4755 f; chown 5 f; stat -c "%u %a" f', '5 755');
});

describe('times', () => {
  same(
    'touch -d, cp -p, to the nanosecond',
    'touch -d "2001-02-03 04:05:06.123456789 UTC" f; stat -c "%y" f | cut -c 1-29; cp -p f g; [ f -nt g ] || [ g -nt f ] || echo equal; touch -a -d @100 f; stat -c %X f; stat -c %Y f',
    '2001-02-03 04:05:06.123456789\nequal\n100\n981173106',
    { env: { TZ: 'UTC' } },
  );
  same('times before 1970 and after 2038', 'touch -d @-100 a; touch -d @5000000000 b; stat -c %Y a b', '-100\n5000000000');
  same(
    'writing changes mtime, chmod only ctime',
    'touch -d @1 f; chmod 600 f; stat -c %Y f; echo x > f; [ $(stat -c %Y f) -gt 1000000000 ] && echo now',
    '1\nnow',
  );
});

describe('locks', () => {
  samePython(
    'fcntl locks between processes, by range',
    `f = open('f', 'w+'); fcntl.lockf(f, fcntl.LOCK_EX, 10, 0)
child = "import fcntl,sys\\nf=open('f','r+')\\nfor r in ((10,0),(10,10)):\\n  try: fcntl.lockf(f, fcntl.LOCK_EX|fcntl.LOCK_NB, *r); print('got')\\n  except BlockingIOError: print('busy')"
print(subprocess.run([sys.executable, '-c', child], capture_output=True, text=True).stdout, end='')
fcntl.lockf(f, fcntl.LOCK_UN); print(subprocess.run([sys.executable, '-c', child], capture_output=True, text=True).stdout, end='')`,
    'busy\ngot\ngot\ngot',
  );
  same(
    'flock between processes',
    `touch f; (flock 9; echo in; sleep 0.3; echo out) 9> f & sleep 0.1; flock -n f echo never || echo busy; flock f echo after; wait`,
    'in\nbusy\nout\nafter',
    {
      needs: 'flock',
    },
  );
});

describe('programs', () => {
  same(
    'editors save by a temporary file and rename',
    'echo 1 > conf; echo 2 > .conf.swp; mv .conf.swp conf; sed -i s/2/3/ conf; cat conf; cp conf conf~; mv conf conf.old; cp conf.old conf; cat conf; ls -A | wc -l',
    '3\n3\n3',
  );
  same('vim', `printf 'a\\nb\\n' > f; vim -es -u NONE -c '%s/b/c/' -c wq f; cat f; ls -A`, 'a\nc\nf', { needs: 'vim' });
  same(
    'tar, cp -a and find -delete',
    'mkdir -p s/d; echo x > s/d/f; ln -s f s/d/l; ln s/d/f s/d/h; chmod 640 s/d/f; chown 3:4 s/d/f; mkdir t; tar -C s -c . | tar -C t -xp; cp -a s u; for c in t u; do diff -r s $c && stat -c "%a %u:%g %h" $c/d/f; done; find t -delete; ls',
    '640 3:4 2\n640 3:4 2\ns\nu',
  );
  same(
    'rsync -a --checksum, twice',
    'mkdir s; echo 1 > s/a; mkdir s/d; head -c 100000 /dev/urandom > s/d/b; rsync -a --checksum s/ t/; diff -r s t && echo equal; echo 2 > s/a; rsync -ai --checksum s/ t/ | grep -c "^>f"; rsync -ai --checksum s/ t/ | wc -l',
    'equal\n1\n0',
    { needs: 'rsync' },
  );
  same(
    'git keeps a repository',
    'export HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; git init -q -b main .; echo 1 > f; git add f; git commit -qm one; echo 2 > f; git commit -qam two; git checkout -q HEAD~1; cat f; git checkout -q main; cat f; git status --short; git fsck 2>&1; git gc -q; git log --format=%s',
    '1\n2\ntwo\none',
    { needs: 'git' },
  );
  samePython(
    'SQLite: a transaction rolled back, one kept, in both journal modes',
    `import sqlite3
for mode in ('delete', 'wal'):
    c = sqlite3.connect(mode + '.db'); c.execute('pragma journal_mode=' + mode); c.execute('create table t (x)'); c.execute('insert into t values (1)'); c.commit()
    c.execute('insert into t values (2)'); c.rollback(); print(mode, c.execute('select * from t').fetchall(), c.execute('pragma integrity_check').fetchone()[0])
    o = sqlite3.connect(mode + '.db', timeout=0); c.execute('begin immediate')
    try: o.execute('begin immediate')
    except sqlite3.OperationalError as e: print(e)
    c.commit(); c.close(); o.close()`,
    'delete [(1,)] ok\ndatabase is locked\nwal [(1,)] ok\ndatabase is locked',
  );
});

describe('the file system', () => {
  test('statvfs and df tell of the disk below', async () => {
    const [below, above] = await Promise.all([
      shell('stat -f -c "%b %S %l" .', { cwd: places.mount.root }),
      shell('stat -f -c "%b %S %l" .', { cwd: places.config }),
    ]);
    assert.equal(above.stdout, below.stdout);
    assert.equal((await shell('df -P .', { cwd: places.config })).status, 0);
  });

  test('files move and are linked from one VNF to another', async () => {
    await places.mount.run(`cd nf-types/host; mkdir other; cd h/config; mkdir -p moving/deep; echo 1 > moving/deep/f; echo 2 > linked; exec 3>> moving/deep/f
      mv moving ../../other/config/; echo more >&3; ln linked ../../other/config/; echo 3 >> ../../other/config/linked; cd ../../other/config
      [ "$(cat moving/deep/f | tr '\\n' ' ')" = '1 more ' ]; [ "$(tr '\\n' ' ' < ../../h/config/linked)" = '2 3 ' ]; stat -c %h linked; touch moving/deep/g; rm -r moving; rm ../../h/config/linked; cat linked`);
    await places.mount.run(
      'rmdir nf-types/host/other; mkdir nf-types/host/other; touch nf-types/host/other/config/x; ls nf-types/host/other/config; rmdir nf-types/host/other',
    );
  });

  test('a full disk is ENOSPC, and what was there stays', async () => {
    const full = await mkdtemp(join(tmpdir(), 'nfio-small-'));
    assert.equal((await shell(`mount -t tmpfs -o size=1m nfio-test ${full}`)).status, 0);
    try {
      await using small = await TestMount.start({ root: join(full, 'root') });
      await small.run('mkdir -p nf-types/host/h; cd nf-types/host/h/config; echo kept > f');
      const { status, stderr } = await small.sh('cd nf-types/host/h/config; head -c 4M /dev/zero > big');
      assert.notEqual(status, 0);
      assert.match(stderr, /No space left on device/);
      assert.equal(await small.run('cd nf-types/host/h/config; rm big; echo more >> f; cat f'), 'kept\nmore\n');
    } finally {
      await shell(`umount ${full} || umount -l ${full}`);
      await rm(full, { recursive: true, force: true });
    }
  });

  test('devices are no configuration: EPERM', async () => {
    for (const make of ['mknod f c 1 3', 'mknod f b 7 0']) {
      const { status, stderr } = await shell(make, { cwd: places.config });
      assert.notEqual(status, 0, make);
      assert.match(stderr, /not permitted/, make);
    }
  });
});
