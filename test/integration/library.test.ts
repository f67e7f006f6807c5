import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  Fabric,
  FabricNetwork,
  type GuestSpec,
  HypervisorFactory,
  makeGuestSpec,
  Nfio,
  NfioError,
  type PortSpec,
  type SegmentSpec,
} from '../../src/index.ts';
import { assertNoLeaks, snapshotWorld } from '../support/leaks.ts';

const skip = process.getuid?.() === 0 ? false : 'mounts and guests need root';
const vnf = 'nf-types/host/h';

function is(code: string, number?: number): (error: unknown) => boolean {
  return (error) => error instanceof NfioError && error.code === code && error.originalNumber === number;
}

describe('a tree, mounted and used by a program', { skip, timeout: 60_000 }, () => {
  let directory: string;
  let nfio: Nfio;
  let world: ReturnType<typeof snapshotWorld>;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nfio-library-'));
    world = snapshotWorld(directory);
    await chmod(directory, 0o755);
    await mkdir(join(directory, 'mnt'));
    nfio = new Nfio({ mountpoint: join(directory, 'mnt'), root: join(directory, 'root') });
    await nfio.mount();
  });

  after(async () => {
    if (nfio.mounted) await nfio.vnfsOps.vnfsDestroyVnf(vnf).catch(() => undefined);
    await nfio[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
    assertNoLeaks(world, directory);
  });

  test('an instance is made once, of a type that is there', async () => {
    assert.equal(nfio.mounted, true);
    await nfio.vnfsOps.vnfsCreateVnfInstance(vnf);
    await assert.rejects(nfio.vnfsOps.vnfsCreateVnfInstance(vnf), is('VNFCreateError', 704));
    await assert.rejects(nfio.vnfsOps.vnfsCreateVnfInstance('nf-types/nothing/x'), is('UnknownTypeError'));
    await assert.rejects(nfio.vnfsOps.vnfsCreateVnfInstance('nf-types/host/No!'), is('InvalidNameError'));
  });

  test('undeployed it has no counters and runs nothing', async () => {
    const ops = nfio.vnfsOps;
    assert.equal(await ops.vnfsGetStatus(vnf), 'undeployed');
    assert.deepEqual([await ops.vnfsGetRxBytes(vnf), await ops.vnfsGetId(vnf), await ops.vnfsGetIp(vnf)], [undefined, '', '']);
    await assert.rejects(ops.vnfsExecuteInVnf(vnf, 'true'), is('VNFNotRunningError', 716));
    await assert.rejects(
      ops.vnfsStopVnf(vnf),
      (error) => is('VNFStopError', 709)(error) && /host\/h: stop: .*undeployed/.test(String(error)),
    );
    await assert.rejects(ops.vnfsDeployNf('nf-types/host/none'), is('VNFNotFoundError', 702));
  });

  test('deployed it runs, is configured as the tree says, and counts', async () => {
    const ops = nfio.vnfsOps;
    await writeFile(join(nfio.mountpoint, vnf, 'machine/vm.vcpu'), '0.5');
    await ops.vnfsDeployNf(vnf);
    assert.equal(await ops.vnfsGetStatus(join(nfio.mountpoint, vnf)), 'running');
    assert.ok(existsSync(`/proc/${await ops.vnfsGetId(vnf)}`), 'the identifier of a netns guest is a pid');
    assert.deepEqual([await ops.vnfsGetRxBytes(vnf), await ops.vnfsGetTxBytes(vnf), await ops.vnfsGetPktDrops(vnf)], [0, 0, 0]);
    const configuration = { nfInstanceName: 'h', nfType: 'host', ipAddress: '', imageName: '' };
    assert.deepEqual(await ops.vnfsGetInstanceConfiguration(vnf), configuration);
  });

  test('commands give all they print; one that fails is an error, and its output stays', async () => {
    const ops = nfio.vnfsOps;
    assert.equal(await ops.vnfsExecuteInVnf(vnf, 'hostname; echo to stderr >&2'), 'h\nto stderr\n');
    assert.equal((await ops.vnfsExecuteInVnf(vnf, 'head -c 1048576 /dev/zero | tr "\\0" x')).length, 1_048_576);
    await assert.rejects(
      ops.vnfsExecuteInVnf(vnf, 'echo no; exit 3'),
      (error) => is('VNFCommandExecutionError', 703)(error) && /exit status 3/.test(String(error)),
    );
    assert.equal(await readFile(join(nfio.mountpoint, vnf, 'command'), 'utf8'), 'no\n');
  });

  test('goes through its states', async () => {
    const ops = nfio.vnfsOps;
    const first = await ops.vnfsGetId(vnf);
    await ops.vnfsPauseVnf(vnf);
    assert.equal(await ops.vnfsGetStatus(vnf), 'paused');
    await assert.rejects(ops.vnfsExecuteInVnf(vnf, 'true'), is('VNFNotRunningError', 716));
    await ops.vnfsUnpauseVnf(vnf);
    await ops.vnfsRestartVnf(vnf);
    assert.equal(await ops.vnfsGetStatus(vnf), 'running');
    assert.notEqual(await ops.vnfsGetId(vnf), first);
    await ops.vnfsStopVnf(vnf);
    assert.match(await ops.vnfsGetStatus(vnf), /^exited/);
    await ops.vnfsStartVnf(vnf);
    await ops.vnfsDestroyVnf(vnf);
    assert.equal(await ops.vnfsGetStatus(vnf), 'undeployed');
  });

  test('another user may act on what was handed to them, and on nothing else', async () => {
    const ops = nfio.vnfsOps;
    const theirs = 'nf-types/host/theirs';
    await ops.vnfsCreateVnfInstance(theirs);
    const path = join(nfio.mountpoint, theirs);
    for (const name of ['', ...(await readdir(path, { recursive: true }))]) await chown(join(path, name), 65534, 65534);
    process.setegid?.(65534);
    process.seteuid?.(65534);
    try {
      await ops.vnfsDeployNf(theirs);
      assert.equal(await ops.vnfsExecuteInVnf(theirs, 'hostname'), 'theirs\n');
      await ops.vnfsDestroyVnf(theirs);
      await assert.rejects(ops.vnfsDeployNf(vnf), is('NotPermittedError'));
      await assert.rejects(ops.vnfsExecuteInVnf(vnf, 'true'), is('NotPermittedError'));
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
    assert.equal(await ops.vnfsGetStatus(vnf), 'undeployed');
  });

  test('a mount in use, one that is there already and none at all are said in errors', async () => {
    await assert.rejects(nfio.mount(), is('MountError'));
    const user = await open(join(nfio.mountpoint, 'nf-types'));
    await assert.rejects(nfio.unmount(), is('BusyError'));
    await user.close();
    await nfio.unmount();
    assert.equal(nfio.mounted, false);
    await assert.rejects(nfio.unmount(), is('MountError'));
    await assert.rejects(nfio.vnfsOps.vnfsGetStatus(vnf), is('VNFNotFoundError', 702));
    await nfio.mount();
    assert.equal(await nfio.vnfsOps.vnfsGetStatus(vnf), 'undeployed');
  });
});

