import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { ChainLab, errnoText } from '../support/chain-lab.ts';
import { needs } from '../support/needs.ts';

/* A service chain is copied, taken out of the tree and put back with the tools that people have for files. */

let lab: ChainLab;
let outside: string;

before(async () => {
  lab = await ChainLab.start(['fw-a', 'fw-b', 'fw-c']);
});

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'nfio-copies-'));
  await lab.run(`cd chns; for c in *; do [ ! -d $c ] || { echo stop > $c/action || true; rm -r $c; }; done 2> /dev/null; mkdir web; cd web
    ln -s ../../nf-types/firewall/fw-a one; ln -s ${lab.vnf('fw-b')} two; ln -s ../../../nf-types/firewall/fw-c two/
    ln -s one start; ln -s ../two one/next; echo lan > ingress; echo wan > egress; echo 'icmp type { echo-request, echo-reply }' > match
    echo 7 > priority; echo open > policy/failure; echo transparent > one/mode; chown 7:8 two/mode; echo activate > action`);
});

afterEach(() => rm(outside, { recursive: true, force: true }));

after(() => lab[Symbol.asyncDispose]());

const values = [
  'ingress',
  'egress',
  'match',
  'priority',
  'policy/failure',
  'one/mode',
  'two/mode',
  'one/replicas',
  'two/replicas',
  'error',
];

function facts(chain: string): Promise<string> {
  return lab.run(`cd chns/${chain}; find . -type l -printf '%p -> %l\\n' | sort; grep -H '' ${values.join(' ')}`);
}

async function isCopy(copy: string): Promise<void> {
  assert.equal(await facts(copy), await facts('web'));
  assert.equal(
    await lab.run(`cd chns; cat ${copy}/{status,action,verify,trace,stats/in_packets} web/status`),
    'inactive\nactivate\nactive\n',
  );
}

async function quietly(script: string): Promise<void> {
  const { status, stdout, stderr } = await lab.mount.sh(`cd chns; ${script}`, { env: { out: outside, HOME: outside }, timeoutMs: 40_000 });
  assert.deepEqual({ script, status, stdout, stderr }, { script, status: 0, stdout: '', stderr: '' });
}

describe('copies of a service chain are inactive and have its hops, links and values', () => {
  for (const script of [
    'cp -r web web2',
    'cp -a web web2',
    'cp -r web $out/; cp -r $out/web web2',
    'cp -r web web3; cp -r web3 web2',
    'tar c web | tar x --transform s/web/web2/rS',
    'tar cf $out/a.tar web; mkdir web2; tar xf $out/a.tar --strip-components=1 -C web2; tar xf $out/a.tar --strip-components=1 -C web2',
  ]) {
    test(script, async () => {
      await quietly(script);
      await isCopy('web2');
    });
  }

  for (const script of [
    'rsync -a web/ web2/',
    'rsync -a web $out/; rsync -a $out/web/ web2',
    'rsync -a web $out/; rsync -a --inplace $out/web/ web2; rsync -a --checksum $out/web/ web2',
  ]) {
    test(script, async (context) => {
      if (!(await needs('rsync', context))) return;
      await quietly(script);
      await isCopy('web2');
      assert.equal(await lab.run('stat -c %u:%g chns/web2/two/mode'), '7:8\n');
    });
  }

  test('git checkout and git restore', async (context) => {
    if (!(await needs('git', context))) return;
    const git = 'git --git-dir=$out/.git --work-tree=.';
    await quietly('cp -r web $out/web2; cd $out; git init -q; git add .; git -c user.name=a -c user.email=a@b commit -qm one');
    await quietly(`${git} checkout -q HEAD -- web2`);
    await isCopy('web2');
    await quietly(`echo 8 > web2/priority; rm web2/one/next; ${git} restore web2`);
    await isCopy('web2');
  });
});

test('a copy wants the same packets, and is activated with another priority or once the original is stopped', async () => {
  await quietly('cp -r web web2');
  const refused = await lab.sh('echo activate > chns/web2/action');
  assert.match(errnoText(refused), /File exists/);
  assert.match((await lab.values('web2', 'error')).join(), /^activate: chns\/web has priority 7 too and can match the same packets/);
  await quietly('echo 6 > web2/priority; echo routed > web2/one/mode; echo activate > web2/action');
  assert.equal(await lab.ping(), 3);
  assert.deepEqual(await lab.counts('web2', 'one', 'two'), [6, 6]);
});

