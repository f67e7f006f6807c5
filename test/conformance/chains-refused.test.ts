import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { whyNoGuests } from '../support/netns-world.ts';
import { shell } from '../support/shell.ts';

/* What cannot be done with service chains: the errno, the sentence, and nothing lost. */

describe('service chains refuse', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let lab: ChainLab;

  before(async () => {
    lab = await ChainLab.start(['a', 'b']);
    await lab.serve(80);
    await lab.run('mkdir nf-types/firewall/asleep networks/bare networks/six; echo fd00::/64 > networks/six/subnet');
    await lab.chain('web', ['a', 'b'], { match: 'tcp dport 80' });
  });
  after(() => lab[Symbol.asyncDispose]());

  const refused = async (script: string): Promise<string> => errnoText(await lab.sh(script));
  const error = async (chain = 'web'): Promise<string> => (await lab.values(chain, 'error'))[0] ?? '';

  for (const [script, errno] of [
    ['mkdir chns/_web', 'Invalid argument'],
    ['mkdir chns/web', 'File exists'],
    ['mkdir chns/web/action', 'File exists'],
    ['mkdir chns/web/a', 'File exists'],
    ['mkdir chns/web/a/sub', 'Operation not permitted'],
    ['mkdir chns/web/policy/sub', 'Operation not permitted'],
    ['touch chns/web/file', 'Operation not permitted'],
    ['ln -s x chns/dangling', 'Operation not permitted'],
    ['ln -s x networks/lan/link', 'Operation not permitted'],
    ['ln -s x nf-types/firewall/a/link', 'Operation not permitted'],
    ['ln -s a chns/web/start', 'File exists'],
    ['ln -s ../b chns/web/a/next', 'File exists'],
    ['ln -s /x/y chns/web/a/mode', 'File exists'],
    ['ln chns/web/start chns/web/other', 'Operation not permitted'],
    ['rm chns/web/a', 'Is a directory'],
    ['rmdir chns/web/start', 'Not a directory'],
    ['rmdir chns/nosuch', 'No such file or directory'],
    ['mv chns/web/a chns/web/status', 'Not a directory'],
    ['mv -T chns/web/a chns/web/b', 'File exists'],
    ['mv chns/web networks/web', 'Operation not permitted'],
    ['echo run > chns/web/action', 'Invalid argument'],
    ['echo stop > chns/web/action', 'Invalid argument'],
    ['echo 70000 > chns/web/priority', 'Invalid argument'],
    ['echo maybe > chns/web/policy/failure', 'Invalid argument'],
  ] as const) {
    test(`${script}: ${errno}`, async () => {
      const before = await lab.run('find chns | sort');
      const said = await lab.sh(script);
      assert.notEqual(said.status, 0);
      // mv tries more than one call and tells of the last.
      if (!script.startsWith('mv')) assert.equal(errnoText(said), errno);
      assert.equal(await lab.run('find chns | sort'), before);
    });
  }

  test('a match that lacks its value tells what is missing, and of one that is right', async () => {
    assert.equal(await refused('echo icmp > chns/web/match'), 'Invalid argument');
    assert.match(
      await error(),
      /^match: syntax error, something is missing at its end\. Fix: write conditions of nft\(8\), such as: tcp dport/,
    );
  });

  for (const match of [
    'tcp dport',
    'tcp dport 80; drop',
    'tcp dport 80 drop',
    'tcp dport 80 counter',
    'tcp dport 80 } }',
    'ip saddr @set',
    'ct state new',
    'meta mark set 1',
    'include "/etc/passwd"',
    '$x',
    'iifname web.in',
    'jhash ip saddr mod 2 0',
    'tcp dport 80 # comment',
    'tcp dport 80\\\n tcp sport 1',
  ]) {
    test(`the match ${JSON.stringify(match)}`, async () => {
      assert.equal(await refused(`printf '%s' '${match}' > chns/web/match`), 'Invalid argument');
      const sentence = await error();
      assert.match(sentence, /^match: ./);
      assert.doesNotMatch(sentence, /match: match|continue/);
      assert.deepEqual(await lab.values('web', 'match'), ['tcp dport 80']);
    });
  }

  for (const [what, edit, undo, errno, sentence] of [
    ['a loop', 'ln -s ../a b/next', 'rm b/next', 'Too many levels of symbolic links', /a comes again after b/],
    [
      'a link to no instance',
      'ln -s /nowhere/at/all a/other',
      'rm a/other',
      'No such file or directory',
      /hop a: other leads to \/nowhere\/at\/all, which is no instance/,
    ],
    ['an instance of another type', `ln -s ../../../nf-types/router/r a/`, 'rm a/r', 'Invalid argument', /two types, firewall and router/],
    [
      'an instance twice',
      'ln -s ../../../nf-types/firewall/b a/',
      'rm a/b',
      'Invalid argument',
      /nf-types\/firewall\/b is in hop a and again in hop b/,
    ],
    [
      'an instance that sleeps',
      'ln -s ../../../nf-types/firewall/asleep a/',
      'rm a/asleep',
      'No such device',
      /hop a: nf-types\/firewall\/asleep is undeployed\. Run: echo activate >/,
    ],
    ['no start', 'rm start', 'ln -s a start', 'Invalid argument', /there is no start/],
    ['a hop that nothing leads to', 'rm a/next', 'ln -s ../b a/next', 'Invalid argument', /nothing leads to hop b/],
    [
      'a network that is not there',
      'echo nosuch > egress',
      'echo wan > egress',
      'No such file or directory',
      /the egress nosuch is no network\. Run: mkdir networks\/nosuch/,
    ],
    ['a network without subnet', 'echo bare > egress', 'echo wan > egress', 'Invalid argument', /bare has no subnet/],
    [
      'networks of two versions of IP',
      'echo six > egress',
      'echo wan > egress',
      'Invalid argument',
      /lan has 10\.1\.0\.0\/24 and six has fd00::\/64: give both a subnet of one version of IP/,
    ],
    [
      'a match that is for the other version of IP',
      'echo "ip6 saddr fd00::1 tcp dport 80" > match',
      'echo tcp dport 80 > match',
      'Invalid argument',
      /match: "ip6 saddr fd00::1 tcp dport 80" is about packets that are not on lan and wan, which both have IPv4/,
    ],
    ['one end', 'echo lan > egress', 'echo wan > egress', 'Invalid argument', /ingress and egress are both lan/],
  ] as const) {
    test(`to be active with ${what}`, async () => {
      await lab.run(`cd chns/web; ${edit}`);
      assert.equal(await refused('echo activate > chns/web/action'), errno);
      assert.match(await error(), sentence);
      assert.deepEqual(await lab.values('web', 'status'), ['inactive']);
      await lab.run(`cd chns/web; ${undo}`);
    });
  }

  test('what would take something from under an active one', async () => {
    await lab.act('web', 'activate');
    assert.equal(await refused('echo activate > chns/web/action'), 'Invalid argument');
    assert.equal(await refused('rmdir chns/web'), 'Device or resource busy');
    assert.match(await error(), /chns\/web is active and cannot be removed\. Run: echo stop > chns\/web\/action$/m);
    assert.match((await lab.sh('mv chns/web chns/other')).stderr, /Device or resource busy/);
    await lab.run('mkdir networks/alone; echo 10.9.0.0/24 > networks/alone/subnet; echo alone > chns/web/egress');
    assert.equal(await refused('rmdir networks/alone'), 'Device or resource busy');
    assert.match(await lab.run('cat networks/alone/error'), /network alone is the egress of chns\/web, which is active/);
    await lab.run('echo wan > chns/web/egress; rmdir networks/alone');
    assert.equal(await lab.connect(80), 'port 80\n');
    await lab.act('web', 'stop');
  });

  test('to steer what is not their owner’s', async () => {
    const alice = 4242;
    const as = (script: string) => shell(script, { cwd: lab.mount.path, uid: alice });
    await lab.run(`mkdir chns/hers; chown ${alice}:${alice} chns/hers chns/hers/*; chmod 755 chns/hers`);
    const made = await as('cd chns/hers; ln -s ../../nf-types/firewall/a a && ln -s a start && echo lan > ingress && echo wan > egress');
    assert.equal(made.status, 0, made.stderr);
    assert.equal(await lab.run('stat -c %u chns/hers/a chns/hers/a/a chns/hers/start'), `${alice}\n`.repeat(3));
    assert.equal(errnoText(await as('echo activate > chns/hers/action')), 'Operation not permitted');
    assert.match(await error('hers'), /chns\/hers belongs to user 4242, and networks\/lan to user 0/);
    assert.equal(errnoText(await as('echo x > chns/web/match')), 'Permission denied');
    assert.equal(errnoText(await as('ln -s b chns/web/extra')), 'Permission denied');
    await lab.run(`chown -R ${alice} networks/lan networks/wan nf-types/firewall/a`);
    const activated = await as('echo activate > chns/hers/action && cat chns/hers/status');
    assert.equal(activated.stdout, 'active\n', activated.stderr);
    await lab.run(`echo stop > chns/hers/action; chown -R 0 networks/lan networks/wan; rm -r chns/hers`);
  });

  test('nothing: a server that is killed at any moment of an activation leaves one that is whole or not there', async () => {
    // A fifth crash, each soon after the one before, would be taken for hopeless.
    for (const afterMs of [3, 12, 30, 60]) {
      const writing = lab.sh('echo activate > chns/web/action');
      await delay(afterMs);
      process.kill(await lab.mount.server(), 'SIGKILL');
      await writing;
      await lab.until(async () => (await lab.sh('cat chns/web/status')).status === 0, 'the next server answers');
      if ((await lab.values('web', 'status'))[0] === 'inactive') await lab.act('web', 'activate');
      const [before = 0] = await lab.counts('web', 'a');
      assert.equal(await lab.connect(80), 'port 80\n', `killed after ${afterMs} ms`);
      assert.ok(((await lab.counts('web', 'a'))[0] ?? 0) >= before + 8);
      await lab.act('web', 'stop');
      assert.equal(await lab.connect(80), 'port 80\n');
      assert.doesNotMatch(await lab.in('a', 'ip -o link; ip rule', 'firewall'), /web/);
    }
  });
});
