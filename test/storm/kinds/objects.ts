import type { Kind } from '../kind.ts';

/** VNFs, ports and networks, made, renamed and removed. */
export const objects: Kind = {
  name: 'objects',
  setUp: 'mkdir -p nf-types/host/objects',
  program: {
    language: 'bash',
    text: `
cd nf-types/host
note() { echo $n > x/config/note; }
tidy() { for left in x/ports/p y/ports/p x y ../../networks/x; do [ ! -e $left ] || attempt rmdir $left; done; }
tidy # after a round that was cut
n=0
while more; do
  n=$((n + 1))
  attempt mkdir x && attempt mkdir x/ports/p && attempt note && attempt mv x y && attempt get y/config/note && expect y/config/note "$text" $n
  attempt mkdir ../../networks/x && attempt rmdir ../../networks/x
  attempt rmdir y/ports/p && attempt rmdir y && continue
  tidy
done`,
  },
  async check(mount, said) {
    if (said.some(({ word }) => word === 'cut')) return [];
    const left = await mount.run('ls -d nf-types/host/[xy] networks/x 2> /dev/null || true');
    return left === '' ? [] : [`what was removed is there: ${left}`];
  },
};
