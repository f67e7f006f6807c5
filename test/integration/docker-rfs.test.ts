import { equal, match, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { Canary } from '../support/canary.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { activate, mountOn } from '../support/docker-mount.ts';
import type { TestMount } from '../support/mount.ts';
import { swap } from '../support/swap.ts';

/** Owner of the VNF: who follows a link as this user gets nowhere; only the daemon, which is root, could. */
const owner = 41_234;

/** The engine's mounts are seen by nf.io, or they are not, as with an engine in a mount namespace of its own. */
const engines = [
  { name: 'whose mounts are visible', through: [] },
  { name: 'in a mount namespace of its own', through: ['unshare', '--mount', '--propagation', 'private'] },
];

for (const { name, through } of engines) {
  describe(`rfs of a guest of an engine ${name}`, { skip: whyNoEngine() ?? false, timeout: 360_000 }, () => {
    let engine: TestEngine;
    let mount: TestMount;
    let canary: Canary;
    const rfs = 'nf-types/host/a/rfs';

    before(async () => {
      engine = await TestEngine.start({ through });
      mount = await mountOn(engine, { attrTimeoutMs: 0 });
      canary = new Canary();
      await activate(mount, 'a');
      // A container that was made for root is not given away.
      match((await mount.sh(`chown -R ${owner} nf-types/host/a`)).stderr, /busy/i);
      await mount.run(`cd nf-types/host/a; echo destroy > action; chown -R ${owner} .; chmod 755 .; echo activate > action`);
    });
    after(async () => {
      try {
        await mount?.[Symbol.asyncDispose]();
      } finally {
        await engine?.[Symbol.asyncDispose]();
        canary?.[Symbol.dispose]();
      }
    });

    it('gives copies and searches from above what the guest wrote, and not its whole image, where the engine shows which that is', async () => {
      await inGuest('mkdir -p /opt/lab; echo written > /opt/lab/notes; rm /usr/bin/wc');
      const walked = await mount.run(`cd ${rfs}/../..; find a -path "*/rfs/*" -type f; tar c a | tar t | grep -c rfs/usr/bin/ || :`);
      ok(walked.split('\n').includes('a/rfs/opt/lab/notes'));
      equal(walked.includes('a/rfs/usr/bin/dash'), through.length > 0);
      equal(await mount.run(`cat ${rfs}/opt/lab/notes; ls ${rfs}/usr/bin | grep -c '^dash$'`), 'written\n1\n');
    });

    const inGuest = (script: string): Promise<string> =>
      mount.run(`cat > nf-types/host/a/command <<'END'\n${script}\nEND\ncat nf-types/host/a/command`);
    const initOf = async (): Promise<number> => {
      const id = (await mount.run('cat nf-types/host/a/machine/vm.id')).trim();
      return (await engine.ask<{ State: { Pid: number } }>('GET', `/containers/${id}/json`)).State.Pid;
    };
    const untouched = (): void => canary.assertUntouched();

    it('is the live root file system, to read and to write', async () => {
      await inGuest('echo from the guest > /var/note; mkdir -p /var/deep/er; ln -s note /var/link');
      equal(await mount.run(`cat ${rfs}/var/note`), 'from the guest\n');
      equal(await mount.run(`readlink ${rfs}/var/link; cat ${rfs}/var/link`), 'note\nfrom the guest\n');
      await mount.run(`echo from outside > ${rfs}/var/deep/er/new; chmod 640 ${rfs}/var/deep/er/new; mv ${rfs}/var/note ${rfs}/var/moved`);
      equal(await inGuest('cat /var/deep/er/new /var/moved; stat -c %a /var/deep/er/new'), 'from outside\nfrom the guest\n640\n');
      const tail = mount.run(`touch ${rfs}/var/log/growing; timeout 6 tail -n +1 -f ${rfs}/var/log/growing | grep -m 1 line`);
      await inGuest('sleep 1; echo a line >> /var/log/growing');
      equal(await tail, 'a line\n');
    });

    it('is empty while the guest does not run, and there again when it does', async () => {
      await inGuest('echo kept > /var/kept');
      await mount.run('echo stop > nf-types/host/a/action');
      equal(await mount.run(`ls ${rfs}`), '');
      await mount.run('echo start > nf-types/host/a/action');
      equal(await mount.run(`cat ${rfs}/var/kept`), 'kept\n');
    });

    it('does not lead into what is mounted in the guest', async () => {
      equal(await mount.run(`ls -A ${rfs}/proc ${rfs}/sys 2>/dev/null || true`).then((text) => text.replaceAll(/^.*:$|\n/gm, '')), '');
      for (const path of [
        'proc/1/root/etc/shadow',
        'proc/self/root/etc/shadow',
        'proc/1/environ',
        'dev/null',
        'etc/nfio/boot.conf',
        'sys/kernel',
      ])
        match((await mount.sh(`cat ${rfs}/${path}`)).stderr, /No such file or directory/, path);
    });

    it('shows links that lead where they lead in the guest, also to root', async () => {
      await inGuest(
        `cd /tmp; echo inside > real; ln -s /tmp/real absolute; ln -s ${canary}/secret out; ln -s ../../../../../..${canary}/secret up`,
      );
      equal(await mount.run(`cat ${rfs}/tmp/absolute; readlink ${rfs}/tmp/absolute`), 'inside\n../tmp/real\n');
      for (const link of ['out', 'up']) match((await mount.sh(`cat ${rfs}/tmp/${link}`)).stderr, /No such file or directory/);
      await inGuest('rm /tmp/real /tmp/absolute /tmp/out /tmp/up');
    });

    it('follows no link itself', async () => {
      await inGuest(
        `cd /tmp; ln -s ${canary}/secret file; ln -s ${canary} directory; ln -s /proc/self/root${canary} proc; ln -s ../../../../../..${canary} up`,
      );
      const attempts = ['file', 'directory/secret', 'proc/secret', 'up/secret'].flatMap((path) => [
        `cat ${rfs}/tmp/${path}`,
        `echo overwritten > ${rfs}/tmp/${path}`,
        `chmod 777 ${rfs}/tmp/${path}`,
        `ln ${rfs}/tmp/${path} ${rfs}/tmp/hard`,
      ]);
      attempts.push(
        `rm ${rfs}/tmp/directory/victim`,
        `mkdir ${rfs}/tmp/up/made`,
        `rmdir ${rfs}/tmp/up/empty`,
        `mv ${rfs}/tmp/up/victim ${rfs}/tmp/`,
      );
      for (const attempt of attempts) {
        const { status, stdout } = await mount.sh(attempt, { uid: owner });
        ok(status !== 0 && !stdout.includes('SECRET'), attempt);
      }
      untouched();
      await mount.run(`chown -h ${owner} ${rfs}/tmp/file; rm ${rfs}/tmp/file ${rfs}/tmp/directory ${rfs}/tmp/proc ${rfs}/tmp/up`);
      untouched();
    });

    it('opens neither FIFOs nor devices nor sockets', async () => {
      await inGuest('mkfifo /tmp/fifo; (nc -lU /tmp/socket || busybox nc -lU /tmp/socket) >/dev/null 2>&1 &\nsleep 0.2');
      execFileSync('mknod', [`/proc/${await initOf()}/root/tmp/device`, 'c', '1', '5']);
      for (const file of ['fifo', 'device']) {
        match((await mount.sh(`timeout 5 cat ${rfs}/tmp/${file}`)).stderr, /No such file or directory/, file);
        match((await mount.sh(`echo x | timeout 5 tee ${rfs}/tmp/${file}`)).stderr, /File exists|No such|denied/, file);
      }
      ok(!/fifo|device|socket/.test(await mount.run(`ls ${rfs}/tmp`)));
      match((await mount.sh(`mknod ${rfs}/tmp/made c 1 3`)).stderr, /not permitted|not supported|denied/);
    });

    it('gives nothing to a guest that swaps a directory for a link again and again', async () => {
      await inGuest(`cd /tmp; mkdir -p d/empty; echo mine > d/secret; echo mine > d/victim; chown -R ${owner} d; chmod -R 777 d`);
      using swapping = swap(`/proc/${await initOf()}/root/tmp`, canary.path);
      const walk = `for round in $(seq 150); do
          cat ${rfs}/tmp/d/secret; echo mine > ${rfs}/tmp/d/secret; chmod 700 ${rfs}/tmp/d/secret; touch ${rfs}/tmp/d/new
          mv ${rfs}/tmp/d/victim ${rfs}/tmp/d/other; mv ${rfs}/tmp/d/other ${rfs}/tmp/d/victim; rm -f ${rfs}/tmp/d/victim ${rfs}/tmp/d/new
          mkdir ${rfs}/tmp/d/made; rmdir ${rfs}/tmp/d/made ${rfs}/tmp/d/empty; ls ${rfs}/tmp/d
        done`;
      const { stdout, status } = await mount.sh(walk, { uid: owner, timeoutMs: 60_000 });
      ok(status !== 'timeout');
      equal(swapping.exitCode, null, 'it was swapped to the end');
      ok(stdout.includes('mine'), 'the directory was reached at times');
      ok(!stdout.includes('SECRET'));
      untouched();
    });

    it('keeps the files of two guests of one image apart', async () => {
      await activate(mount, 'b');
      const both = 'nf-types/host/a/rfs/etc/passwd nf-types/host/b/rfs/etc/passwd';
      equal(new Set((await mount.run(`ls -i ${both} | cut -d' ' -f1`)).trim().split('\n')).size, 2);
      await mount.run(
        `cat ${both} > /dev/null; echo only in a >> nf-types/host/a/rfs/etc/passwd; chmod 600 nf-types/host/b/rfs/etc/passwd`,
      );
      equal(await mount.run('grep -l "only in a" nf-types/host/*/rfs/etc/passwd'), 'nf-types/host/a/rfs/etc/passwd\n');
      equal(await mount.run(`stat -c %a ${both}`), '644\n600\n');
    });
  });
}
