import { droppedPort, firewallThatRuns, rulesFor } from '../guest-rules.ts';
import { differing, type Kind } from '../kind.ts';

/** A shell that saves nf_conf: once the redirection is over, that is what runs in the guest. */
export const saves: Kind = {
  name: 'saves',
  setUp: firewallThatRuns('saves'),
  program: {
    language: 'bash',
    text: String.raw`
cd nf-types/firewall/saves
attempt get machine/vm.id && pid=$text
n=$((STORM_ROUND * 500 % 50000))
save() { echo "${rulesFor('$n')}" > config/nf_conf; }
rules() { text=$(nsenter --net --target $pid nft list ruleset | sed -n 's/.*dport \([0-9]*\) .*drop.*/\1/p'); }
while more; do
  n=$((n + 1))
  say try $n
  attempt save || continue
  attempt get status # bash does not tell that close(2) failed: what ends here was not confirmed
  say ok $n
  attempt rules && expect 'the rules of the guest' "$text" $n
  attempt get config/nf_conf && expect nf_conf "$text" "${rulesFor('$n')}"
done`,
  },
  async check(mount, said) {
    return differing('the rules of the guest', await droppedPort(mount, 'saves'), said);
  },
};
