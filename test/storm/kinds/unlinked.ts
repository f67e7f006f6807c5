import type { Kind } from '../kind.ts';

/** A file that is held open and has no name any more is read, written, told of and cut, whatever server answers. */
export const unlinked: Kind = {
  name: 'unlinked',
  setUp: 'mkdir -p nf-types/host/unlinked',
  program: {
    language: 'python',
    text: String.raw`
from storm import *
os.chdir('nf-types/host/unlinked/config')
for name in os.listdir():
    if name.startswith('gone.'):
        attempt('unlink', os.unlink, name)  # of a round that was cut
n = 0
while more():
    n += 1
    fd, _ = attempt('create', os.open, f'gone.{n}', os.O_RDWR | os.O_CREAT, 0o644)
    if fd is None:
        continue
    known = b''
    attempt('unlink', os.unlink, f'gone.{n}')
    for turn in range(40):
        data = f'{n}.{turn}\n'.encode() * 20
        if attempt('write', os.pwrite, fd, data, len(known))[1] is not None:
            break
        known += data
        if turn == 30 and attempt('ftruncate', os.ftruncate, fd, 100)[1] is None:
            known = known[:100]
        stat, _ = attempt('fstat', os.fstat, fd)
        if stat is not None and (stat.st_size, stat.st_nlink) != (len(known), 0):
            say('wrong', f'fstat says {stat.st_size} bytes and {stat.st_nlink} names, not {len(known)} and 0')
        if turn % 8 == 0:
            attempt('fsync', os.fsync, fd)
        there, _ = attempt('pread', os.pread, fd, 65536, 0)
        if there is not None and there != known:
            say('wrong', f'an unlinked file holds {len(there)} bytes, not the {len(known)} that were written')
        if not more():
            break
    attempt('close', os.close, fd)
    say('ok', n)
`,
  },
  async check(mount, said) {
    if (said.some(({ word }) => word === 'cut')) return [];
    const left = await mount.run('ls nf-types/host/unlinked/config');
    return left === 'nf_conf\n' || left === '' ? [] : [`what was removed is there: ${left}`];
  },
};
