import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';

/* What is refused leaves a sentence: in events, and in the `error` of what it was about. */

const module = `import { existsSync } from 'node:fs';
export default {
  summary: 'A module whose file cannot be read while /tmp/STATE is not there',
  hooks: { getattr() { throw new Error('no attributes today'); } },
  files: [{ path: 'sessions', mode: 0o444, read() { if (!existsSync('STATE')) throw new Error('the table is broken'); return '7\\n'; } }],
  run: { netns: {} },
};
`;

const slowModule = `export default {
  summary: 'A module whose configuration takes long to check',
  configuration: {
    default: 'any',
    language: { name: 'slow', check: () => new Promise((resolve) => setTimeout(resolve, 13000)), async apply() {} },
  },
  run: { netns: {} },
};
`;

describe('refusals', { timeout: 240_000 }, () => {
  let mount: TestMount;
  let modules: string;

  before(async () => {
    modules = mkdtempSync(join(tmpdir(), 'nfio-modules-'));
    writeFileSync(join(modules, 'sessions.mjs'), module.replaceAll('STATE', join(modules, 'state')));
    writeFileSync(join(modules, 'slow.mjs'), slowModule);
    mount = await TestMount.start({ modules });
    await mount.run(
      'mkdir nf-types/host nf-types/dns nf-types/host/h networks/lan networks/wan hosts/b chns/web nf-types/host/h/ports/eth0',
    );
  });
  after(async () => {
    await mount[Symbol.asyncDispose]();
    rmSync(modules, { recursive: true });
  });

  type Event = { readonly path: string; readonly what: string; readonly why: string };
  const eventsAt = async (path: string): Promise<Event[]> => {
    const lines = (await mount.run('cat events')).trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Event).filter((event) => event.path === path);
  };
  /** The newest event at a path, when there are as many: the file has them soon after what they tell of. */
  const eventAt = async (path: string, count = 1): Promise<Event | undefined> => {
    for (let tries = 0; tries < 100 && (await eventsAt(path)).length < count; tries += 1) await delay(50);
    return (await eventsAt(path)).at(-1);
  };

  for (const [path, why] of [
    ['nf-types/Bad', 'type name "Bad": '],
    ['nf-types/host/b ad', 'VNF name "b ad": '],
    ['networks/-x', 'network name "-x": '],
    ['hosts/a b', 'host name "a b": '],
    ['chns/.x', 'service chain name ".x": '],
    ['foo', 'a directory foo means nothing here'],
    ['nf-types/nosuch', 'there is no built-in module "nosuch"'],
  ] as const) {
    test(`mkdir '${path}' is told in events`, async () => {
      assert.equal((await mount.sh(`mkdir '${path}'`)).status, 1);
      const event = await eventAt(path);
      assert.match(event?.what ?? '', /^mkdir .*failed$/);
      assert.ok(event?.why.startsWith(why), event?.why);
      const { length } = await eventsAt(path);
      assert.equal((await mount.sh(`mkdir '${path}'`)).status, 1);
      await eventAt(path, length + 1);
      assert.equal((await eventsAt(path)).length, length + 1, 'each is told once');
    });
  }

  test('a port of a wrong name is told in error of its VNF, until one is made', async () => {
    assert.equal((await mount.sh("mkdir 'nf-types/host/h/ports/e 0'")).status, 1);
    assert.match(await mount.run('cat nf-types/host/h/error'), /^mkdir e 0: port name "e 0": only /);
    await mount.run('mkdir nf-types/host/h/ports/e0');
    assert.equal(await mount.run('cat nf-types/host/h/error'), '');
  });

  for (const [from, to, error, why] of [
    ['networks/lan', 'networks/lan2', 'networks/lan/error', /a network keeps its name/],
    ['hosts/b', 'hosts/c', 'hosts/b/error', /a host keeps its name/],
    ['nf-types/host/h/ports/eth0', 'nf-types/host/h/ports/eth1', 'nf-types/host/h/error', /a port keeps its name/],
    ['nf-types/host/h', 'nf-types/dns/h', 'nf-types/host/h/error', /a VNF stays in its type/],
    ['nf-types/host/h', 'nf-types/host/h 2', 'nf-types/host/h/error', /VNF name "h 2": only/],
    ['nf-types/host/h/machine', 'nf-types/host/h/other', 'nf-types/host/h/error', /machine belongs to the tree/],
    ['chns/web', 'chns/w eb', 'chns/web/error', /service chain name "w eb": only/],
    ['nf-types/host', 'nf-types/hosta', undefined, /a type has the name of its module/],
  ] as const) {
    test(`mv '${from}' '${to}' is refused with a reason`, async () => {
      assert.equal((await mount.sh(`mv -T '${from}' '${to}'`)).status, 1);
      assert.match((await eventAt(from))?.why ?? '', why);
      if (error !== undefined) assert.match(await mount.run(`cat ${error}`), why);
    });
  }

  for (const [script, path, error, why] of [
    [
      'touch nf-types/host/h/notes',
      'nf-types/host/h/notes',
      'nf-types/host/h/error',
      /^create notes: a file notes means nothing here: files of your own/,
    ],
    [
      'echo 1 > nf-types/host/h/stats/mine',
      'nf-types/host/h/stats/mine',
      'nf-types/host/h/error',
      /^create mine: a file mine means nothing here/,
    ],
    ['touch chns/web/x', 'chns/web/x', 'chns/web/error', /^create x: a file x means nothing here/],
    ['touch networks/lan/x', 'networks/lan/x', 'networks/lan/error', /^create x: a file x means nothing here/],
    ['touch networks/x', 'networks/x', undefined, /a file x means nothing here/],
    [
      'ln -s /tmp nf-types/host/h/x',
      'nf-types/host/h/x',
      'nf-types/host/h/error',
      /^create x: a link x means nothing here: links are made in service/,
    ],
    [
      'ln nf-types/host/h/status nf-types/host/h/y',
      'nf-types/host/h/y',
      'nf-types/host/h/error',
      /^create y: a hard link y means nothing here/,
    ],
    ['mkfifo nf-types/host/h/z', 'nf-types/host/h/z', 'nf-types/host/h/error', /^create z: a special file z means nothing here/],
  ] as const) {
    test(`${script} is refused with a reason`, async () => {
      const { status, stderr } = await mount.sh(script);
      assert.equal(status, 1);
      assert.match(stderr, /Operation not permitted/);
      assert.match((await eventAt(path))?.why ?? '', /means nothing here/);
      if (error !== undefined) assert.match(await mount.run(`cat ${error}`), why);
    });
  }

  test("what a module's file cannot tell is told in error, while that is so", async () => {
    await mount.run('mkdir nf-types/sessions nf-types/sessions/s');
    for (let times = 0; times < 3; times += 1)
      assert.match((await mount.sh('cat nf-types/sessions/s/sessions')).stderr, /Input\/output error/);
    const sentence = /^read sessions: module sessions: .*the table is broken/;
    assert.match(await mount.run('cat nf-types/sessions/s/error'), sentence);
    assert.equal((await eventAt('nf-types/sessions/s/sessions'))?.what, 'read sessions failed');
    const told = (await mount.run('cat events')).split('\n').filter((line) => line.includes('the table is broken'));
    assert.equal(told.length, 1);
    assert.equal((await mount.run('cat events')).split('\n').filter((line) => line.includes('no attributes today')).length, 1);
    assert.notEqual((await mount.sh('echo fly > nf-types/sessions/s/action')).status, 0);
    assert.match((await mount.sh('cat nf-types/sessions/s/sessions')).stderr, /Input\/output error/);
    assert.match(await mount.run('cat nf-types/sessions/s/error'), /^fly: "fly" is not an action/, 'what a verb failed with stays');
    await mount.run('echo deploy > nf-types/sessions/s/action; echo destroy > nf-types/sessions/s/action');
    assert.match((await mount.sh('cat nf-types/sessions/s/sessions')).stderr, /Input\/output error/);
    assert.match(await mount.run('cat nf-types/sessions/s/error'), sentence);
    await mount.run(`touch ${join(modules, 'state')}; cat nf-types/sessions/s/sessions`);
    assert.equal(await mount.run('cat nf-types/sessions/s/error'), '');
  });

  test('a verb that takes long is told of while it goes on, and action offers no other', async () => {
    const script = `mkdir nf-types/slow nf-types/slow/s; cd nf-types/slow/s; exec 3< action; cat <&3
      echo activate > action & sleep 1; echo while; cat action; echo after; wait; cat action status`;
    const offered = await mount.run(script, { timeoutMs: 60_000 });
    assert.equal(offered, 'activate deploy\nwhile\nafter\nstop restart pause reload destroy\nrunning\n');
    await eventAt('nf-types/slow/s', 3);
    const [made, goesOn, activated] = await eventsAt('nf-types/slow/s');
    assert.equal(made?.what, 'mkdir');
    assert.equal(goesOn?.what, 'activate goes on');
    assert.match(goesOn?.why ?? '', /^it has taken 1\d s so far/);
    assert.equal(activated?.what, 'activate');
  });
});
