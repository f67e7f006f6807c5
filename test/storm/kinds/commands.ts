import { firewallThatRuns } from '../guest-rules.ts';
import type { Kind } from '../kind.ts';

/** Commands in a guest: one that was confirmed ran once; none ran twice. */
export const commands: Kind = {
  name: 'commands',
  setUp: firewallThatRuns('commands'),
  program: {
    language: 'bash',
    text: `
cd nf-types/firewall/commands
run() { echo "echo $STORM_ROUND.$n >> /tmp/ran; sleep 0.0$((n % 8)); echo printed $n" > command; }
n=0
while more; do
  n=$((n + 1))
  say try $STORM_ROUND.$n
  attempt run || continue
  say ok $STORM_ROUND.$n
  attempt get command && expect command "$text" "printed $n"
done`,
  },
  async check(mount, said) {
    const ran = (await mount.run('cat nf-types/firewall/commands/rfs/tmp/ran')).split('\n');
    const confirmed = said.filter(({ word }) => word === 'ok').map(({ rest }) => rest);
    const missing = confirmed.filter((number) => !ran.includes(number));
    const twice = new Set(ran.filter((number, index) => ran.indexOf(number) !== index));
    return [
      ...(missing.length === 0 ? [] : [`confirmed, and never ran: ${missing.slice(0, 5).join(', ')}`]),
      ...(twice.size === 0 ? [] : [`ran twice: ${[...twice].slice(0, 5).join(', ')}`]),
    ];
  },
};
