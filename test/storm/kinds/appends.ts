import type { Kind } from '../kind.ts';

/** A shell that appends lines to a file in config/: each is there once, in order. */
export const appends: Kind = {
  name: 'appends',
  setUp: 'mkdir -p nf-types/host/appends',
  program: {
    language: 'bash',
    text: `
cd nf-types/host/appends/config
append() { echo $n >> log.$STORM_ROUND; }
exec 5>> held.$STORM_ROUND
append_held() { echo $n >&5; }
n=0
while more; do
  n=$((n + 1))
  say try $n
  attempt append && attempt append_held && say ok $n
done`,
  },
  async check(mount, said) {
    const confirmed = said.filter(({ word }) => word === 'ok').map(({ rest }) => rest);
    const tried = new Set(said.filter(({ word }) => word === 'try').map(({ rest }) => rest));
    const wrong: string[] = [];
    for (const name of ['log', 'held']) {
      const lines = (await mount.run(`cd nf-types/host/appends/config; cat $(ls -tr | grep '^${name}[.]' | tail -n 1)`))
        .split('\n')
        .slice(0, -1);
      const there = new Set(lines);
      const lost = confirmed.filter((line) => !there.has(line));
      if (lost.length > 0) wrong.push(`${name}: lines ${lost.slice(0, 5).join(', ')} were appended and are not there`);
      if (there.size < lines.length) wrong.push(`${name}: ${lines.length - there.size} lines are there twice`);
      const strange = lines.filter((line) => !tried.has(line));
      if (strange.length > 0) wrong.push(`${name}: nobody wrote ${JSON.stringify(strange.slice(0, 5))}`);
    }
    return wrong;
  },
};
