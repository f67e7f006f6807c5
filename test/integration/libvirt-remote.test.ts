import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { accepts } from '../support/accepts.ts';
import { freePort } from '../support/free-port.ts';
import { LibvirtDaemon, whyNoLibvirt } from '../support/libvirt-daemon.ts';
import { LibvirtWorld } from '../support/libvirt-world.ts';
import { patient } from '../support/patience.ts';
import { makeCertificates } from '../support/tls-files.ts';
import { testVnfImage } from '../support/vnf-image.ts';

/** Waits until somebody listens on a port of this machine. */
async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 250; tries++, await sleep(20)) {
    if (await accepts(port)) return;
  }
}

describe('libvirt on another machine', { skip: whyNoLibvirt() ?? false, timeout: patient(360_000) }, () => {
  let directory: string;
  let certificates: string;
  let daemon: LibvirtDaemon;
  let world: LibvirtWorld;
  let address: string;
  let sshd: ChildProcess | undefined;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'nfio-remote-'));
    const own = makeCertificates(directory, 'right');
    certificates = own.client;
    const port = await freePort();
    const server = (name: string): string => JSON.stringify(join(own.server, name));
    daemon = await LibvirtDaemon.start(
      [
        'listen_tls = 1',
        'listen_addr = "127.0.0.1"',
        `tls_port = "${port}"`,
        `key_file = ${server('key.pem')}`,
        `cert_file = ${server('cert.pem')}`,
        `ca_file = ${server('ca.pem')}`,
      ],
      ['--listen'],
    );
    world = new LibvirtWorld('qemu+unix:///system?socket=/nowhere', await testVnfImage());
    address = `qemu+tls://127.0.0.1:${port}/system?emulate=yes`;
  });
  after(async () => {
    sshd?.kill();
    await world.close();
    await daemon[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  const reached = async (at: string): Promise<string> => {
    for (let tries = 0; tries < 250 && world.driver.hostStatus(at).state === 'unknown'; tries++) await sleep(20);
    return world.driver.hostStatus(at).state;
  };

  it('is reached over TLS with a certificate, and by none without', async () => {
    world.driver.setHosts([{ address, certificates: join(directory, 'server-without') }]);
    assert.equal(await reached(address), 'unreachable');
    assert.match(world.driver.hostStatus(address).why, /ca\.pem, cert\.pem and key\.pem/);
    world.driver.setHosts([{ address, certificates }]);
    assert.equal(await reached(address), 'up');
    const { capacity, load } = await world.driver.hostReport(address, world.signal);
    assert.ok((capacity['vcpu'] ?? 0) > 0 && (load['memory_free_bytes'] ?? 0) > 0);
    assert.equal(load['load1'], undefined);
  });

  it('runs guests, whose counters are asked of it, and gives them no ports', async () => {
    const { driver, signal } = world;
    await assert.rejects(driver.deploy(world.guest({ host: address, ports: [world.port('10.1.0.1/24')] }), signal), {
      code: 'UnsupportedError',
      errnoName: 'EOPNOTSUPP',
    });
    const spec = await world.running({ host: address });
    assert.equal((await world.sh(spec, 'hostname')).stdout, `${spec.name}\n`);
    assert.deepEqual(driver.counterSource(spec), { kind: 'remote' });
    const counters = await driver.counters(spec, signal);
    assert.ok((counters['cpu_usec'] ?? 0) > 0 && (counters['memory_bytes'] ?? 0) > 0);
    assert.equal(counters['rx_bytes'], 0);
    await driver.stop(spec, signal);
    assert.equal(driver.guestStatus(spec).state, 'exited');
    await driver.destroy(spec, { force: false, signal });
  });

  it('is reached over ssh', {
    skip: existsSync('/usr/sbin/sshd') ? false : 'there is no sshd: apt-get install openssh-server',
  }, async () => {
    const port = await freePort();
    const at = (name: string): string => join(directory, name);
    for (const name of ['host_key', 'user_key']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
    copyFileSync(at('user_key.pub'), at('authorized'));
    chmodSync(at('authorized'), 0o600);
    writeFileSync(at('known'), `[127.0.0.1]:${port} ${readFileSync(at('host_key.pub'), 'utf8')}`);
    const settings = [`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${at('host_key')}`, `AuthorizedKeysFile ${at('authorized')}`];
    writeFileSync(at('sshd_config'), [...settings, 'PasswordAuthentication no', 'UsePAM no', 'StrictModes no', ''].join('\n'));
    mkdirSync('/run/sshd', { recursive: true });
    sshd = daemon.spawn(['/usr/sbin/sshd', '-D', '-f', at('sshd_config')]);
    await listening(port);
    const keys = `keyfile=${at('user_key')}&known_hosts=${at('known')}`;
    const { capacity } = await world.driver.hostReport(`qemu+ssh://root@127.0.0.1:${port}/system?${keys}`, world.signal);
    assert.ok((capacity['vcpu'] ?? 0) > 0);
    const stranger = `qemu+ssh://nobody@127.0.0.1:${port}/system?${keys}`;
    const expected = { code: 'HypervisorConnectionError', errnoName: 'EHOSTUNREACH', message: /without a password/ };
    await assert.rejects(world.driver.hostReport(stranger, world.signal), expected);
  });
});
