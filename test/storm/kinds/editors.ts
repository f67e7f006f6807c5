import { droppedPort, firewallThatRuns, rulesFor } from '../guest-rules.ts';
import { differing, type Kind } from '../kind.ts';

/** An editor's way to save: a new file, synced, renamed over nf_conf; now and then by cp, which looks at close(2). */
export const editors: Kind = {
  name: 'editors',
  setUp: firewallThatRuns('editors'),
  program: {
    language: 'bash',
    text: String.raw`
cd nf-types/firewall/editors
attempt get machine/vm.id && pid=$text
n=$((STORM_ROUND * 500 % 50000))
begin() { echo "${rulesFor('$n')}" > config/.new; }
rules() { text=$(nsenter --net --target $pid nft list ruleset | sed -n 's/.*dport \([0-9]*\) .*drop.*/\1/p'); }
while more; do
  n=$((n + 1))
  attempt begin && attempt sync config/.new || continue
  say try $n
  if [ $((n % 3)) = 0 ]; then attempt cp config/.new config/nf_conf; else attempt mv config/.new config/nf_conf; fi || continue
  say ok $n
  attempt rules && expect 'the rules of the guest' "$text" $n
done`,
  },
  async check(mount, said) {
    return differing('the rules of the guest', await droppedPort(mount, 'editors'), said);
  },
};
