import { droppedPort, firewallThatRuns, rulesFor } from '../guest-rules.ts';
import { differing, type Kind } from '../kind.ts';

/** A program that looks at close(2) and fsync(2): good rules are in force when they succeed, bad ones are refused and change nothing. */
export const refusals: Kind = {
  name: 'refusals',
  setUp: firewallThatRuns('refusals'),
  program: {
    language: 'python',
    text: String.raw`
import re, subprocess
from storm import *
os.chdir('nf-types/firewall/refusals')
pid = (read('machine/vm.id') or '').strip()

def in_force():
    listed = subprocess.run(['nsenter', '--net', '--target', pid, 'nft', 'list', 'ruleset'], capture_output=True, text=True).stdout
    return ''.join(re.findall(r'dport (\d+) .*drop', listed)) or listed

n = round_number * 500 % 50000
while more():
    n += 1
    say('try', n)
    rules = '${rulesFor('NUMBER')}\n'.replace('NUMBER', str(n))
    if write('config/nf_conf', rules, sync=n % 2 == 0) is not None:
        continue
    say('ok', n)
    expect('the rules of the guest', in_force(), str(n))
    failure = write('config/nf_conf', 'table inet filter { nonsense }\n', sync=n % 3 == 0, refused=('EINVAL',))
    if failure is None:
        say('wrong', f'bad rules were taken after {n}')
    expect('the rules after a refusal', in_force(), str(n))
    expect('.applied/nf_conf', read('config/.applied/nf_conf'), rules)
`,
  },
  async check(mount, said) {
    return differing('the rules of the guest', await droppedPort(mount, 'refusals'), said);
  },
};
