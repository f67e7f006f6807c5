import { differing, type Kind } from '../kind.ts';

/** Values, set by a shell: each that was confirmed is read back, at once and at the end. */
export const settings: Kind = {
  name: 'settings',
  setUp: 'mkdir -p nf-types/host/settings',
  program: {
    language: 'bash',
    text: `
cd nf-types/host/settings
n=$((STORM_ROUND * 100000))
set_memory() { echo "$((n + 65536))K" > machine/vm.memory; }
while more; do
  n=$((n + 1)); bytes=$(((n + 65536) * 1024))
  say try $bytes
  attempt set_memory || continue
  say ok $bytes
  attempt get machine/vm.memory && expect machine/vm.memory "$text" $bytes
done`,
  },
  async check(mount, said) {
    return differing('machine/vm.memory', (await mount.run('cat nf-types/host/settings/machine/vm.memory')).trim(), said);
  },
};
