import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestSpec } from '../../src/domain/ports/hypervisor.ts';
import type { PortSpec } from '../../src/domain/ports/network.ts';
import { findInits, type LabelledProcess } from '../../src/hypervisor/netns/labels.ts';
import { NetnsWorld, plainBoot, whyNoGuests } from '../support/netns-world.ts';

describe('starting netns guests', { skip: whyNoGuests() ?? false, timeout: 360_000 }, () => {
  let world: NetnsWorld;

  before(() => {
    world = new NetnsWorld();
  });
  after(() => world.close());

  const findInit = async (id: string): Promise<LabelledProcess> => {
    for (let tries = 0; tries < 200; tries++) {
      const found = findInits('guest', world.mountId).find((process) => process.id === id);
      if (found !== undefined) return found;
      await sleep(10);
    }
    throw new Error(`no init of ${id}`);
  };

  /** A guest whose init waits in the middle of its setup, for someone to read its log. */
  const stuck = async (): Promise<GuestSpec> => {
    const spec = world.guest({ command: ['sleep', '1000'] });
    await world.driver.deploy(spec, world.signal);
    execFileSync('mkfifo', [join(spec.guestDir, 'log')]);
    return spec;
  };

  it('gives words as they are: newlines, quotes, control characters, empty and UTF-8 ones', async () => {
    const words = ['a\nb\n', `'"\`$(x)\\`, '\u0001\u007f', '', 'grüße 🚀', ' ', '-n', '=', '0'];
    const env = { LINES: 'one\n\ntwo\n', QUOTES: `'"\\ $HOME`, EMPTY: '', UTF: 'ü🚀', EQUALS: 'a=b' };
    const script = 'for w in "$@" "$LINES" "$QUOTES" "$EMPTY" "$UTF" "$EQUALS"; do printf "%s\\0" "$w"; done; echo end; exec sleep 1000';
    const spec = await world.running({ boot: { ...plainBoot, env }, command: ['sh', '-c', script, 'sh', ...words] });
    const log = world.driver.logPath(spec);
    for (let tries = 0; tries < 100 && !readFileSync(log, 'utf8').endsWith('end\n'); tries++) await sleep(20);
    deepEqual(readFileSync(log, 'utf8').split('\0'), [...words, ...Object.values(env), 'end\n']);
  });

  it('refuses a word that holds a NUL', async () => {
    const spec = world.guest({ command: ['sleep', '1\x000'] });
    await world.driver.deploy(spec, world.signal);
    await rejects(world.driver.start(spec, world.signal), { code: 'InvalidValueError' });
    await world.driver.destroy(spec, { force: true, signal: world.signal });
  });

  it('says which command cannot be run, and why, and leaves nothing', async () => {
    const script = join(world.base, 'no-interpreter');
    writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    const reasons = [
      ['no-such-program', 'ENOENT', /no-such-program: No such file/],
      [script, 'ENOENT', /no-interpreter: No such file/],
      ['/etc/passwd', 'EACCES', /\/etc\/passwd: Permission denied/],
      ['/bin/sh/x', 'ENOTDIR', /x: Not a directory/],
    ] as const;
    for (const [command, errnoName, message] of reasons) {
      const spec = world.guest({ command: [command, 'word'] });
      await world.driver.deploy(spec, world.signal);
      await rejects(world.driver.start(spec, world.signal), { code: 'VNFStartError', errnoName, message });
      equal(world.driver.guestStatus(spec).state, 'created');
      equal(findInits('guest', world.mountId).filter(({ id }) => id === spec.id).length, 0);
      match(readFileSync(world.driver.logPath(spec), 'utf8'), message);
      await world.driver.destroy(spec, { force: true, signal: world.signal });
    }
  });

  it('fails at once when init is killed during its setup, and leaves nothing', async () => {
    const spec = await stuck();
    const started = rejects(world.driver.start(spec, world.signal), { code: 'VNFStartError', message: /ended early/ });
    process.kill((await findInit(spec.id)).pid, 'SIGKILL');
    await started;
    equal(world.driver.guestStatus(spec).state, 'created');
    equal(findInits('guest', world.mountId).filter(({ id }) => id === spec.id).length, 0);
    rmSync(join(spec.guestDir, 'log'));
    await world.driver.start(spec, world.signal);
    await world.driver.destroy(spec, { force: true, signal: world.signal });
  });

  it('can be given up during the setup', async () => {
    const spec = await stuck();
    const abort = new AbortController();
    const started = rejects(world.driver.start(spec, abort.signal), { code: 'InterruptedError' });
    await findInit(spec.id);
    abort.abort();
    await started;
    equal(findInits('guest', world.mountId).filter(({ id }) => id === spec.id).length, 0);
    await world.driver.destroy(spec, { force: true, signal: world.signal });
  });

  it('goes on when the launcher is killed, and so do the guests it started', async () => {
    const spec = await world.running({ command: ['sleep', '1000'] });
    const init = await findInit(spec.id);
    const launcher = findProcesses(`nfio-launcher ${world.mountId}`);
    equal(launcher.length, 1);
    process.kill(launcher[0] ?? 0, 'SIGKILL');
    // The driver knows when this process, its parent, has taken note of the end.
    for (let tries = 0; tries < 500 && existsSync(`/proc/${launcher[0]}`); tries++) await sleep(10);
    await sleep(50);
    await world.running({});
    equal((await world.sh(spec, 'echo well')).stdout, 'well\n');
    equal((await findInit(spec.id)).startTime, init.startTime);
  });

  it('names the step that failed, and why', async () => {
    const spec = world.guest({ configDir: join(world.base, 'not-there') });
    await world.driver.deploy(spec, world.signal);
    await rejects(world.driver.start(spec, world.signal), {
      code: 'VNFStartError',
      errnoName: 'ENOENT',
      message: /etc\/nfio.*No such file/,
    });
    await world.driver.destroy(spec, { force: true, signal: world.signal });
    const early = world.guest({ command: ['sleep', '1000'] });
    await world.driver.deploy(early, world.signal);
    mkdirSync(join(early.guestDir, 'log'));
    await rejects(world.driver.start(early, world.signal), { code: 'VNFStartError', errnoName: 'EISDIR', message: /step "log"/ });
    await world.driver.destroy(early, { force: true, signal: world.signal });
  });

  it('says which part of a port could not be made, and what the kernel has against it', async () => {
    const failing = async (port: PortSpec, message: RegExp): Promise<void> => {
      const spec = world.guest({ ports: [port] });
      await world.driver.deploy(spec, world.signal);
      await rejects(world.driver.start(spec, world.signal), { code: 'VNFStartError', message });
      equal(world.driver.guestStatus(spec).state, 'created');
      await world.driver.destroy(spec, { force: true, signal: world.signal });
    };
    await failing(world.port('10.9.0.1/24', { mtu: 10 }), /step "port eth0": Invalid argument/);
    await failing(world.port('10.9.0.1/24', { gateway: '10.77.0.1' }), /step "port eth0, default route via 10.77.0.1": .*unreachable.*\(/i);
    await failing(world.port('ff02::1/64', { name: 'wan' }), /step "port wan, address ff02::1\/64": Cannot assign/);
  });

  it("leaves init in the guest's namespaces and cgroups, without the machine's files or the launcher's pipes", async () => {
    const spec = await world.running({ command: ['sleep', '1000'] });
    const { pid } = await findInit(spec.id);
    for (const namespace of ['net', 'mnt', 'pid', 'uts', 'ipc']) {
      const of = (process: string): string => readlinkSync(`/proc/${process}/ns/${namespace}`);
      ok(of(String(pid)) !== of('self'), namespace);
    }
    const mountPoints = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4]);
    equal(mountPoints.filter((path) => path === '/').length, 1, "the machine's root is gone");
    ok(!mountPoints.includes('/sys/fs/cgroup'));
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    deepEqual(
      open.filter((target) => /pipe|socket/.test(target)),
      [],
    );
    const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    ok(groups.includes(`/nfio/${world.mountId}/${spec.id}`), groups);
    let child = '';
    for (let tries = 0; tries < 100 && child === ''; tries++) {
      child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      await sleep(10);
    }
    equal(readFileSync(`/proc/${child}/cgroup`, 'utf8'), groups);
  });

  it('keeps nothing of other guests in the memory of init', async () => {
    const secret = `word-${Math.random()}`;
    await world.running({ boot: { ...plainBoot, env: { SECRET: secret } }, command: ['sleep', '1000'] });
    const other = await world.running({ boot: { ...plainBoot, env: { MINE: 'own-word' } }, command: ['sleep', '1000'] });
    const memory = readMemory((await findInit(other.id)).pid);
    ok(memory.includes('own-word'), 'the memory can be searched');
    ok(!memory.includes(secret));
  });

  it('hides the directory of all state, other VNFs and their config', async () => {
    const state = mkdtempSync('/var/tmp/nfio-state-');
    const [configDir, guestDir] = [join(state, 'nf-types/host/mine/config'), join(state, 'guests/g1')];
    for (const directory of [configDir, guestDir]) mkdirSync(directory, { recursive: true });
    writeFileSync(join(configDir, 'own'), 'seen\n');
    const spec = await world.running({ configDir, guestDir });
    equal((await world.sh(spec, `ls -A ${state}; cat ${configDir}/own /etc/nfio/own 2>/dev/null`)).stdout, 'seen\n');
    await world.driver.destroy(spec, { force: true, signal: world.signal });
    rmSync(state, { recursive: true });
  });
});

/** Processes that show a text in their arguments. */
function findProcesses(text: string): number[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false; // it ended meanwhile
    }
  });
}

/** What a process holds in memory that it may write to. */
function readMemory(pid: number): Buffer {
  const file = openSync(`/proc/${pid}/mem`, 'r');
  try {
    const ranges = readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm);
    const parts = [...ranges].map(([, begin, end]) => {
      const [from, to] = [Number.parseInt(begin ?? '', 16), Number.parseInt(end ?? '', 16)];
      const part = Buffer.alloc(to - from);
      readSync(file, part, 0, part.length, from);
      return part;
    });
    return Buffer.concat(parts);
  } finally {
    closeSync(file);
  }
}
