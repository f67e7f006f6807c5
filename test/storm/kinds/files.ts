import { differing, type Kind } from '../kind.ts';

/** A program that works on a file in config/ as a database does; what it holds is compared with what was written. */
export const files: Kind = {
  name: 'files',
  setUp: 'mkdir -p nf-types/host/files',
  program: {
    language: 'python',
    text: `
import hashlib, random
from storm import *
os.chdir('nf-types/host/files/config')
chance = random.Random(int(os.environ['STORM_SEED']) + round_number)
path = f'data.{round_number}'
fd, _ = attempt('create', os.open, path, os.O_RDWR | os.O_CREAT, 0o644)
known = bytearray()

def put(at, data):
    # The kernel may ask the server in parts, and one of them may fail at a kill: then write(2) takes less, and is called for the rest.
    while data:
        written, _ = attempt('pwrite', os.pwrite, fd, data, at)
        if written is None:
            return False
        if written == 0:
            say('wrong', f'pwrite took nothing of {len(data)}')
            return False
        at, data = at + written, data[written:]
    return True

while more() and fd is not None:
    at, data = chance.randrange(30000), chance.randbytes(chance.randrange(1, 9000))
    which = chance.randrange(10)
    if which == 0:
        done = attempt('ftruncate', os.ftruncate, fd, at)[1] is None
        known = (known[:at] + bytes(max(0, at - len(known))))
    else:
        done = put(at, data)
        known += bytes(max(0, at + len(data) - len(known)))
        known[at:at + len(data)] = data
    if not done:
        break  # what is there now is not known
    if which == 1:
        attempt('close', os.close, fd)
        fd, _ = attempt('open', os.open, path, os.O_RDWR)
    if which == 2 and attempt('fsync', os.fsync, fd)[1] is None:
        say('ok', hashlib.sha256(known).hexdigest(), len(known))
    size, _ = attempt('fstat', os.fstat, fd)
    if size is not None and size.st_size != len(known):
        say('wrong', f'fstat says {size.st_size} bytes of {len(known)}')
    there, _ = attempt('pread', os.pread, fd, 65536, 0)
    if there is not None and there != known:
        say('wrong', f'{len(there)} bytes were read, not what was written: {len(known)}')
else:
    say('ok', hashlib.sha256(known).hexdigest(), len(known))
`,
  },
  async check(mount, said) {
    // What was written after a failed call, or before the mount was cut, is not known.
    if (said.length === 0 || said.some(({ word }) => word === 'failed' || word === 'cut')) return [];
    const [name = ''] = (await mount.run('cd nf-types/host/files/config; ls -tr | grep ^data | tail -n 1')).split('\n');
    const found = await mount.run(`cd nf-types/host/files/config; echo $(sha256sum < ${name} | cut -d ' ' -f 1) $(wc -c < ${name})`);
    return differing(name, found.trim(), said);
  },
};
