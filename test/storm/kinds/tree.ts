import type { Kind } from '../kind.ts';

/** Directories, names and links in config/, made, renamed and removed by a shell: each is done once, and confirmed. */
export const tree: Kind = {
  name: 'tree',
  setUp: 'mkdir -p nf-types/host/tree/config/d',
  program: {
    language: 'bash',
    text: `
cd nf-types/host/tree/config/d
create() { set -C; echo $n > x/f; set +C; }
rm -rf x y # of a round that was cut
n=0
while more; do
  n=$((n + 1))
  attempt mkdir x && attempt create && attempt ln x/f x/g && attempt ln -s f x/s && attempt mv x/f x/h && attempt get x/h && expect x/h "$text" $n
  attempt mv x y && attempt rm y/g y/s y/h && attempt rmdir y && continue
  attempt rm -rf x y
done`,
  },
  async check(mount, said) {
    if (said.some(({ word }) => word === 'cut')) return [];
    const left = await mount.run('ls nf-types/host/tree/config/d');
    return left === '' ? [] : [`what was removed is there: ${left}`];
  },
};
