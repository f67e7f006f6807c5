import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isThere, mayPass, unlessAbsent } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';
import { cpioArchive } from './cpio-archive.ts';
import { probeInit, probeMessage } from './probe-init.ts';

/** Whether the processor of this machine can run guests itself (KVM), found out by having it run one. */
export interface Acceleration {
  readonly works: boolean;
  /** Why not, or what was tried, in a sentence. */
  readonly why: string;
}

const qemu = 'qemu-system-x86_64';
const probeTimeoutMs = 20_000;
/** What was found out holds until the machine boots again, or has another QEMU. */
const cacheFile = '/run/nfio/kvm.json';

let known: Promise<Acceleration> | undefined;

/**
 * Finds out, once in the life of a machine, whether KVM works: boots a kernel with an init that says so and switches off. That /dev/kvm
 * can be opened proves nothing: on some virtual machines guests crash at their first instructions.
 *
 * @param kernel of the guest to be; else that of this machine is tried.
 */
export function probeAcceleration(kernel: string | undefined): Promise<Acceleration> {
  known ??= probe(kernel).catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}

async function probe(kernel: string | undefined): Promise<Acceleration> {
  const key = await machineKey();
  const cached = readCache(key);
  if (cached !== undefined) return cached;
  const found = await tryOut(kernel);
  if (found !== undefined) writeCache(key, found);
  return found ?? { works: false, why: 'whether KVM works could not be tried: there is no kernel to boot (nfio images build --libvirt)' };
}

/** Undefined when it cannot be found out. */
async function tryOut(wanted: string | undefined): Promise<Acceleration | undefined> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    if (mayPass(error)) throw error;
    return { works: false, why: 'this machine has no /dev/kvm: its processor, or the hypervisor below, offers no virtualisation' };
  }
  const kernel = [wanted, `/boot/vmlinuz-${release()}`].find((path) => path !== undefined && isThere(path));
  if (kernel === undefined) return undefined;
  const said = await boot(kernel);
  if (said.includes(probeMessage)) return { works: true, why: `a guest booted (${kernel})` };
  return { works: false, why: `/dev/kvm opens, but a guest that should have booted did not (${kernel}): guests are emulated` };
}

/** What the console of a guest with this kernel says. */
async function boot(kernel: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nfio-kvm-'));
  const initrd = join(directory, 'initrd');
  const machine = ['-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio', '-no-reboot', '-m', '128'];
  const linux = ['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 quiet'];
  try {
    await writeFile(initrd, cpioArchive([{ kind: 'file', path: 'init', content: probeInit, executable: true }]));
    let said = '';
    const done = new AbortController();
    const onOutput = (chunk: Uint8Array): void => {
      said = (said + Buffer.from(chunk).toString('latin1')).slice(-4096);
      if (said.includes(probeMessage)) done.abort();
    };
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(probeTimeoutMs)]);
    await runProgram([qemu, '-accel', 'kvm', '-cpu', 'host', ...machine, ...linux], { signal, onOutput }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    return said;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function machineKey(): Promise<string> {
  const { stdout } = await runProgram([qemu, '--version'], { signal: AbortSignal.timeout(10_000) });
  return [readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), release(), stdout.split('\n')[0]].join(' ');
}

function readCache(key: string): Acceleration | undefined {
  const text = unlessAbsent(() => readFileSync(cacheFile, 'utf8'));
  try {
    const { key: of, ...found } = JSON.parse(text ?? '{}') as Acceleration & { readonly key?: string };
    return of === key ? found : undefined;
  } catch {
    return undefined; // cut off: found out once more
  }
}

function writeCache(key: string, found: Acceleration): void {
  mkdirSync(dirname(cacheFile), { recursive: true, mode: 0o700 });
  writeFileSync(cacheFile, JSON.stringify({ key, ...found }));
}
