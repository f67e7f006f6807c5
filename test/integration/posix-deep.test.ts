import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { posixPlaces } from '../support/posix-places.ts';

/* Trees deeper than a path can be long (PATH_MAX), which programs walk by relative calls, and files with many names. */

const { places, same, samePython } = posixPlaces();

const down = `def down(levels):
    for i in range(levels): os.mkdir('d' * 100); os.chdir('d' * 100)
`;

describe('a tree deeper than a path', () => {
  samePython(
    'is made, written, changed, listed, renamed in and removed by relative calls',
    `${down}top = os.getcwd(); down(150); open('f', 'w').write('deep'); os.link('f', 'g'); os.symlink('f', 'l'); os.mkdir('e'); os.rename('e', 'e2'); os.rename('g', 'e2/h')
print(sorted(os.listdir()), open('e2/h').read(), os.readlink('l'), open('l').read(), os.stat('f').st_nlink); os.chmod('f', 0o600); os.truncate('f', 2); os.utime('f', ns=(1, 3))
st = os.stat('f'); print(oct(st.st_mode), st.st_size, st.st_mtime_ns); os.chown('f', 3, 4); print(os.stat('f').st_uid); os.mkfifo('p'); fd = os.open('f', os.O_RDWR); os.fsync(fd)
d = os.open('.', os.O_RDONLY); os.fsync(d); os.unlink('f'); print(os.pread(fd, 9, 0), os.statvfs('.').f_namemax)
try: os.stat(top + '/' + '/'.join(['d' * 100] * 150))
except OSError as e: print(errno.errorcode[e.errno])
os.chdir(top); print(subprocess.run(['rm', '-r', 'd' * 100]).returncode, os.listdir())`,
    `['e2', 'f', 'l'] deep f deep 2
     0o100600 2 3
     3
     b'de' 255
     ENAMETOOLONG
     0 []`,
  );
  same(
    'is walked by find and tar',
    `python3 -c "import os
for i in range(60): os.mkdir('d' * 100); os.chdir('d' * 100)
open('f', 'w').write('found')"
     find . -type f | wc -c; tar -cf - d* | tar -tf - | tail -n 1 | wc -c; find . -name f -execdir cat {} + && echo; rm -r d*; ls -A`,
    '6064\n6062\nfound',
    { needs: 'python3' },
  );

  test('goes with its VNF', async () => {
    await places.mount.run(`mkdir nf-types/host/deep; cd nf-types/host/deep/config; python3 -c "
import os
${down}down(100); open('f', 'w')"; cd ../../../..; rmdir nf-types/host/deep; ls nf-types/host; [ -z "$(find ${places.mount.root} -type d -name 'ddd*' | head -n 1)" ]`);
  });

  test('is there for a server that takes the connection over', async () => {
    const script = `cd nf-types/host/h/config; mkdir over; cd over; python3 -c "
import os, time
${down}down(80); fd = os.open('f', os.O_RDWR | os.O_CREAT); os.write(fd, b'before'); print('made', flush=True); input()
os.write(fd, b' after'); print(open('f').read()); os.mkdir('more'); print(sorted(os.listdir()), flush=True)"; rm -r d*`;
    const server = await places.mount.server();
    const killed = `(sleep 2; kill -9 ${server}; sleep 1; echo) | (${script})`;
    assert.equal(await places.mount.run(killed), "made\nbefore after\n['f', 'more']\n");
  });
});

samePython(
  '12,000 names of one file are made, and removed from either end and the middle',
  `open('f', 'w').write('x')
for i in range(12000): os.link('f', f'n{i}')
print(os.stat('f').st_nlink, len(os.listdir()))
for i in (*range(0, 12000, 2), *range(11999, 0, -2)): os.unlink(f'n{i}')
print(os.stat('f').st_nlink, os.listdir(), open('f').read())`,
  `12001 12001\n1 ['f'] x`,
);
