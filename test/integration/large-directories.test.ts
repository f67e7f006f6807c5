import assert from 'node:assert/strict';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';

/* Directories of user files with many names, listed by other processes while they change. */

const files = 5000;

describe('a large directory of user files', { timeout: 300_000 }, () => {
  let mount: TestMount;
  const many = 'nf-types/host/h/config/many';

  before(async () => {
    mount = await TestMount.start();
    await mount.run('mkdir nf-types/host nf-types/host/h');
    fill(join(mount.root, many));
  });

  after(() => mount[Symbol.asyncDispose]());

  test('is listed whole', async () => {
    assert.equal(
      await mount.run(`ls ${many} | sort -u | wc -l; ls -l ${many} | grep -c '^-rw'; find ${many} -type f | wc -l`),
      '5000\n5000\n5000\n',
    );
  });

  test('is found again at every place, whatever is made and removed meanwhile', async () => {
    const script = `
      opendir(my $d, "${many}") or die; my (@at, @name, %seen);
      while (1) { push @at, telldir $d; my $name = readdir $d; last if !defined $name; push @name, $name; die "twice: $name" if $seen{$name}++; last if @name == 3000 }
      for my $i (grep { $_ % 3 == 0 && $name[$_] =~ /^f/ } 0 .. $#name) { unlink "${many}/$name[$i]" or die $! }
      for my $i (1 .. 500) { open my $f, ">", "${many}/new$i" or die $! }
      for my $i (2800, 10, 1500, 1) { seekdir $d, $at[$i]; my $got; do { $got = readdir $d } while $got =~ /^new/;
        my $j = $i; $j++ while $name[$j] =~ /^f/ && !-e "${many}/$name[$j]"; print $got eq $name[$j] || $got eq $name[$i] ? "same\\n" : "$got not $name[$j]\\n" }
      seekdir $d, $at[2999]; my %rest; $rest{$_}++ while defined($_ = readdir $d); delete @rest{grep { /^new/ } keys %rest};
      print join(" ", grep { $rest{$_} > 1 } keys %rest), scalar(grep { /^f/ && -e "${many}/$_" } keys %rest) + scalar(grep { /^f/ && -e "${many}/$_" } @name[0 .. 2998]), "\\n";
      rewinddir $d; my %again; $again{$_}++ while defined($_ = readdir $d); print scalar(keys %again), "\\n"; closedir $d;
      opendir($d, "${many}"); print scalar(readdir $d) ? "open\\n" : "";`;
    const left = await mount.run(`perl -e '${script}'; ls ${many} | grep -c ^f; ls ${many} | wc -l`);
    const lines = left.trim().split('\n');
    assert.deepEqual(lines.slice(0, 4), ['same', 'same', 'same', 'same'], left);
    const [rest, again, open, remaining, all] = lines.slice(4);
    assert.deepEqual([rest, Number(again), open], [remaining, Number(all) + 2, 'open'], left);
  });

  test('is listed to its end by who began before the server was killed', async () => {
    const script = `
      opendir(my $d, "${many}") or die; my %seen; for (1 .. 1500) { $seen{readdir $d}++ } $| = 1; print "begun\\n"; <STDIN>;
      while (defined(my $name = readdir $d)) { $seen{$name}++ } print scalar(keys %seen), " ", scalar(grep { $_ > 1 } values %seen), "\\n";`;
    const server = await mount.server();
    const printed = await mount.run(
      `coproc lister { perl -e '${script}'; }; read line <&\${lister[0]}; kill -9 ${server}; echo go >&\${lister[1]}; cat <&\${lister[0]}; ls -a ${many} | wc -l`,
    );
    const [listed, all] = printed.trim().split('\n');
    assert.equal(listed, `${all} 0`);
  });

  test('is removed by rm -r while others list it', async () => {
    await mount.run(
      `cp -r ${many} ${many}2 & for i in 1 2 3; do ls -l ${many}2 >/dev/null 2>&1 || :; done; wait; for i in 1 2 3 4; do (while ls -lU ${many}2 >/dev/null 2>&1; do :; done) & done; rm -r ${many}2; wait; [ ! -e ${many}2 ]`,
      {
        timeoutMs: 120_000,
      },
    );
  });

  test('of a guest shows what is among many that only the guest can use', async () => {
    await mount.run('echo activate > nf-types/host/h/action');
    await mount.run(
      'echo "mkdir /root/d; cd /root/d; i=0; while [ \\$i -lt 600 ]; do mkfifo p\\$i; i=\\$((i+1)); done; touch file" > nf-types/host/h/command',
    );
    assert.equal(await mount.run('ls nf-types/host/h/rfs/root/d; ls -A nf-types/host/h/rfs/root/d | wc -l'), 'file\n1\n');
  });
});

/** Files made beside the mount, where that is quick. */
function fill(directory: string): void {
  mkdirSync(directory);
  writeFileSync(join(directory, 'f0'), '');
  for (let number = 1; number < files; number += 1) linkSync(join(directory, 'f0'), join(directory, `f${number}`));
}
