import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ChainLab } from '../support/chain-lab.ts';
import { TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { testImage } from '../support/guest-image.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { patient } from '../support/patience.ts';
import { testVnfImage } from '../support/vnf-image.ts';

/* One service chain over all hypervisors: a is in namespaces, b in a container, vm a virtual machine. */

const pings = 'icmp type { echo-request, echo-reply }';
/** A machine that is emulated boots for a while. */
const bootTimeoutMs = 120_000;

const hosts = `for each in box:docker vms:libvirt; do
  mkdir hosts/\${each%:*}; echo \${each#*:} > hosts/\${each%:*}/hypervisor; echo 127.0.0.1 > hosts/\${each%:*}/address
done`;
const activate = (vnf: string, host: string, image: string): string =>
  `mkdir nf-types/${vnf}; cd nf-types/${vnf}; echo ${host} > machine/ip; echo ${image} > machine/vm.image; echo activate > action`;

describe('a service chain through a namespace, a container and a virtual machine', {
  skip: whyNoEngine() ?? whyNoLibvirt() ?? false,
  timeout: patient(360_000),
}, () => {
  let daemon: LibvirtDaemon;
  let engine: TestEngine;
  let lab: ChainLab;

  before(async () => {
    [daemon, engine] = await Promise.all([LibvirtDaemon.start(), TestEngine.start()]);
    lab = await ChainLab.start(['a'], { dockerSocket: engine.socket, libvirtUri: daemon.uri });
    await lab.run(hosts);
    await Promise.all([
      lab.mount.run(activate('firewall/vm', 'vms', await testVnfImage()), { timeoutMs: bootTimeoutMs }),
      lab.run(activate('host/b', 'box', testImage)).then(() => lab.serve(80, 81)),
    ]);
    await lab.run(`mkdir chns/web; cd chns/web; ln -s ../../nf-types/firewall/a a; ln -s ../../nf-types/host/b b; ln -s ../../nf-types/firewall/vm vm
      ln -s a start; ln -s ../b a/next; ln -s ../vm b/next; echo lan > ingress; echo wan > egress; echo 'tcp dport 80' > match
      echo activate > action`);
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  const verify = async (): Promise<string[]> => (await lab.run('echo 1 > chns/web/verify; cat chns/web/verify')).trimEnd().split('\n');
  const inMachine = (script: string): Promise<string> => lab.in('vm', script, 'firewall');
  const ttl = async (): Promise<string | undefined> => /ttl=(\d+)/.exec(await lab.in('client', 'ping -n -c 1 10.2.0.10'))?.[1];
  const passes = (): Promise<void> => lab.until(async () => (await lab.ping(3)) === 3, 'packets pass');
  const through = async (): Promise<number> => (await lab.counts('web', 'vm'))[0] ?? 0;

  test('is steered, verified, counted and traced hop by hop, both ways', async () => {
    assert.deepEqual(await lab.values('web', 'path', 'status'), ['lan → a → b → vm → wan', 'active']);
    const hops = ['a', 'b', 'vm'];
    assert.deepEqual(await verify(), [
      'ok',
      ...hops.map((hop) => `forward ${hop} in 3 out 3`),
      ...hops.toReversed().map((hop) => `backward ${hop} in 3 out 3`),
    ]);
    await lab.run('echo tcp 10.1.0.10 10.2.0.10:80 > chns/web/trace');
    const before = await lab.counts('web', ...hops);
    assert.equal(await lab.connect(80), 'port 80\n');
    // The last packets may still be under way.
    await lab.until(async () => {
      const [a = 0, ...others] = (await lab.counts('web', ...hops)).map((count, index) => count - (before[index] ?? 0));
      return a >= 8 && others.every((count) => count === a);
    }, 'each hop has counted the same 8 packets or more');
    assert.match(
      await lab.run('cat chns/web/trace; echo > chns/web/trace'),
      /^lan: (\d+) seen, \1 taken\n(?:\w+: \1 in, \1 out\n){3}wan: \1 out$/m,
    );
    const counted = await lab.counts('web', ...hops);
    assert.equal(await lab.connect(81), 'port 81\n');
    assert.deepEqual(await lab.counts('web', ...hops), counted, 'what does not match takes the plain way');
  });

  test('the rules of the virtual machine see where packets come in', async () => {
    const conf = join(lab.mount.path, 'nf-types/firewall/vm/config/nf_conf');
    writeFileSync(
      conf,
      'table inet f {\n chain c {\n type filter hook forward priority 0\n iifname "web.in" oifname "web.out" tcp dport 80 drop\n }\n}\n',
    );
    assert.equal(await lab.connect(80), '');
    assert.equal((await verify())[0], 'lost in vm, from lan to wan: 3 of 3 probes');
    writeFileSync(conf, '\n');
    assert.equal(await lab.connect(80), 'port 80\n');
  });

  test('large segments come through all three as they were sent', async () => {
    await lab.run("echo 'tcp dport { 80, 82 }' > chns/web/match");
    const sent = await lab.in(
      'server',
      'head -c 3000000 /dev/urandom > /bulk; setsid busybox nc -l -p 82 </bulk >/dev/null 2>&1 & sha1sum < /bulk',
    );
    const received = await lab.in('client', "timeout 20 bash -c 'exec 3<>/dev/tcp/10.2.0.10/82 && cat <&3' | sha1sum");
    assert.match(sent, /^[0-9a-f]{40} /);
    assert.equal(received, sent);
  });

  test('the virtual machine is taken out and put in again, and libvirtd ends and comes back, under traffic', async () => {
    await lab.run(`echo '${pings}' > chns/web/match`);
    assert.equal(await ttl(), '61');
    const id = await lab.run('cat nf-types/firewall/vm/machine/vm.id');
    await lab.in('client', 'setsid sh -c "ping -n -q -i 0.01 -c 1000 10.2.0.10 > /pings" >/dev/null 2>&1 &');
    await delay(200);
    await lab.run('rm -r chns/web/vm');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → b → wan']);
    await lab.run('cd chns/web; ln -s ../../nf-types/firewall/vm vm; ln -sfn ../vm b/next');
    assert.deepEqual(await lab.values('web', 'path', 'status'), ['lan → a → b → vm → wan', 'active']);
    await daemon.kill();
    await lab.until(async () => (await lab.run('cat nf-types/firewall/vm/status')) === 'unknown\n', 'the loss of libvirtd is noticed');
    const before = await through();
    await daemon.run();
    await lab.until(async () => (await lab.run('cat nf-types/firewall/vm/status')) === 'running\n', 'libvirtd is found again');
    await lab.until(async () => (await lab.in('client', 'cat /pings')).includes('packets transmitted'), 'all pings are sent');
    const answered = Number(/(\d+) received/.exec(await lab.in('client', 'cat /pings'))?.[1]);
    assert.ok(answered >= 993, `${answered} of 1000 pings were answered`);
    assert.ok((await through()) > before);
    assert.equal(await lab.run('cat nf-types/firewall/vm/machine/vm.id'), id);
  });

  test('the virtual machine is a bump in the wire', async () => {
    await lab.run('echo transparent > chns/web/vm/mode');
    assert.equal((await verify())[0], 'ok');
    const before = await through();
    assert.equal(await ttl(), '62');
    assert.equal(await through(), before + 2);
  });

  test('the virtual machine gets copies of everything, and cannot stop it', async () => {
    await lab.run('echo mirror > chns/web/vm/mode');
    await inMachine(
      'nft -f - <<\'EOF\'\ntable netdev see {\n counter copies { }\n chain in { type filter hook ingress device "web.in" priority 0; policy drop; counter name copies\n }\n}\nEOF',
    );
    const before = await through();
    assert.equal(await lab.ping(5), 5);
    assert.equal(await through(), before + 10);
    assert.match(await inMachine('nft list counter netdev see copies; nft delete table netdev see'), /packets 10 /);
    await lab.run('echo routed > chns/web/vm/mode');
    assert.equal((await verify())[0], 'ok');
  });

  test('a virtual machine that has forgotten what made it a hop is told again', async () => {
    const running = async (): Promise<number> => Number(await lab.run(`grep -c 'firewall/vm","what":"running"' events || true`));
    const told = await running();
    // As one that boots again by itself: its rules are gone, and its agent comes anew.
    await inMachine('(sleep 0.3; ip rule del pref 1000; ip rule del pref 1000; kill $(pidof qemu-ga)) >/dev/null 2>&1 &');
    await lab.until(async () => (await running()) > told, 'the agent is back', 60_000);
    await passes();
  });

  test('a virtual machine that is killed stops traffic, or has it go around, until it is back', async () => {
    const domain = execFileSync('virsh', ['-c', daemon.uri, 'list', '--name'], { encoding: 'utf8' }).trim();
    execFileSync('virsh', ['-c', daemon.uri, 'destroy', domain]);
    await lab.until(async () => (await lab.values('web', 'status'))[0] === 'degraded', 'the dead hop is noticed');
    assert.deepEqual(await lab.values('web', 'error'), [
      'hop vm: nf-types/firewall/vm is exited; traffic stops there (policy/failure is closed)',
    ]);
    assert.equal(await lab.ping(3, '-i 0.02 -W 0.2'), 0);
    assert.equal((await verify())[0], 'lost between b and vm, from lan to wan: 3 of 3 probes');
    await lab.run('echo open > chns/web/policy/failure');
    await passes();
    await lab.in('client', 'setsid sh -c "ping -n -q -i 0.02 -w 100 10.2.0.10 > /pings" >/dev/null 2>&1 & echo $! > /pinging');
    await lab.mount.run('echo start > nf-types/firewall/vm/action', { timeoutMs: bootTimeoutMs });
    const before = await through();
    await passes();
    assert.ok((await through()) >= before + 6);
    const [sent, answered] = /(\d+) packets transmitted, (\d+) received/
      .exec(await lab.in('client', 'kill -INT -$(cat /pinging); sleep 0.5; cat /pings'))
      ?.slice(1)
      .map(Number) ?? [NaN, NaN];
    assert.ok(Number(sent) > 50 && Number(answered) >= Number(sent) - 7, `${answered} of ${sent} pings were answered while it booted`);
    assert.deepEqual(await lab.values('web', 'status'), ['active']);
    await lab.run('echo closed > chns/web/policy/failure');
  });

  test('the container is restarted, stopped, and made a bump in the wire', async () => {
    await lab.run('echo restart > nf-types/host/b/action');
    await passes();
    await lab.run('echo transparent > chns/web/b/mode');
    assert.equal((await verify())[0], 'ok');
    await lab.run('echo stop > nf-types/host/b/action');
    assert.deepEqual(await lab.values('web', 'status'), ['degraded']);
    assert.equal(await lab.ping(3, '-i 0.02 -W 0.2'), 0);
    await lab.run('echo start > nf-types/host/b/action');
    await passes();
    await lab.run('rm -r chns/web/b');
    assert.deepEqual(await lab.values('web', 'path'), ['lan → a → vm → wan']);
    await passes();
  });
});
