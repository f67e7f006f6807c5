import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRoutes } from '../../src/middleboxes/languages/routes/parse.ts';
import { parseTc } from '../../src/middleboxes/languages/tc/parse.ts';

describe('parseRoutes', () => {
  it('takes routes in the syntax of ip-route', () => {
    const text = `# comment\n10.3.0.0/24 via 10.2.0.2 # why\n\n default  via fd00::1 dev wan metric 5\nblackhole 192.0.2.0/24\n10.9.9.9/32 dev lan onlink\n`;
    assert.deepEqual(
      parseRoutes(text).map(({ key, line, words }) => [key, line, words.join(' ')]),
      [
        ['4 10.3.0.0/24 main 0', 2, 'unicast 10.3.0.0/24 via 10.2.0.2'],
        ['6 default main 5', 4, 'unicast default via fd00::1 dev wan metric 5'],
        ['4 192.0.2.0/24 main 0', 5, 'blackhole 192.0.2.0/24'],
        ['4 10.9.9.9 main 0', 6, 'unicast 10.9.9.9 dev lan onlink'],
      ],
    );
  });

  const refused: Readonly<Record<string, string | RegExp>> = {
    '10.3.0.0/24': 'nf_conf line 1: 10.3.0.0/24 goes nowhere: write "via ADDRESS" or "dev PORT"',
    '\n10.3.0.1/24 via 10.2.0.2': 'nf_conf line 2: 10.3.0.1/24 has host bits set: write 10.3.0.0/24',
    '10.3.0.0/24 vai 10.2.0.2': 'nf_conf line 1: "vai" means nothing in a route (did you mean "via"?)',
    '10.3.0.0/24 via': 'nf_conf line 1: nothing follows via',
    '10.3.0.0/24 via 10.2.0.2 via 10.2.0.3': 'nf_conf line 1: via is given twice',
    '10.3.0.0/24 via fd00::1': 'nf_conf line 1: 10.3.0.0/24 and fd00::1 are not of one address family',
    '10.3.0.0/24 dev a\n10.3.0.0/24 dev b': 'nf_conf line 2: the same route is on line 1: give one of them another metric',
    'nonsense dev a': /^nf_conf line 1: "nonsense" is not an IP address/,
    '10.3.0.0/24 dev ;reboot': 'nf_conf line 1: ";reboot" is not a port',
    '10.3.0.0/24 dev a proto static': /"proto" means nothing/,
    '10.3.0.0/24 dev a metric 1e3': 'nf_conf line 1: "1e3" is not a number',
  };
  for (const [text, message] of Object.entries(refused)) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseRoutes(text), { code: 'ConfigurationError', errnoName: 'EINVAL', message });
    });
  }
});

describe('parseTc', () => {
  it('takes commands in batch syntax', () => {
    const text = `# comment
qdisc add dev wan root handle 1: htb default 10
class add dev wan parent 1: classid 1:10 htb rate 10mbit ceil 20mbit
filter add dev wan parent 1: protocol ip prio 1 u32 match ip dport 80 0xffff flowid 1:10
filter add dev lan ingress protocol ip matchall action police rate 1mbit burst 10k drop
`;
    assert.deepEqual(
      parseTc(text).map(({ port, line }) => [port, line]),
      [
        ['wan', 2],
        ['wan', 3],
        ['wan', 4],
        ['lan', 5],
      ],
    );
  });

  const refused: Readonly<Record<string, string | RegExp>> = {
    'qdsic add dev wan root tbf': 'nf_conf line 1: "qdsic" is none of qdisc, class, filter (did you mean "qdisc"?)',
    'exec bpf import /tmp/x run sh': /"exec" is none of qdisc, class, filter/,
    'qdisc del dev wan root': 'nf_conf line 1: "del" is none of add, replace, change',
    'qdisc add wan root tbf': 'nf_conf line 1: write "qdisc add dev PORT …"',
    'qdisc add dev wan root tfb rate 1mbit': /there is no qdisc "tfb" here \(did you mean "tbf"\?\)/,
    'qdisc add dev wan root /tmp/evil': /"\/tmp\/evil" looks like a path/,
    'filter add dev wan parent 1: bpf object-file x': /"bpf" is not allowed here/,
    'filter add dev wan parent 1: u32 match u32 0 0 action evil': /the action "evil" is not one of/,
    'filter add dev wan parent 1: u32 match u32 0 0 act evil': /the action "evil" is not one of/,
    'filter add dev wan parent 1: u32 match u32 0 0 a evil': /the action "evil" is not one of/,
    'qdisc add dev wan root netem distribution x': /"distribution" is not allowed here/,
    'qdisc add dev wan root': /the kind of qdisc is missing/,
    'qdisc add dev wan root tbf rate $(reboot)': /has characters that no tc command needs/,
  };
  for (const [text, message] of Object.entries(refused)) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseTc(text), { code: 'ConfigurationError', errnoName: 'EINVAL', message });
    });
  }
});