test('a copy can be renamed, taken apart and removed; the original steers on', async () => {
  await quietly('cp -r web web2; mv web2 web3');
  await isCopy('web3');
  await quietly(
    'rm web3/error web3/stats/drops; echo stop > web/action; echo activate > web3/action; test -e web3/error; echo stop > web3/action',
  );
  await quietly('echo activate > web/action; rm -r web3; test ! -e web3');
  assert.deepEqual(await lab.values('web', 'status', 'path'), ['active', 'lan → fw-a → {fw-b,fw-c} → wan']);
});

test('absolute links keep their text too: those between hops lead out of the copy', async () => {
  await quietly(`ln -sfn ${lab.mount.path}/chns/web/one web/start; cp -r web web2`);
  assert.deepEqual(await lab.values('web2', 'error'), [`start leads to ${lab.mount.path}/chns/web/one, which is no hop of this chain`]);
  await quietly('ln -sfn one web2/start');
  assert.deepEqual(await lab.values('web2', 'error'), ['']);
});

test('tar restores hundreds of links, which it makes at the end', async () => {
  await quietly('mkdir big big/hop; for i in {1..300}; do ln -s ../../../nf-types/firewall/fw-$i big/hop/; done');
  await quietly('tar c big | tar x --transform s/big/big2/rS; diff <(ls big/hop) <(ls big2/hop)');
});

test('a copy of a hop with replicas has the same instances, and makes none', async () => {
  await quietly('echo 3 > web/two/replicas');
  const instances = await lab.run('ls nf-types/firewall');
  await quietly('cp -r web web2; tar c web2 | tar x --transform s/web2/web3/rS');
  for (const copy of ['web2', 'web3']) await isCopy(copy);
  assert.equal(await lab.run('ls nf-types/firewall'), instances);
  await quietly('echo 2 > web/two/replicas');
});

describe('live files of a service chain', () => {
  test('that is not active take and ignore what is written', async () => {
    await quietly('cp -r web web2; for f in status error path stats/drops one/stats/drops; do echo nonsense > web2/$f; done');
    await isCopy('web2');
    assert.match(errnoText(await lab.sh('echo 1 > chns/web2/verify')), /Invalid argument/);
  });

  test('that is active refuse it', async () => {
    for (const file of ['status', 'error', 'path', 'stats/drops', 'one/stats/drops'])
      assert.match(errnoText(await lab.sh(`echo nonsense > chns/web/${file}`)), /Permission denied/, file);
  });
});

describe('a copy onto an active service chain changes its values and links at once, refuses its live files, and says so', () => {
  for (const [script, refusal] of [
    ['cp -r $out/web .', /web\/action': Permission denied/],
    ['tar c -C $out web | tar x', /web\/action: Cannot open/],
    ['rsync -a $out/web .', /web\/action": Permission denied/],
  ] as const) {
    test(script, async (context) => {
      if (!(await needs(script.split(' ')[0] ?? '', context))) return;
      // rsync takes what has the same size, and time to the second, for the same.
      await quietly(
        'cp -r web $out/; rm $out/web/two/next 2> /dev/null; echo 9 > $out/web/priority; touch -d tomorrow $out/web/priority $out/web/action',
      );
      const { status, stderr } = await lab.mount.sh(`cd chns; ${script}`, { env: { out: outside } });
      assert.notEqual(status, 0);
      assert.match(stderr, refusal);
      assert.deepEqual(await lab.values('web', 'status', 'error'), ['active']);
      // tar removes each value before it writes it, which an active service chain does not let it.
      assert.deepEqual(await lab.values('web', 'priority'), [script.startsWith('tar') ? '7' : '9']);
      assert.equal(await lab.run('cd chns/web; find . -type l | sort | xargs echo; ls one two | xargs echo'), linksAndFiles);
    });
  }
});

const linksAndFiles = `./one/fw-a ./one/next ./start ./two/fw-b ./two/fw-c
one: fw-a mode next replicas stats two: fw-b fw-c mode replicas stats
`;
