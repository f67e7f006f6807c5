import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Canary } from '../support/canary.ts';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';
import { swap } from '../support/swap.ts';

/*
 * rfs/ of a namespace guest is the root that the guest sees. What is done there from outside, and what is done in the guest, is seen by the other at once.
 */

/** Owner of a VNF: who follows a link as this user gets nowhere; only the daemon, which is root, could. */
const owner = 41_234;
const vnf = 'nf-types/host/a';
const rfs = `${vnf}/rfs`;

let mount: TestMount;

/** Runs a script in the guest. */
function inGuest(script: string): Promise<string> {
  return mount.run(`printf '%s\\n' "$script" > ${vnf}/command; cat ${vnf}/command`, { env: { script } });
}

async function initOf(name = 'a'): Promise<number> {
  return Number((await mount.run(`cat nf-types/host/${name}/machine/vm.id`)).trim());
}

/** Processes that show the root of a guest which does not run. */
function views(): string[] {
  const id = readFileSync(join(mount.root, 'nfio.json'), 'utf8');
  const [, mountId = '?'] = /"mountId": ?"([^"]+)"/.exec(id) ?? [];
  const commands = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return commands.filter((pid) => commandOf(pid).startsWith(`nfio-view ${mountId} `));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

describe('rfs of a namespace guest', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir -p ${vnf}; echo activate > ${vnf}/action`);
  });
  after(() => mount[Symbol.asyncDispose]());

  it('is what the guest sees: its own names and files, and the programs of the machine', async () => {
    equal(await mount.run(`cat ${rfs}/etc/hostname; head -n 1 ${rfs}/etc/hosts`), 'a\n127.0.0.1 localhost\n');
    equal(await mount.run(`cmp ${rfs}/usr/bin/env /usr/bin/env; ls ${rfs}/usr/bin | grep -cx env`), '1\n');
    equal(await mount.run(`ls ${rfs} | sort`), await inGuest('ls / | grep -vxE "proc|sys|dev" | sort'));
    equal(
      await mount.run(`ls -A ${rfs}/etc | sort`),
      await inGuest('find /etc -mindepth 1 -maxdepth 1 ! -path /etc/nfio -printf "%f\\n" | sort'),
    );
  });

  it('takes what is written from outside, and shows what the guest writes, at once', async () => {
    await mount.run(
      `mkdir -p ${rfs}/etc/myapp; echo one > ${rfs}/etc/myapp/conf; echo two >> ${rfs}/etc/myapp/conf; echo '10.9.9.9 peer' >> ${rfs}/etc/hosts`,
    );
    equal(
      await inGuest('ls /etc/passwd; cat /etc/myapp/conf; grep -c peer /etc/hosts; echo three >> /etc/myapp/conf'),
      '/etc/passwd\none\ntwo\n1\n',
    );
    equal(await mount.run(`cat ${rfs}/etc/myapp/conf`), 'one\ntwo\nthree\n');
    await mount.run(
      `sed -i s/one/ONE/ ${rfs}/etc/myapp/conf; chmod 640 ${rfs}/etc/passwd; mv ${rfs}/etc/myapp/conf ${rfs}/etc/moved; ln -s moved ${rfs}/etc/soft; ln ${rfs}/etc/moved ${rfs}/etc/hard`,
    );
    equal(await inGuest('cat /etc/soft; stat -c "%a %h" /etc/passwd /etc/hard'), 'ONE\ntwo\nthree\n640 1\n644 2\n');
    ok(!existsSync('/etc/myapp') && (statSync('/etc/passwd').mode & 0o777) === 0o644, 'the machine has its own');
  });

  it('has the /tmp, /run and /root of the guest', async () => {
    for (const place of ['tmp', 'run', 'root']) {
      await mount.run(`mkdir ${rfs}/${place}/d; echo outside > ${rfs}/${place}/d/f`);
      equal(await inGuest(`cat /${place}/d/f; echo inside > /${place}/d/g`), 'outside\n');
      equal(await mount.run(`cat ${rfs}/${place}/d/g; rm -r ${rfs}/${place}/d; ls -A ${rfs}/${place}`), 'inside\n');
      equal(await inGuest(`ls -A /${place}`), '');
    }
    match((await mount.sh(`ln ${rfs}/etc/hosts ${rfs}/tmp/hosts`)).stderr, /cross-device/i);
    match((await mount.sh(`ln ${rfs}/etc/hosts ${vnf}/config/hosts`)).stderr, /cross-device/i);
    equal(
      await mount.run(
        `mv ${rfs}/etc/moved ${vnf}/config/; mv ${vnf}/config/moved ${rfs}/etc/; mv ${rfs}/etc/moved ${rfs}/tmp/; cat ${rfs}/tmp/moved | wc -l; mv ${rfs}/tmp/moved ${rfs}/etc/`,
      ),
      '3\n',
    );
  });

  it('has neither what the guest removed nor a trace of it, and removes for the guest', async () => {
    await inGuest('rm /etc/issue; rm -r /usr/share/doc');
    equal(await mount.run(`ls -A ${rfs}/etc ${rfs}/usr/share | grep -cE '^(issue|doc)$' || true`), '0\n');
    match((await mount.sh(`cat ${rfs}/etc/issue`)).stderr, /No such file/);
    await mount.run(`rm ${rfs}/etc/debian_version; mkdir ${rfs}/usr/share/doc; echo new > ${rfs}/usr/share/doc/README`);
    equal(await inGuest('ls /usr/share/doc; ls /etc/debian_version 2>&1 | grep -c "No such"'), 'README\n1\n');
    ok(existsSync('/etc/issue') && existsSync('/etc/debian_version'));
  });

  it('works with python, its open files through the first write to a file of the machine, and with names that are no text', async () => {
    const program = `import os
reader = os.open('etc/services', os.O_RDONLY); first = os.read(reader, 10)
writer = os.open('etc/services', os.O_RDWR | os.O_APPEND); os.write(writer, b'mine 1/tcp\\n'); os.fsync(writer)
os.lseek(reader, 0, os.SEEK_SET); text = b''.join(iter(lambda: os.read(reader, 65536), b''))
print(text.startswith(first), text.endswith(b'mine 1/tcp\\n'), os.fstat(reader).st_size == len(text), os.stat('etc/services').st_ino == os.fstat(writer).st_ino)
name = b'var/caf\\xe9'; open(name, 'w').write('x'); os.symlink(name, b'var/\\xff'); print(name[4:] in os.listdir(b'var'), os.readlink(b'var/\\xff'))`;
    equal(await mount.run(`cd ${rfs}; python3 -c "$program"`, { env: { program } }), `True True True True\nTrue b'var/caf\\xe9'\n`);
    equal(
      await inGuest(`cd /var; for f in caf* "$(printf '\\377')"; do [ -L "$f" ] || cat "$f"; rm "$f"; done; ls | grep -c caf || true`),
      'x0\n',
    );
  });

  it('grows under tail -f', async () => {
    const tail = mount.run(`touch ${rfs}/var/log/growing; timeout 10 tail -n +1 -f ${rfs}/var/log/growing | grep -m 1 line`);
    await inGuest('sleep 1; echo a line >> /var/log/growing');
    equal(await tail, 'a line\n');
  });

  it('at rest is the same without what a guest loses at its end', async () => {
    await inGuest('echo gone > /tmp/gone; echo kept > /var/kept');
    const before = await mount.run(`ls -A ${rfs} ${rfs}/etc; stat -c '%i %a' ${rfs} ${rfs}/etc/passwd ${rfs}/var/kept`);
    await mount.run(`echo stop > ${vnf}/action`);
    equal(await mount.run(`ls -A ${rfs} ${rfs}/etc; stat -c '%i %a' ${rfs} ${rfs}/etc/passwd ${rfs}/var/kept`), before);
    equal(
      await mount.run(`cat ${rfs}/etc/hostname ${rfs}/var/kept; ls -A ${rfs}/tmp ${rfs}/run ${rfs}/root | grep -c gone || true`),
      'a\nkept\n0\n',
    );
    match((await mount.sh(`echo x > ${rfs}/tmp/x`)).stderr, /Read-only file system/);
    for (const path of ['etc/shadow', 'etc/nfio', 'proc/self', `${mount.root.slice(1)}/nfio.json`])
      match((await mount.sh(`cat ${rfs}/${path}`)).stderr, /No such file/, path);
    await mount.run(`mkdir -p ${rfs}/etc/app2; echo rest > ${rfs}/etc/app2/f; rm ${rfs}/etc/app2/f; echo rest > ${rfs}/etc/app2/g; exec 5<> ${rfs}/var/kept
      echo start > ${vnf}/action; echo more >&5; cat <&5`);
    equal(await inGuest('ls /etc/app2; cat /etc/app2/g; tail -n 1 /var/kept'), 'g\nrest\nmore\n');
    deepEqual(views(), []);
  });

  it('goes on after kill -9 of the server, running and at rest', async () => {
    for (const verb of ['start', 'stop']) {
      await mount.run(
        `[ "$(cat ${vnf}/status)" = running ] || echo start > ${vnf}/action; mkdir -p ${rfs}/var/deep/er; echo ${verb} > ${rfs}/var/deep/er/f`,
      );
      if (verb === 'stop') await mount.run(`echo stop > ${vnf}/action`);
      const server = await mount.server();
      const client =
        mount.sh(`cd ${rfs}/var/deep/er; exec 5>> f 6< ../../../etc/passwd; stat -c %i . f ../../../etc/passwd; echo ready > ${mount.root}/ready
        while [ -e ${mount.root}/ready ]; do sleep 0.1; done; echo more >&5; cat f; head -c 5 <&6; stat -c %i . f ../../../etc/passwd; cd ..; ls; pwd -P`);
      while (!existsSync(join(mount.root, 'ready'))) await mount.run('sleep 0.1');
      process.kill(server, 'SIGKILL');
      await mount.ended(server);
      rmSync(join(mount.root, 'ready'));
      const { stdout, stderr } = await client;
      const numbers = stdout.split('\n', 3).join('\n');
      equal(stdout, `${numbers}\n${verb}\nmore\nroot:${numbers}\ner\n${mount.path}/${rfs}/var/deep\n`, stderr);
    }
  });

  it('is there for who asked just before the server was killed', async () => {
    for (let round = 0; round < 2; round += 1) {
      await mount.run(`[ "$(cat ${vnf}/status)" = running ] || echo start > ${vnf}/action; echo stop > ${vnf}/action`);
      const server = await mount.server();
      const { stdout, stderr } = await mount.sh(
        `cat ${rfs}/etc/hostname & ls ${rfs}/etc/passwd & sleep 0.00${round}; kill -9 ${server}; wait`,
      );
      deepEqual(stdout.trim().split('\n').sort(), ['a', `${rfs}/etc/passwd`], stderr);
      await mount.ended(server);
    }
  });

  it('is mounted no more after an unmount, or when supervisor and server were killed', async () => {
    await mount.run(`[ "$(cat ${vnf}/status)" = running ] && echo stop > ${vnf}/action || true; cat ${rfs}/etc/hostname`);
    equal(views().length, 1);
    await mount.unmount();
    deepEqual(views(), []);
    await mount.mount();
    equal(await mount.run(`cat ${rfs}/etc/hostname`), 'a\n');
    const [[view = ''], server] = [views(), await mount.server()];
    for (const pid of [mount.supervisor, server]) process.kill(pid, 'SIGKILL');
    await mount.ended(server);
    await mount.ended(Number(view));
    await mount.unmount({ lazy: true });
    await mount.mount();
    await mount.run(`echo start > ${vnf}/action`);
  });

  it('leaves nothing when the guest is destroyed while a file of it is open, at rest', async () => {
    await mount.run(
      `[ "$(cat ${vnf}/status)" = running ] && echo stop > ${vnf}/action; exec 5> ${rfs}/var/open; echo destroy > ${vnf}/action; echo x >&5; ls -A ${rfs}; cat ${vnf}/status`,
    );
    deepEqual(views(), []);
    await mount.run(`echo activate > ${vnf}/action`);
    equal(await mount.run(`ls ${rfs}/var/open ${rfs}/var/kept 2>/dev/null || true; cat ${rfs}/etc/hostname`), 'a\n');
  });

  it('is for programs that take the whole VNF what the guest wrote, and all of it for who names it', async () => {
    await inGuest('mkdir -p /etc/own; echo needle > /etc/own/f; echo x > /tmp/x');
    await mount
      .run(`cp -r ${vnf} nf-types/host/copy; cd nf-types/host/copy; find rfs -type f`)
      .then((files) => equal(files, 'rfs/etc/own/f\n'));
    equal(await mount.run('grep -rl needle nf-types/host/a; find nf-types/host/a -path "*/rfs/*" -type f'), `${rfs}/etc/own/f\n`.repeat(2));
    await mount.run(`chown -R ${owner} ${vnf}`);
    equal(await mount.run(`stat -c %u ${rfs}/etc/own/f ${rfs}/etc/passwd ${rfs}/usr/bin/env`), `${owner}\n0\n0\n`);
    equal(
      await mount.run(
        `tar c -C ${rfs} etc | tar t | grep -cx etc/passwd; grep -l root: ${rfs}/etc/passwd; find ${rfs}/etc -maxdepth 1 -name passwd`,
      ),
      `1\n${`${rfs}/etc/passwd\n`.repeat(2)}`,
    );
    await mount.run('rm -r nf-types/host/copy');
  });

  it('keeps the files of two guests apart', async () => {
    await mount.run('mkdir nf-types/host/b; echo activate > nf-types/host/b/action');
    const both = `${rfs}/etc/passwd nf-types/host/b/rfs/etc/passwd`;
    equal(new Set((await mount.run(`ls -i ${both} | cut -d' ' -f1`)).trim().split('\n')).size, 2);
    await mount.run(`cat ${both} > /dev/null; echo only in a >> ${rfs}/etc/passwd; chmod 600 nf-types/host/b/rfs/etc/passwd`);
    equal(await mount.run('grep -l "only in a" nf-types/host/{a,b}/rfs/etc/passwd'), `${rfs}/etc/passwd\n`);
    await mount.run('echo destroy > nf-types/host/b/action; rmdir nf-types/host/b');
  });
});

describe('rfs of a hostile namespace guest', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let canary: Canary;

  before(async () => {
    mount = await TestMount.start({ attrTimeoutMs: 0 });
    canary = new Canary();
    await mount.run(`mkdir -p ${vnf}; echo activate > ${vnf}/action; chown -R ${owner} ${vnf}; chmod 755 ${vnf} ${rfs}`);
  });
  after(async () => {
    await mount[Symbol.asyncDispose]();
    canary[Symbol.dispose]();
  });

  const untouched = (): void => canary.assertUntouched();

  it('does not lead into what is mounted in the guest', async () => {
    for (const path of [
      'proc/1/root/etc/shadow',
      'proc/self/environ',
      'dev/null',
      'dev/shm',
      'etc/nfio/boot.conf',
      'sys/kernel',
      'etc/shadow',
    ])
      match((await mount.sh(`cat ${rfs}/${path}`)).stderr, /No such file or directory/, path);
  });

  it('does not lead into what a guest mounts that may mount', async () => {
    await mount.run(
      'mkdir nf-types/host/p; echo privileged=true > nf-types/host/p/config/boot.conf; echo activate > nf-types/host/p/action',
    );
    const inPrivileged = (script: string): Promise<string> =>
      mount.run(`printf '%s\\n' "$script" > nf-types/host/p/command; cat nf-types/host/p/command`, { env: { script } });
    await mount.run(
      'mkdir nf-types/host/p/rfs/var/m; echo own > nf-types/host/p/rfs/var/m/f; exec 5< nf-types/host/p/rfs/var/m/f; cat <&5',
    );
    await inPrivileged(
      'mount -t proc proc /tmp; mount -t proc proc /var/m; mount -t proc proc /run; mkdir /srv/d; mount -t tmpfs none /srv/d; touch /srv/d/x; ls /tmp/self/status',
    );
    for (const path of ['tmp/1/environ', 'tmp/self/root', 'run/1/environ', 'var/m/1/environ', 'var/m/f', 'srv/d/x'])
      match((await mount.sh(`cat nf-types/host/p/rfs/${path}`)).stderr, /No such file|Stale file handle/, path);
    await inPrivileged('umount /tmp /run /var/m; echo back > /tmp/back');
    equal(await mount.run('cat nf-types/host/p/rfs/var/m/f nf-types/host/p/rfs/tmp/back'), 'own\nback\n');
    await mount.run('echo destroy > nf-types/host/p/action; rm -r nf-types/host/p');
  });

  it('is private to its owner, until its mode says otherwise, and leaves the / of the guest as it is', async () => {
    await mount.run('mkdir nf-types/host/q; echo activate > nf-types/host/q/action');
    const other = { uid: owner + 1 };
    equal(await mount.run('stat -c "%a %u" nf-types/host/q/rfs'), '700 0\n');
    match((await mount.sh('echo x > nf-types/host/q/rfs/tmp/x', other)).stderr, /Permission denied/);
    await mount.run(`chown ${owner + 1} nf-types/host/q/rfs`);
    equal((await mount.sh('cat nf-types/host/q/rfs/etc/hostname', other)).stdout, 'q\n');
    await mount.run('chown 0 nf-types/host/q/rfs; chmod 711 nf-types/host/q/rfs');
    equal((await mount.sh('cat nf-types/host/q/rfs/etc/hostname; ls nf-types/host/q/rfs 2>/dev/null', other)).stdout, 'q\n');
    await mount.run('echo stop > nf-types/host/q/action; echo start > nf-types/host/q/action');
    equal(
      await mount.run('stat -c "%a %u" nf-types/host/q/rfs; echo "stat -c %a-%u /" > nf-types/host/q/command; cat nf-types/host/q/command'),
      '711 0\n755-0\n',
    );
    await mount.run('echo destroy > nf-types/host/q/action; rm -r nf-types/host/q');
  });

  it('follows no link out of the guest', async () => {
    await inGuest(
      `cd /tmp; echo inside > real; ln -s /tmp/real absolute; ln -s ${canary}/secret file; ln -s ${canary} directory; ln -s /proc/self/root${canary} proc; ln -s ../../../../../..${canary} up`,
    );
    equal(await mount.run(`cat ${rfs}/tmp/absolute; readlink ${rfs}/tmp/absolute`), 'inside\n../tmp/real\n');
    for (const path of ['file', 'directory/secret', 'proc/secret', 'up/secret'])
      for (const attempt of [`cat`, `tee`, `chmod 777`, `truncate -s 0`]) {
        const { status, stdout } = await mount.sh(`echo overwritten | ${attempt} ${rfs}/tmp/${path}`, { uid: owner });
        ok(status !== 0 && !stdout.includes('SECRET'), `${attempt} ${path}`);
      }
    await inGuest('rm /tmp/real /tmp/absolute /tmp/file /tmp/directory /tmp/proc /tmp/up');
    untouched();
  });

  it('opens neither FIFOs nor devices nor sockets, and lends nobody the power of a set-user-id program', async () => {
    await inGuest(
      `mkfifo /var/fifo; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/var/socket")'; cp /usr/bin/id /var/id; chmod 4755 /var/id`,
    );
    execFileSync('mknod', [`/proc/${await initOf()}/root/var/device`, 'c', '1', '5']);
    for (const file of ['fifo', 'device', 'socket']) {
      match((await mount.sh(`timeout 5 cat ${rfs}/var/${file}`)).stderr, /No such file or directory/, file);
      match((await mount.sh(`echo x | timeout 5 tee ${rfs}/var/${file}`)).stderr, /File exists|No such|denied/, file);
    }
    ok(!/fifo|device|socket/.test(await mount.run(`ls ${rfs}/var`)));
    match((await mount.sh(`mknod ${rfs}/var/made c 1 3`)).stderr, /not permitted|not supported|denied/);
    equal((await mount.sh(`${rfs}/var/id -u`, { uid: owner })).stdout, `${owner}\n`);
  });

  for (const place of ['tmp', 'var'])
    it(`gives nothing to a guest that swaps a directory in /${place} for a link again and again`, async () => {
      await inGuest(`cd /${place}; mkdir -p d/empty; echo mine > d/secret; echo mine > d/victim; chown -R ${owner} d; chmod -R 777 d`);
      using swapping = swap(`/proc/${await initOf()}/root/${place}`, canary.path);
      const d = `${rfs}/${place}/d`;
      const walk = `for round in $(seq 100); do
          cat ${d}/secret; echo mine > ${d}/secret; chmod 700 ${d}/secret; touch ${d}/new; mv ${d}/victim ${d}/other; mv ${d}/other ${d}/victim; rm -f ${d}/victim ${d}/new
          mkdir ${d}/made; rmdir ${d}/made ${d}/empty; ls ${d}
        done`;
      const { stdout, status } = await mount.sh(walk, { uid: owner, timeoutMs: 120_000 });
      ok(status !== 'timeout');
      equal(swapping.exitCode, null, 'it was swapped to the end');
      ok(stdout.includes('mine'), 'the directory was reached at times');
      ok(!stdout.includes('SECRET'));
      untouched();
    });
});
