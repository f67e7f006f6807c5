import { differing, type Kind } from '../kind.ts';

/** The verbs of a VNF: what was confirmed is the state of its guest. */
export const lives: Kind = {
  name: 'lives',
  setUp: 'mkdir -p nf-types/host/lives/ports/p networks/lives; echo lives > nf-types/host/lives/ports/p/network',
  program: {
    language: 'bash',
    text: `
cd nf-types/host/lives
become() { # VERB STATUS
  say try "$2"
  act() { echo $1 > action; }
  attempt act $1 || return 1
  say ok "$2"
  attempt get status && expect "status after $1" "$text" "$2"
  if [ "$2" = running ]; then attempt get machine/vm.id && attempt kill -0 $text; fi
}
attempt get status
[ "$text" = undeployed ] || become destroy undeployed
while more; do
  become activate running && become pause paused && become unpause running && say try 'exited (143)' && become restart running && become stop 'exited (143)' &&
    become start running && become destroy undeployed && continue
  attempt get status && [ "$text" != undeployed ] && become destroy undeployed
done`,
  },
  async check(mount, said) {
    const status = (await mount.run('cat nf-types/host/lives/status')).trim();
    // Both processes were killed in the middle of a verb: it is half done, and nobody is left to say so.
    if (said.at(-1)?.word === 'cut' && said.at(-2)?.word === 'try') return [];
    return differing('status', status, said);
  },
};