describe('service chains, by a program', { skip, timeout: 60_000 }, () => {
  let directory: string;
  let nfio: Nfio;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nfio-library-'));
    await mkdir(join(directory, 'mnt'));
    nfio = new Nfio({ mountpoint: join(directory, 'mnt'), root: join(directory, 'root') });
    await nfio.mount();
  });
  after(async () => {
    await nfio[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test('are made, deployed with their VNFs, stopped and removed; and VNFs are removed', async () => {
    const { vnfsOps: ops, mountpoint } = nfio;
    const at = (...names: readonly string[]): string => join(mountpoint, ...names);
    for (const [network, subnet] of Object.entries({ lan: '10.1.0.0/24', wan: '10.2.0.0/24' })) {
      await mkdir(at('networks', network));
      await writeFile(at('networks', network, 'subnet'), subnet);
    }
    const vnfs = ['nf-types/firewall/one', 'nf-types/firewall/two'];
    for (const path of vnfs) await ops.vnfsCreateVnfInstance(path);
    await ops.vnfsCreateChain('chns/web');
    await assert.rejects(ops.vnfsCreateChain('chns/web'), is('NetworkError'));
    for (const name of ['one', 'two']) await symlink(at('nf-types/firewall', name), at('chns/web', name));
    await symlink('one', at('chns/web/start'));
    await symlink('../two', at('chns/web/one/next'));
    await writeFile(at('chns/web/ingress'), 'lan');
    await writeFile(at('chns/web/egress'), 'wan');

    assert.equal(ops.vnfsGetChainName('chns/web/one/next'), 'web');
    assert.deepEqual(await ops.vnfsGetChainElements(at('chns/web')), [at('chns/web/one'), at('chns/web/two')]);
    await ops.vnfsDeployNf(vnfs[1] ?? '');
    const [one, two] = vnfs.map((path) => at(path));
    assert.deepEqual(await ops.vnfsDeployNfChain('chns/web'), [
      { nfPath: one, deployed: true },
      { nfPath: two, deployed: false },
    ]);
    assert.equal(await ops.vnfsGetChainStatus('chns/web'), 'active');

    await assert.rejects(ops.vnfsRemoveChain('chns/web'), is('BusyError'));
    await assert.rejects(ops.vnfsRemoveVnfInstance(one ?? ''), is('BusyError'));
    await ops.vnfsStopNfChain('chns/web');
    await assert.rejects(ops.vnfsStopNfChain('chns/web'), (error) => is('NetworkError')(error) && /inactive/.test(String(error)));
    await ops.vnfsRemoveChain('chns/web');
    await assert.rejects(ops.vnfsGetChainStatus('chns/web'), is('NotFoundError'));
    for (const path of vnfs) {
      await ops.vnfsDestroyVnf(path);
      await ops.vnfsRemoveVnfInstance(path);
    }
    assert.deepEqual(await readdir(at('nf-types/firewall')), []);
    await assert.rejects(ops.vnfsRemoveVnfInstance(one ?? ''), is('VNFNotFoundError', 702));
  });
});

describe('the options of a program', { skip, timeout: 60_000 }, () => {
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nfio-library-'));
    await mkdir(join(directory, 'mnt'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test("reach the daemon: which Docker Engine and which libvirt are this machine's, and what may go in the clear", async () => {
    const socket = join(directory, 'no-engine.sock');
    const libvirtUri = `qemu+unix:///system?socket=${directory}/no-libvirt.sock`;
    const options = { mountpoint: join(directory, 'mnt'), root: join(directory, 'root'), dockerSocket: socket, libvirtUri };
    const hosts = { engine: ['docker', 'localhost'], vms: ['libvirt', 'localhost'], clear: ['docker', '127.0.0.9:9'] } as const;
    const why = async (nfio: Nfio, host: keyof typeof hosts): Promise<string> => {
      const path = join(nfio.mountpoint, 'hosts', host);
      const [hypervisor, address] = hosts[host];
      await mkdir(path).catch(() => undefined); // the second mount has it already
      await writeFile(join(path, 'hypervisor'), hypervisor);
      await writeFile(join(path, 'address'), address);
      await assert.rejects(readFile(join(path, 'capacity'), 'utf8'));
      return await readFile(join(path, 'error'), 'utf8');
    };
    const told = async (insecureEngines: boolean): Promise<readonly string[]> => {
      await using nfio = new Nfio({ ...options, insecureEngines });
      await nfio.mount();
      return [await why(nfio, 'engine'), await why(nfio, 'vms'), await why(nfio, 'clear')];
    };
    const [engine, vms, clear] = await told(false);
    assert.match(engine ?? '', /no-engine\.sock/);
    assert.match(vms ?? '', /no-libvirt\.sock/);
    assert.match(clear ?? '', /insecure-engines/);
    assert.doesNotMatch((await told(true))[2] ?? '', /insecure-engines/);
  });

  test('what cannot be mounted is an NfioError with a sentence, and nothing is made', async () => {
    const root = join(directory, 'mnt', 'root');
    await assert.rejects(new Nfio({ mountpoint: join(directory, 'mnt'), root }).mount(), is('InvalidValueError'));
    await assert.rejects(new Nfio({ mountpoint: join(directory, 'none') }).mount(), is('MountError'));
    const moduleRoot = join(directory, 'none');
    await assert.rejects(new Nfio({ mountpoint: join(directory, 'mnt'), root: directory, moduleRoot }).mount(), is('NotFoundError'));
    await writeFile(join(directory, 'file'), '');
    await assert.rejects(new Nfio({ mountpoint: join(directory, 'mnt'), root: join(directory, 'file') }).mount(), is('StateWriteError'));
    assert.deepEqual(await readdir(join(directory, 'mnt')), []);
  });
});

describe('a hypervisor without a mount', { skip, timeout: 60_000 }, () => {
  const mountId = `l${randomBytes(4).toString('hex').slice(0, 7)}`;
  const segment: SegmentSpec = { id: 'seg001', name: 'lan', uplink: '' };
  const network = new FabricNetwork(new Fabric(mountId));
  const signal = AbortSignal.timeout(50_000);
  let directory: string;
  let world: ReturnType<typeof snapshotWorld>;
  let guests: readonly GuestSpec[];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nfio-library-'));
    world = snapshotWorld(mountId, directory);
    guests = await Promise.all([1, 2].map(guest));
    new HypervisorFactory('netns', { mountId, runDir: join(directory, 'run') });
  });

  after(async () => {
    const driver = HypervisorFactory.getHypervisorInstance();
    for (const spec of guests) await driver.destroy(spec, { force: true, signal });
    await network.removeSegment(segment, signal);
    await network.removeIfUnused(signal);
    await network[Symbol.asyncDispose]();
    await HypervisorFactory.disposeHypervisorInstance();
    await rm(directory, { recursive: true, force: true });
    assertNoLeaks(world, mountId, directory);
  });

  async function guest(number: number): Promise<GuestSpec> {
    const base = join(directory, `guest${number}`);
    await mkdir(join(base, 'config'), { recursive: true });
    const port = makePort(number);
    return makeGuestSpec({
      id: `guest${number}`,
      name: `g${number}`,
      guestDir: join(base, 'guest'),
      configDir: join(base, 'config'),
      ports: [port],
    });
  }

  function makePort(number: number): PortSpec {
    const link = { mtu: undefined, up: true, rateBps: undefined, delayUsec: undefined, lossPercent: undefined };
    const mac = `02:00:00:00:00:0${number}`;
    return { id: `port0${number}`, name: 'eth0', segment, addresses: [`10.9.0.${number}/24`], gateway: undefined, mac, ...link };
  }

  test('deploys guests whose packets pass, and finds them again', async () => {
    const driver = HypervisorFactory.getHypervisorInstance();
    const [one, two] = guests as readonly [GuestSpec, GuestSpec];
    for (const spec of guests) {
      await driver.deploy(spec, signal);
      await driver.start(spec, signal);
    }
    assert.equal(await driver.getIp(one, signal), '10.9.0.1');
    const ping = await driver.executeInGuest(one, { argv: ['ping', '-c', '1', '-W', '5', '10.9.0.2'] }, { signal });
    assert.equal(ping.exitCode, 0, ping.stdout + ping.stderr);

    await HypervisorFactory.disposeHypervisorInstance();
    new HypervisorFactory('netns', { mountId, runDir: join(directory, 'run') });
    const next = HypervisorFactory.getHypervisorInstance();
    await next.recover(guests, signal);
    assert.deepEqual(next.guestStatus(two), { state: 'running', word: 'running' });
  });
});
