import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findCgroupMounts } from '../../src/hypervisor/cgroup-mounts.ts';
import { TestMount } from '../support/mount.ts';
import { patient } from '../support/patience.ts';

/* Guests without limits of their own do not take the machine with them. */

/** Forks until it cannot, says how often it could, and ends them all. */
const forkAll = `perl -e 'my @all; while (defined(my $pid = fork)) { if (!$pid) { sleep 100; exit } push @all, $pid; last if @all > 5000 } print scalar(@all), "\\n"; kill 9, @all'`;

test('a guest that forks without end has its share of the processes, and all together half of them', { timeout: 120_000 }, async () => {
  await using mount = await TestMount.start();
  await mount.run('mkdir -p nf-types/host/h; chown -R 12345 nf-types/host/h; echo activate > nf-types/host/h/action');
  const forked = await mount.run(
    `echo ${JSON.stringify(forkAll).replaceAll('$', '\\$')} > nf-types/host/h/command; cat nf-types/host/h/command`,
    {
      uid: 12345,
      timeoutMs: 60_000,
    },
  );
  assert.ok(Number(forked) > 500 && Number(forked) < 2048, forked);
  const { v1, unified } = findCgroupMounts();
  const limitOf = (controller: string, file: string): number =>
    Number(readFileSync(join(v1[controller] ?? unified ?? '', 'nfio', file), 'latin1'));
  assert.equal(limitOf('pids', 'pids.max'), Math.floor(Number(readFileSync('/proc/sys/kernel/pid_max', 'latin1')) / 2));
  const memory = limitOf('memory', v1['memory'] === undefined ? 'memory.max' : 'memory.limit_in_bytes');
  assert.ok(memory > totalmem() / 2 && memory < totalmem() * 0.9, String(memory));
});

/** Makes an nft set of IPv6 addresses larger until the kernel or nft refuses, by a million elements at most. */
const fillSet = `nft add table inet t; nft 'add set inet t s { type ipv6_addr; }'
for i in $(seq 200); do
  perl -e 'my $i = shift; print "add element inet t s { ", join(", ", map { sprintf "fd00::%x:%x", $i, $_ } 1 .. 5000), " }\n"' $i | nft -f - 2>/dev/null || break
done; echo $i`;

describe('a guest that says nothing of memory', { timeout: 240_000 }, () => {
  test('has half of the machine’s, what it keeps in files of its own within', async () => {
    await using mount = await TestMount.start();
    await mount.run(
      'mkdir -p nf-types/host/h nf-types/host/small; echo 64M > nf-types/host/small/machine/vm.memory; for h in h small; do echo activate > nf-types/host/$h/action; done',
    );
    const inGuest = (vnf: string, script: string): Promise<string> =>
      mount.run(`cat > nf-types/host/${vnf}/command <<'SCRIPT'\n${script}\nSCRIPT\ncat nf-types/host/${vnf}/command`, {
        timeoutMs: patient(120_000),
      });
    const half = Math.floor(totalmem() / 2);
    const { mountId } = JSON.parse(readFileSync(join(mount.root, 'nfio.json'), 'utf8')) as { readonly mountId: string };
    const limits = async (): Promise<number[]> => {
      const { v1, unified } = findCgroupMounts();
      const directory = join(v1['memory'] ?? unified ?? '', 'nfio', mountId);
      const file = v1['memory'] === undefined ? 'memory.max' : 'memory.limit_in_bytes';
      return readdirSync(directory, { withFileTypes: true })
        .filter((each) => each.isDirectory())
        .map(({ name }) => Number(readFileSync(join(directory, name, file), 'latin1')))
        .sort((a, b) => a - b);
    };
    assert.deepEqual(await limits(), [64 * 1024 ** 2, half - (half % 4096)]);
    const size = async (vnf: string): Promise<number> => Number((await inGuest(vnf, 'df -B1 --output=size /tmp | tail -1')).trim());
    assert.equal(await size('small'), 32 * 1024 ** 2);
    assert.ok((await size('h')) <= half / 2);
    assert.match(await inGuest('small', 'head -c 100M /dev/zero > /tmp/full; echo; rm /tmp/full; echo alive'), /alive/);
    await mount.run('echo > nf-types/host/small/machine/vm.memory');
    assert.deepEqual(await limits(), [half - (half % 4096), half - (half % 4096)]);
  });

  test('keeps rules of its own within its memory, and no more ports than a VNF may have', async () => {
    await using mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host/h; echo 64M > nf-types/host/h/machine/vm.memory; echo activate > nf-types/host/h/action');
    const steps = await mount.sh(`cat > nf-types/host/h/command <<'SCRIPT'\n${fillSet}\nSCRIPT\ncat nf-types/host/h/command`, {
      timeoutMs: patient(120_000),
    });
    assert.doesNotMatch(steps.stdout, /^200$/m, 'nft is killed, or refused, before that');
    const made = await mount.sh(
      'cd nf-types/host; mkdir -p many; for i in $(seq 300); do mkdir many/ports/p$i || break; done 2>/dev/null; ls many/ports | wc -l; cat many/error',
    );
    assert.match(made.stdout, /^256\n.*256 ports at most/);
  });
});
