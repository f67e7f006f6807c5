import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { posixPlaces } from '../support/posix-places.ts';
import { shell } from '../support/shell.ts';

/* Times in nanoseconds, times of birth, FIFOs and sockets: what inodes of user files are besides regular files and directories. */

const { places, same, samePython } = posixPlaces();

describe('times', () => {
  samePython(
    'are set and read to the nanosecond: of files, links, directories, open and nameless ones, before 1970 and after 2038',
    `os.mkdir('d'); os.symlink('d', 'l'); fd = os.open('f', os.O_RDWR | os.O_CREAT)
cases = [(1, 999999999), (1700000000123456789, 1700000000987654321), (-1, -1999999999), (5 * 10**18 + 7, 4102444800000000001)]
for times in cases:
    for name in ('f', 'd', 'l'):
        os.utime(name, ns=times, follow_symlinks=False); st = os.lstat(name); assert (st.st_atime_ns, st.st_mtime_ns) == times, (name, times, st)
os.unlink('f'); os.utime(fd, ns=cases[1]); print(os.fstat(fd).st_atime_ns, os.fstat(fd).st_mtime_ns)`,
    '1700000000123456789 1700000000987654321',
  );
  samePython(
    'one is set and the other left as it is',
    `import ctypes; libc = ctypes.CDLL(None); OMIT = (1 << 30) - 2
class T(ctypes.Structure): _fields_ = [('s', ctypes.c_long), ('ns', ctypes.c_long)]
open('f', 'w').close(); os.utime('f', ns=(10**18 + 1, 10**18 + 3))
libc.utimensat(-100, b'f', (T * 2)(T(0, OMIT), T(5, 123456789)), 0); print(os.stat('f').st_atime_ns, os.stat('f').st_mtime_ns)
libc.utimensat(-100, b'f', (T * 2)(T(7, 7), T(0, OMIT)), 0); print(os.stat('f').st_atime_ns, os.stat('f').st_mtime_ns)`,
    '1000000000000000001 5123456789\n7000000007 5123456789',
  );
  same(
    'cp -p, tar, rsync and touch -r copy them whole',
    `touch -d '2001-02-03 04:05:06.123456789 UTC' f; cp -p f a; touch -r f b; tar -H pax -cf - f | tar -xf - --transform s/f/c/; rsync -t f d; stat -c %y a b c d | sort -u`,
    '2001-02-03 04:05:06.123456789 +0000',
    { env: { TZ: 'UTC' }, needs: 'rsync' },
  );
  same(
    'a birth is told, and is not the last change',
    `touch f; before=$(stat -c %W f); [ $before -gt 1000000000 ] && echo born; touch -d @5 f; mv f g; [ "$(stat -c %W g)" = $before ] && echo same
     mkdir d; [ $(stat -c %W d) -ge $before ] && echo later; [ $(($(date +%s) - $(stat -c %W d))) -lt 600 ] && echo now`,
    'born\nsame\nlater\nnow',
  );
  test('also of special files', async () => {
    const { stdout } = await shell('stat -c %W action ports status; stat -c %w action', { cwd: `${places.mount.path}/nf-types/host/h` });
    assert.match(stdout, /^(\d{10}\n){3}20\d\d-/);
  });
});

describe('FIFOs and sockets', () => {
  same(
    'a FIFO passes what two processes say',
    `mkfifo -m 640 p; stat -c '%F %a' p; (echo through > p) & cat p; mv p q; ls -l q | cut -c 1; (cat q; echo read) & printf again > q; wait; find . -type p; rm q; ls -A | wc -l`,
    'fifo 640\nthrough\np\nagainread\n./q\n0',
  );
  samePython(
    'a socket is bound, connected to by name, and removed',
    `import socket, stat
s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen(); print(stat.S_ISSOCK(os.stat('sock').st_mode))
child = "import socket; c = socket.socket(socket.AF_UNIX); c.connect('sock'); c.sendall(b'hello'); c.close()"
subprocess.Popen([sys.executable, '-c', child]); c, _ = s.accept(); print(c.recv(5)); s.close()
try: socket.socket(socket.AF_UNIX).connect('sock')
except OSError as e: print(errno.errorcode[e.errno])
os.link('sock', 'other'); os.unlink('sock'); print(os.listdir(), os.stat('other').st_nlink)`,
    `True\nb'hello'\nECONNREFUSED\n['other'] 1`,
  );
  same(
    'belong to who made them, by the umask; others may not open them; devices are root’s',
    `chmod 777 .; umask 027; as 65534 mkfifo a; stat -c '%u:%g %a' a; fails as 1 cat a; fails as 65534 mknod c c 1 3`,
    '65534:65534 640\nPermission denied\nOperation not permitted',
  );
  same(
    'are copied by cp -a and tar',
    `mkdir s; mkfifo s/p; cp -a s t; mkdir u; tar -C s -c . | tar -C u -x; stat -c %F t/p u/p`,
    'fifo\nfifo',
  );

  test('are no configuration of what runs, and hold up nobody who starts it', async () => {
    const { mount } = places;
    await mount.run(
      'mkdir nf-types/host/fifo nf-types/firewall nf-types/firewall/f; mkfifo nf-types/host/fifo/config/p; cd nf-types/firewall/f/config; rm -f nf_conf; mkfifo nf_conf',
    );
    assert.equal(await mount.run('echo activate > nf-types/host/fifo/action; cat nf-types/host/fifo/status'), 'running\n');
    const refused = await mount.sh('echo activate > nf-types/firewall/f/action; cat nf-types/firewall/f/error');
    assert.match(refused.stdout, /nf_conf is not a regular file/);
    await mount.run('rm nf-types/firewall/f/config/nf_conf; echo activate > nf-types/firewall/f/action');
    const placed = await mount.sh('mkfifo nf-types/firewall/f/config/nf_conf');
    assert.match(placed.stderr, /mkfifo: .*Invalid argument/);
    const moved = await mount.sh('cd nf-types/firewall/f/config; mkfifo x; mv -T x nf_conf');
    assert.match(moved.stderr, /cannot move 'x'.*'nf_conf'/); // EINVAL, which mv takes for that of a directory
    assert.match((await mount.sh('mkfifo nf-types/host/fifo/rfs/p')).stderr, /not permitted/);
  });
});
