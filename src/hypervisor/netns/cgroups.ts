import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestLimits } from '../../domain/ports/hypervisor.ts';
import { errnoName, errnoOf, NfioError } from '../../errors/index.ts';
import { type CgroupMounts, findCgroupMounts } from '../cgroup-mounts.ts';

/** A guest that forks without end stops here, not at the machine's limit. */
const maxProcesses = 4096;
const periodUsec = 100_000;
/** Less does not hold even what sets a guest up. */
const minMemoryBytes = 4 * 1024 * 1024;
const minQuotaUsec = 1000; // the kernel takes no less

/** The cgroups of one mount's guests: /nfio/MOUNT/GUEST in every hierarchy that is needed, version 1 or 2. */
export class Cgroups {
  readonly #mountId: string;
  readonly #mounts: CgroupMounts;

  constructor(mountId: string, mounts: CgroupMounts = findCgroupMounts()) {
    this.#mountId = mountId;
    this.#mounts = mounts;
  }

  /** Makes a guest's cgroups, with its limits. */
  create(id: string, limits: GuestLimits): void {
    for (const root of this.#roots()) {
      const parent = join(root, 'nfio', this.#mountId);
      if (root === this.#mounts.unified) delegateControllers(root, parent);
      mkdirSync(join(parent, id), { recursive: true });
    }
    this.#write(id, 'pids', 'pids.max', String(maxProcesses));
    if (limits.vcpu !== undefined || limits.memoryBytes !== undefined) this.setLimits(id, limits);
  }

  /** The files a process joins them by. */
  joinFiles(id: string): string[] {
    return this.#roots().map((root) => join(root, 'nfio', this.#mountId, id, 'cgroup.procs'));
  }

  /**
   * @throws InvalidValueError (EINVAL) for what no guest can live with, UnsupportedError (EOPNOTSUPP) when this machine has no controller for a limit, BusyError (EBUSY) when the guest
   * uses more memory than it may from now on.
   */
  setLimits(id: string, limits: GuestLimits): void {
    const { vcpu, memoryBytes } = limits;
    if ((vcpu !== undefined && !(vcpu > 0)) || (memoryBytes !== undefined && !(memoryBytes >= minMemoryBytes))) {
      throw new NfioError('InvalidValueError', { message: 'a guest needs more than 0 processors and at least 4 MiB of memory' });
    }
    const quota = vcpu === undefined ? undefined : Math.max(minQuotaUsec, Math.round(Math.min(vcpu, 100_000) * periodUsec));
    const bytes = memoryBytes === undefined ? undefined : String(Math.min(Math.floor(memoryBytes), Number.MAX_SAFE_INTEGER));
    this.#limitMemory(id, bytes);
    if (this.#mounts.v1.cpu !== undefined) this.#limit(id, 'cpu', 'cpu.cfs_quota_us', quota === undefined ? '-1' : String(quota), vcpu);
    else this.#limit(id, 'cpu', 'cpu.max', `${quota ?? 'max'} ${periodUsec}`, vcpu);
  }

  /** Stops or continues every process of the guest; resolves when they are. */
  async freeze(id: string, frozen: boolean): Promise<void> {
    const v1 = this.#mounts.v1.freezer !== undefined;
    const file = v1 ? 'freezer.state' : 'cgroup.freeze';
    const value = v1 ? (frozen ? 'FROZEN' : 'THAWED') : frozen ? '1' : '0';
    const code = frozen ? 'VNFPauseError' : 'VNFUnpauseError';
    if (!this.#write(id, 'freezer', file, value))
      throw new NfioError('UnsupportedError', { message: 'this machine has no cgroup freezer' });
    for (let tries = 0; this.isFrozen(id) !== frozen; tries++) {
      if (tries > 500)
        throw new NfioError(code, { errno: 'ETIMEDOUT', message: `the guest's processes did not become ${value} within 5 s` });
      await sleep(Math.min(tries, 10));
    }
  }

  /** True when the guest's processes are stopped by freeze. */
  isFrozen(id: string): boolean {
    const directory = this.#directory(id, 'freezer');
    if (directory === undefined) return false;
    if (this.#mounts.v1.freezer !== undefined) return read(join(directory, 'freezer.state')).trim() === 'FROZEN';
    return /^frozen 1$/m.test(read(join(directory, 'cgroup.events')));
  }

  /** Where cumulative CPU time and memory in use are read. */
  counterPaths(id: string): { readonly cpuPath: string | undefined; readonly memoryPath: string | undefined } {
    const cpu = this.#directory(id, 'cpuacct');
    const memory = this.#directory(id, 'memory');
    return {
      cpuPath: cpu && join(cpu, this.#mounts.v1.cpuacct === undefined ? 'cpu.stat' : 'cpuacct.usage'),
      memoryPath: memory && join(memory, this.#mounts.v1.memory === undefined ? 'memory.current' : 'memory.usage_in_bytes'),
    };
  }

  /** Ends whatever is in a guest's cgroups, also what never came as far as its namespaces. */
  kill(id: string): void {
    for (const file of this.joinFiles(id)) {
      for (const pid of read(file).split('\n').map(Number)) {
        if (pid > 1 && pid !== process.pid) killNow(pid);
      }
    }
  }

  /** Ids of guests that have cgroups, whether or not they live. */
  list(): string[] {
    const ids = this.#roots().flatMap((root) => subdirectories(join(root, 'nfio', this.#mountId)));
    return [...new Set(ids)];
  }

  /** Removes a guest's cgroups once its processes are gone, and what is empty above them. */
  async remove(id: string): Promise<void> {
    for (const root of this.#roots()) {
      await removeGroup(join(root, 'nfio', this.#mountId, id));
      for (const directory of [join(root, 'nfio', this.#mountId), join(root, 'nfio')]) {
        try {
          rmdirSync(directory);
        } catch {
          break; // other guests, or other mounts, are in it
        }
      }
    }
  }

  #limitMemory(id: string, bytes: string | undefined): void {
    const v1 = this.#mounts.v1.memory !== undefined;
    const usage = Number(read(this.counterPaths(id).memoryPath ?? ''));
    if (!v1 && bytes !== undefined && usage > Number(bytes)) throw memoryInUse(undefined);
    this.#limit(id, 'memory', v1 ? 'memory.limit_in_bytes' : 'memory.max', bytes ?? (v1 ? '-1' : 'max'), bytes);
  }

  #limit(id: string, controller: string, file: string, value: string, wanted: unknown): void {
    if (this.#write(id, controller, file, value) || wanted === undefined) return;
    throw new NfioError('UnsupportedError', {
      message: `limits on ${controller} need the cgroup controller ${controller}, which this machine does not give: see /proc/cgroups`,
    });
  }

  /** False when there is no such controller here. */
  #write(id: string, controller: string, file: string, value: string): boolean {
    const directory = this.#directory(id, controller);
    if (directory === undefined) return false;
    try {
      writeFileSync(join(directory, file), value, { flag: 'r+' });
      return true;
    } catch (cause) {
      const errno = errnoName(errnoOf(cause)) ?? 'EIO';
      if (errno === 'ENOENT' || errno === 'EACCES') return false; // version 2: the controller is not delegated
      if (errno === 'EBUSY' && controller === 'memory') throw memoryInUse(cause);
      throw new NfioError('InvalidValueError', { errno, message: `the kernel refuses ${file} = ${value} (${errno})`, cause });
    }
  }

  #directory(id: string, controller: string): string | undefined {
    const root = this.#mounts.v1[controller] ?? this.#mounts.unified;
    return root && join(root, 'nfio', this.#mountId, id);
  }

  #roots(): string[] {
    const { v1, unified } = this.#mounts;
    const wanted = ['cpu', 'cpuacct', 'memory', 'freezer', 'pids'].map((controller) => v1[controller] ?? unified);
    return [...new Set(wanted)].filter((root) => root !== undefined);
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}

function memoryInUse(cause: unknown): NfioError {
  const message = 'the guest uses more memory than that now: stop it first, or choose a larger limit';
  return new NfioError('BusyError', { message, cause });
}

/** Version 2 gives a group only the controllers its parent hands on. */
function delegateControllers(root: string, parent: string): void {
  mkdirSync(parent, { recursive: true });
  for (const directory of [root, join(root, 'nfio'), parent]) {
    for (const controller of ['cpu', 'memory', 'pids']) {
      try {
        writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`, { flag: 'r+' });
      } catch {
        // not to be had here: found out when a limit is asked for
      }
    }
  }
}

/** Removes a group and those the guest made below it; a group whose last process has just ended is busy for some milliseconds. */
async function removeGroup(directory: string): Promise<void> {
  for (const name of subdirectories(directory)) await removeGroup(join(directory, name));
  for (let tries = 0; ; tries++) {
    try {
      return rmdirSync(directory);
    } catch (cause) {
      if (errnoName(errnoOf(cause)) === 'ENOENT') return;
      if (tries >= 100) throw new NfioError('VNFDestroyError', { errno: 'EBUSY', message: `${directory} still holds processes`, cause });
    }
    await sleep(Math.min(1 + tries, 20));
  }
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
