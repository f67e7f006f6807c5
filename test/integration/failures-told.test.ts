import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestMount } from '../support/mount.ts';
import { needs } from '../support/needs.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* What does not run says why, in `error`, where people look, and leaves the log that it sends them to. */

describe('main processes that fail', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let mount: TestMount;
  /** Writes activate: what bash says of it. */
  const activate = async (vnf: string): Promise<string> => (await mount.sh(`echo activate > nf-types/${vnf}/action`)).stderr;
  const read = (vnf: string, file: string): Promise<string> => mount.run(`cat nf-types/${vnf}/${file}`);

  before(async () => {
    mount = await TestMount.start();
    await mount.run('mkdir nf-types/host nf-types/loadbalancer nf-types/proxy nf-types/dns nf-types/nginx');
  });
  after(() => mount[Symbol.asyncDispose]());

  test('a host whose command does not exist does not say that it runs', async () => {
    await mount.run("mkdir nf-types/host/none; echo 'command=no-such-program -f' > nf-types/host/none/config/boot.conf");
    assert.match(await activate('host/none'), /No such file or directory/);
    assert.equal(await read('host/none', 'status'), 'undeployed\n');
    assert.match(
      await read('host/none', 'error'),
      /^activate: its command cannot be run: no-such-program: No such file or directory; install /,
    );
    assert.match(await read('host/none', 'log'), /^no-such-program: No such file/);
    await mount.run('echo command=sleep 1000 > nf-types/host/none/config/boot.conf; echo activate > nf-types/host/none/action');
    assert.equal(await read('host/none', 'log'), '', 'a new guest begins a new log');
    await mount.run('echo destroy > nf-types/host/none/action; rmdir nf-types/host/none');
  });

  test('a main process that ends by itself leaves its last words in error and events', async () => {
    const command = `sh -c 'echo all is well; echo "cannot go on" >&2; sleep 0.2; exit 3'`;
    await mount.run(`mkdir nf-types/host/short; cat > nf-types/host/short/config/boot.conf <<'E'\ncommand=${command}\nE`);
    await mount.run('echo activate > nf-types/host/short/action');
    for (let tries = 0; tries < 300 && (await read('host/short', 'error')) === ''; tries += 1) await delay(20);
    assert.equal(await read('host/short', 'status'), 'exited (3)\n');
    const sentence = 'its main process ended (exit status 3): cannot go on. See all of it: cat nf-types/host/short/log';
    assert.equal(await read('host/short', 'error'), `exited: ${sentence}\n`);
    assert.ok((await mount.run('cat events')).includes(sentence));
  });

  test('a load balancer that cannot listen is told with its own words, and its log stays', async (t) => {
    if (!(await needs('haproxy', t))) return;
    await mount.run(`mkdir nf-types/loadbalancer/l
      sed -i 's/bind 0.0.0.0:80/bind 10.9.9.9:80/' nf-types/loadbalancer/l/config/nf_conf`);
    assert.match(await activate('loadbalancer/l'), /Input\/output error/);
    const error = await read('loadbalancer/l', 'error');
    assert.match(error, /^activate: its main process ended \(exit status 1\): .*cannot bind socket .*10\.9\.9\.9:80/);
    assert.doesNotMatch(error, /nsenter/);
    assert.match(await read('loadbalancer/l', 'log'), /cannot bind socket/);
    const logs = (): string[] => readdirSync(join(mount.root, 'guests')).filter((name) => name.endsWith('.log'));
    assert.equal(logs().length, 1);
    await mount.run('rmdir nf-types/loadbalancer/l');
    assert.deepEqual(logs(), []);
  });

  test('a load balancer gets the directories of its sockets, at its start and when it is saved', async (t) => {
    if (!(await needs('haproxy', t))) return;
    await mount.run(`mkdir nf-types/loadbalancer/s; cd nf-types/loadbalancer/s
      sed -i 's,^global,&\\n\\tstats socket /run/haproxy/admin.sock mode 660 level admin,' config/nf_conf; echo activate > action
      sed 's,/run/haproxy/,/var/lib/other/,' config/nf_conf > /tmp/nfio-other.$$; cat /tmp/nfio-other.$$ > config/nf_conf; rm /tmp/nfio-other.$$
      cat error; echo 'ls /run/haproxy/admin.sock /var/lib/other/admin.sock' > command`);
    assert.equal(await read('loadbalancer/s', 'status'), 'running\n');
  });

  test('a proxy gets its cache on disk, at its start and when it is saved', async (t) => {
    if (!(await needs('squid', t))) return;
    await mount.run(`mkdir nf-types/proxy/p; cd nf-types/proxy/p
      echo 'cache_dir ufs /var/spool/one 100 2 2' >> config/nf_conf; echo activate > action
      echo 'ls /var/spool/one/01/01' > command
      sed 's,/var/spool/one,/var/spool/two,' config/nf_conf > /tmp/nfio-two.$$; cat /tmp/nfio-two.$$ > config/nf_conf; rm /tmp/nfio-two.$$
      cat error; echo 'ls /var/spool/two/01/01' > command`);
    assert.equal(await read('proxy/p', 'status'), 'running\n');
  });

  test('a name server without a control socket is refused at once, with what to add', async (t) => {
    if (!(await needs('unbound', t))) return;
    await mount.run("mkdir nf-types/dns/d; sed -i '/^remote-control/,$d' nf-types/dns/d/config/nf_conf");
    assert.match(await activate('dns/d'), /Invalid argument/);
    assert.match(await read('dns/d', 'error'), /^activate: nf_conf: nf\.io reloads unbound by its control socket, .*control-enable: yes/);
  });

  test('a proxy that notes its process number elsewhere is refused at once, with what to add', async (t) => {
    if (!(await needs('squid', t))) return;
    await mount.run("mkdir nf-types/proxy/n; sed -i '/^pid_filename/d' nf-types/proxy/n/config/nf_conf");
    assert.match(await activate('proxy/n'), /Invalid argument/);
    assert.match(
      await read('proxy/n', 'error'),
      /^activate: nf_conf: nf\.io reconfigures squid .*: add the line pid_filename \/run\/nfio\/squid\.pid\n$/,
    );
  });

  for (const [type, program, include, wrong, error] of [
    [
      'nginx',
      'nginx',
      's,^http {,&\\n\\tinclude more.conf;,',
      '\\nnonsense here;',
      /^activate: more\.conf line 2: unknown directive "nonsense"\n$/,
    ],
    [
      'dns',
      'unbound',
      '1i include: "/etc/nfio/more.conf"',
      'server:\\n nonsense: 1',
      /^activate: more\.conf line 2: unknown keyword 'nonsense'\n$/,
    ],
    ['proxy', 'squid', '1i include /etc/nfio/more.conf', '\\nacl x foo y', /^activate: more\.conf line 2: Invalid ACL type 'foo'\n$/],
  ] as const) {
    test(`what is wrong in a file that a ${type} includes is told with its name`, async (t) => {
      if (!(await needs(program, t))) return;
      await mount.run(
        `mkdir nf-types/${type}/i; cd nf-types/${type}/i/config; printf '${wrong}\\n' > more.conf; sed -i '${include}' nf_conf`,
      );
      assert.match(await activate(`${type}/i`), /Invalid argument/);
      assert.match(await read(`${type}/i`, 'error'), error);
    });
  }
});
