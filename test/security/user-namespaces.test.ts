import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* The capabilities of a guest count in a user namespace of its own: over its network, and over nothing of the machine. */

const lab = `
  mkdir networks/lan; mkdir -p nf-types/host/a/ports/eth0 nf-types/host/b/ports/eth0
  for h in a b; do echo lan > nf-types/host/$h/ports/eth0/network; done
  echo 10.9.0.1/24 > nf-types/host/a/ports/eth0/address; echo 10.9.0.2/24 > nf-types/host/b/ports/eth0/address
  for h in a b; do echo activate > nf-types/host/$h/action; done
`;

/** Asks rtnetlink(7) for all interfaces of the namespace where the other end of eth0 is (RTM_GETLINK with IFLA_TARGET_NETNSID), and prints how many it is told, or the error. */
const listFabric = `
use Socket;
socket(my $s, 16, SOCK_RAW, 0) or die;
my $body = pack('C x S l L L', 0, 0, 0, 0, 0) . pack('S S l', 8, 46, 0);
send $s, pack('L S S L L', 16 + length $body, 18, 0x301, 1, 0) . $body, 0;
recv $s, my $answer, 65536, 0;
my ($length, $type, $flags, $sequence, $port, $error) = unpack 'L S S L L l', $answer;
print $type == 16 ? "told\\n" : $type == 2 || $type == 3 ? "error " . -$error . "\\n" : "type $type\\n";
`;

/** Number of the system call (asm/unistd_64.h, asm-generic/unistd.h). */
const inotifyInit1 = process.arch === 'arm64' ? 26 : 294;

const mountCgroups = `
for type in cgroup cgroup2; do unshare --user --map-root-user --mount --cgroup mount -t $type -o pids none /mnt 2>/dev/null && echo mounted $type; done
unshare --user --map-root-user --mount mount -t cgroup -o pids none /mnt 2>/dev/null && echo mounted
echo done`;

describe('root of a guest', { skip: whyNoGuests() ?? false, timeout: 240_000 }, () => {
  test("has its powers over its own network alone: not over the one that its ports lead to, nor over others' ports", async () => {
    await using mount = await TestMount.start();
    await mount.run(lab);
    const inGuest = (script: string): Promise<string> => runIn(mount, 'a', script);
    assert.equal(await inGuest(`perl - <<'PERL'\n${listFabric}PERL`), 'error 13\n', 'EACCES');
    assert.equal(await inGuest('ip address add 10.9.0.7/24 dev eth0 && ip -o -4 address show dev eth0 | grep -c 10.9.0.7'), '1\n');
    assert.match(await inGuest('ping -c 1 -W 5 10.9.0.2'), / 0% packet loss/);
    assert.equal(await inGuest('nft add table inet own && nft list tables'), 'table inet own\n');
  });

  test('is in a user namespace of its own, from its main process to its commands', async () => {
    await using mount = await TestMount.start();
    await mount.run(`mkdir -p nf-types/host/a nf-types/host/b; echo 'command=sleep 1000000' > nf-types/host/a/config/boot.conf
      for h in a b; do echo activate > nf-types/host/$h/action; done`);
    const own = 'for p in self $(pidof sleep); do readlink /proc/$p/ns/user; done';
    const ofA = (await runIn(mount, 'a', own)).trim().split('\n');
    const ofB = (await runIn(mount, 'b', own)).trim().split('\n');
    const ofMachine = (await mount.run('readlink /proc/self/ns/user')).trim();
    assert.equal(ofA.length, 2);
    assert.equal(new Set(ofA).size, 1);
    assert.equal(new Set([...ofA, ...ofB, ofMachine]).size, 3);
  });

  test('cannot mount control groups, and so lifts no limit', async () => {
    await using mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host/a; echo activate > nf-types/host/a/action');
    assert.equal(await runIn(mount, 'a', mountCgroups), 'done\n');
  });

  test('leaves the machine its inotify instances', async () => {
    await using mount = await TestMount.start();
    await mount.run('mkdir -p nf-types/host/a; echo activate > nf-types/host/a/action');
    const most = readFileSync('/proc/sys/fs/inotify/max_user_instances', 'latin1').trim();
    // Kept by a program that goes on.
    const take = `exec perl -e 'my $most = 0; $most++ while syscall(${inotifyInit1}, 0) >= 0; print "$most\\n"; close STDOUT; sleep 1000' > /tmp/taken`;
    assert.equal(await runIn(mount, 'a', `(${take}) & while ! [ -s /tmp/taken ]; do sleep 0.05; done; cat /tmp/taken`), `${most}\n`);
    assert.equal(await mount.run(`perl -e 'print syscall(${inotifyInit1}, 0) >= 0 ? "made" : "refused: $!"'`), 'made');
  });

  test('has the powers over the machine that root gives it', async () => {
    await using mount = await TestMount.start();
    for (const option of ['privileged=yes', 'capabilities=sys_admin']) {
      await mount.run(
        `mkdir -p nf-types/host/a; echo ${option} > nf-types/host/a/config/boot.conf; echo activate > nf-types/host/a/action`,
      );
      assert.equal(await runIn(mount, 'a', 'readlink /proc/self/ns/user'), await mount.run('readlink /proc/self/ns/user'));
      await mount.run('echo destroy > nf-types/host/a/action; rm -r nf-types/host/a');
    }
  });
});

/** What a script prints in a guest, given as its users give it. */
async function runIn(mount: TestMount, host: string, script: string): Promise<string> {
  const directory = `nf-types/host/${host}`;
  await mount.run(`cat > ${directory}/rfs/var/attack <<'END'\n${script}\nEND\necho 'bash /var/attack' > ${directory}/command`);
  return mount.run(`cat ${directory}/command`);
}
