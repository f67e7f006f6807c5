import { differing, type Kind } from '../kind.ts';

/** Values of a port and of a network, set by Python; one that is refused changes nothing. */
export const values: Kind = {
  name: 'values',
  setUp: `mkdir -p nf-types/host/values/ports/p networks/values; echo values > nf-types/host/values/ports/p/network
    echo 10.77.0.0/16 > networks/values/subnet`,
  program: {
    language: 'python',
    text: String.raw`
from storm import *
n = 0
while more():
    n += 1
    address = f'10.77.{round_number % 200 + n // 250 % 50}.{n % 250 + 2}/16'
    say('try', address)
    if write('nf-types/host/values/ports/p/address', address + '\n') is not None:
        continue
    say('ok', address)
    expect('address', read('nf-types/host/values/ports/p/address'), address + '\n')
    if n % 5 == 0:
        if write('nf-types/host/values/ports/p/address', 'no address\n', refused=('EINVAL',)) is None:
            say('wrong', 'a bad address was taken')
        expect('address after a refusal', read('nf-types/host/values/ports/p/address'), address + '\n')
`,
  },
  async check(mount, said) {
    return differing('ports/p/address', (await mount.run('cat nf-types/host/values/ports/p/address')).trim(), said);
  },
};
