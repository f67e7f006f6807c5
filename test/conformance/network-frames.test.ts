import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestMount } from '../support/mount.ts';
import { whyNoGuests } from '../support/netns-world.ts';

/* What a network carries besides what hosts send to each other: frames for groups that a bridge keeps to itself by default. */

/** Prints which destinations of frames came in within two seconds, once it has said that it listens. */
const listen = `perl -e 'socket(S,17,3,768) or die; $|=1; print "ready\\n"; alarm 3; while (recv S, my $f, 2000, 0) { my ($d,$t)=unpack "H12 x6 n", $f; print "$d\\n" if $t==0x88cc || $t==0x888e }'`;

/** Sends a frame of LLDP and one of 802.1X. */
const send = `perl -e 'socket(S,17,3,768) or die; ioctl(S,0x8933, my $r=pack "a16 x24","eth0"); my $i=unpack "x16 i",$r; for (["0180c200000e","88cc"],["0180c2000003","888e"]) { send(S, pack("H*", $$_[0]."020000000099".$$_[1].("00"x46)), 0, pack "S n i S C C H16", 17, 0x0300, $i, 0, 0, 6, $$_[0]."0000") or die $! }'`;

describe('a network', { skip: whyNoGuests() ?? false, timeout: 240_000 }, () => {
  let mount: TestMount;
  /** Groups whose frames one host got from the other, by the last byte of their address. */
  let runs = 0;
  const crossing = async (): Promise<string> => {
    const file = `/tmp/frames-${++runs}`;
    const script = (name: string, command: string): string =>
      `cat > nf-types/host/${name}/command <<'EOC'\n${command}\nEOC\ncat nf-types/host/${name}/command`;
    await mount.run(script('b', `setsid ${listen} > ${file} 2>&1 & until grep -q ready ${file} 2>/dev/null; do sleep 0.05; done`));
    await mount.run(script('a', send));
    const heard = await mount.run(script('b', `sleep 0.3; grep -v ready ${file}; true`));
    return heard
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((group) => group.slice(-2))
      .sort()
      .join(' ');
  };

  before(async () => {
    mount = await TestMount.start();
    await mount.run(`mkdir networks/lan; echo 10.1.0.0/24 > networks/lan/subnet; mkdir nf-types/host; cd nf-types/host
      for v in a b; do mkdir -p $v/ports/eth0; echo lan > $v/ports/eth0/network; done
      echo 10.1.0.10/24 > a/ports/eth0/address; echo 10.1.0.11/24 > b/ports/eth0/address
      echo 02:00:00:00:00:99 > a/ports/eth0/mac
      for v in a b; do echo activate > $v/action; done`);
  });
  after(() => mount[Symbol.asyncDispose]());

  test('passes LLDP and 802.1X on, as a cable does', async () => {
    assert.equal(await mount.run('cat networks/lan/forward'), 'all\n');
    assert.equal(await crossing(), '03 0e');
  });

  test('passes on what its file forward says, from the moment it is written', async () => {
    await mount.run('echo lldp > networks/lan/forward');
    assert.equal(await crossing(), '0e');
    await mount.run('echo 802.1X > networks/lan/forward');
    assert.equal(await mount.run('cat networks/lan/forward'), '802.1x\n');
    assert.equal(await crossing(), '03');
    await mount.run('echo none > networks/lan/forward');
    assert.equal(await crossing(), '');
    const refused = await mount.sh('echo lacp > networks/lan/forward');
    assert.match(refused.stderr, /Invalid argument/);
    assert.match(await mount.run('cat networks/lan/error'), /^forward: "lacp" .*all, none, 802\.1x, lldp/);
  });

  test('keeps that over a restart of nf.io, and what is made anew has it', async () => {
    await mount.run('echo lldp > networks/lan/forward');
    await mount.unmount();
    await mount.mount();
    assert.equal(await crossing(), '0e');
    await mount.run('for v in a b; do echo destroy > nf-types/host/$v/action; done');
    await mount.unmount();
    await mount.mount();
    await mount.run('for v in a b; do echo activate > nf-types/host/$v/action; done');
    assert.equal(await crossing(), '0e');
    await mount.run('echo > networks/lan/forward');
    assert.equal(await crossing(), '03 0e');
  });
});
