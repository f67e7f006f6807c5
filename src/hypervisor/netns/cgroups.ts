import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestLimits } from '../../domain/ports/hypervisor.ts';
import { errnoName, errnoOf, isAbsence, isThere, NfioError, unlessAbsent } from '../../errors/index.ts';
import { type CgroupMounts, findCgroupMounts } from '../cgroup-mounts.ts';
import { memoryOf } from '../default-limits.ts';
import { mostProcesses } from '../most-processes.ts';
import { readOrEmpty } from '../read-or-empty.ts';

/** What all guests of all mounts may take together of the machine's process numbers and memory: what is left keeps it, and nf.io, going. */
const shareOfProcesses = 1 / 2;
const shareOfMemory = 7 / 8;
const periodUsec = 100_000;
/** Less does not hold even what sets a guest up. */
const minMemoryBytes = 4 * 1024 * 1024;
const minQuotaUsec = 1000; // the kernel takes no less

/** Controllers that count or limit every guest; and those that a guest's processes come under when first needed, for a limit or a pause. */
const always = ['cpuacct', 'memory', 'pids'];
const onDemand = ['cpu', 'freezer'];

/** A guest whose processes fork faster than they can be moved is given up. */
const mostRounds = 1000;

/** The cgroups of one mount's guests: /nfio/MOUNT/GUEST in every hierarchy that is needed, version 1 or 2. */
export class Cgroups {
  readonly #mountId: string;
  readonly #mounts: CgroupMounts;
  /** Guests that have cgroups, as far as this process made them. */
  readonly #made = new Set<string>();

  constructor(mountId: string, mounts: CgroupMounts = findCgroupMounts()) {
    this.#mountId = mountId;
    this.#mounts = mounts;
  }

  /** Makes a guest's cgroups, with its limits. */
  create(id: string, limits: GuestLimits): void {
    const isFirst = this.#made.size === 0;
    this.#made.add(id);
    for (const root of this.#roots(always)) {
      if (root === this.#mounts.unified) delegateControllers(root, join(root, 'nfio', this.#mountId));
      mkdirSync(this.#in(root, id), { recursive: true });
    }
    if (isFirst) this.#boundAll();
    this.#write(id, 'pids', 'pids.max', String(mostProcesses));
    if (limits.vcpu !== undefined || limits.memoryBytes !== undefined) this.setLimits(id, limits);
    else this.#write(id, 'memory', this.#memoryLimit, String(memoryOf(limits)));
  }

  /** The files a process joins them by. */
  joinFiles(id: string): string[] {
    const [homes, others] = [this.#roots(always), this.#roots(onDemand)];
    const used = [...homes, ...others.filter((root) => !homes.includes(root) && isThere(this.#in(root, id)))];
    return used.map((root) => `${this.#in(root, id)}/cgroup.procs`);
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
    if (quota !== undefined) this.#enter(id, 'cpu');
    if (this.#mounts.v1.cpu !== undefined) this.#limit(id, 'cpu', 'cpu.cfs_quota_us', quota === undefined ? '-1' : String(quota), vcpu);
    else this.#limit(id, 'cpu', 'cpu.max', `${quota ?? 'max'} ${periodUsec}`, vcpu);
  }

  /** Stops or continues every process of the guest; resolves when they are. */
  async freeze(id: string, frozen: boolean): Promise<void> {
    const v1 = this.#mounts.v1.freezer !== undefined;
    const file = v1 ? 'freezer.state' : 'cgroup.freeze';
    const value = v1 ? (frozen ? 'FROZEN' : 'THAWED') : frozen ? '1' : '0';
    const code = frozen ? 'VNFPauseError' : 'VNFUnpauseError';
    if (frozen) this.#makeIn(id, 'freezer');
    else if (v1 && !isThere(this.#in(this.#mounts.v1.freezer ?? '', id))) return; // never paused
    if (!this.#write(id, 'freezer', file, value))
      throw new NfioError('UnsupportedError', { message: 'this machine has no cgroup freezer. Run: nfio doctor' });
    if (frozen) this.#enter(id, 'freezer'); // who comes in now stands still, and forks no more
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
    if (this.#mounts.v1.freezer !== undefined) return readOrEmpty(join(directory, 'freezer.state')).trim() === 'FROZEN';
    return /^frozen 1$/m.test(readOrEmpty(join(directory, 'cgroup.events')));
  }

  /** Where cumulative CPU time and memory in use are read. */
  counterPaths(id: string): { readonly cpuPath: string | undefined; readonly memoryPath: string | undefined } {
    const cpu = this.#directory(id, 'cpuacct');
    const memory = this.#directory(id, 'memory');
    return {
      cpuPath: cpu && `${cpu}/${this.#mounts.v1.cpuacct === undefined ? 'cpu.stat' : 'cpuacct.usage'}`,
      memoryPath: memory && `${memory}/${this.#mounts.v1.memory === undefined ? 'memory.current' : 'memory.usage_in_bytes'}`,
    };
  }

  /** Ends whatever is in a guest's cgroups, also what never came as far as its namespaces. */
  kill(id: string): void {
    for (const file of this.joinFiles(id)) {
      for (const pid of processesIn(file)) if (pid !== process.pid) killNow(pid);
    }
  }

  /** Ids of guests that have cgroups, whether or not they live. */
  list(): string[] {
    const ids = this.#roots([...always, ...onDemand]).flatMap((root) => subdirectories(join(root, 'nfio', this.#mountId)));
    return [...new Set(ids)];
  }

  /** Removes a guest's cgroups once its processes are gone, and what is empty above them. */
  async remove(id: string): Promise<void> {
    this.#made.delete(id);
    for (const root of this.#roots([...always, ...onDemand])) {
      await removeGroup(this.#in(root, id));
      if (this.#made.size > 0) continue;
      for (const directory of [join(root, 'nfio', this.#mountId), join(root, 'nfio')]) {
        try {
          rmdirSync(directory);
        } catch {
          break; // other guests, or other mounts, are in it
        }
      }
    }
  }

  /** Makes the guest's cgroup of a controller where it has none. */
  #makeIn(id: string, controller: string): void {
    const directory = this.#directory(id, controller);
    if (directory !== undefined) mkdirSync(directory, { recursive: true });
  }

  /** Brings the processes of a guest under a controller, also those they fork meanwhile. */
  #enter(id: string, controller: string): void {
    this.#makeIn(id, controller);
    const [home] = this.#roots(always);
    const target = this.#directory(id, controller);
    if (home === undefined || target === undefined) return;
    const procs = join(target, 'cgroup.procs');
    for (let rounds = 0; ; rounds++) {
      const inside = new Set(processesIn(procs));
      const outside = processesIn(join(this.#in(home, id), 'cgroup.procs')).filter((pid) => !inside.has(pid));
      if (outside.length === 0) return;
      if (rounds >= mostRounds) throw new NfioError('BusyError', { message: 'the guest starts processes faster than they can be limited' });
      for (const pid of outside) moveProcess(pid, procs);
    }
  }

  /** Guests without a limit of their own must not take the machine with them. */
  #boundAll(): void {
    const processes = Math.floor(Number(readFileSync('/proc/sys/kernel/pid_max', 'latin1')) * shareOfProcesses);
    const memory = Math.floor(totalmem() * shareOfMemory);
    writeValue(this.#allGuests('pids'), { controller: 'pids', file: 'pids.max', value: String(processes) });
    writeValue(this.#allGuests('memory'), { controller: 'memory', file: this.#memoryLimit, value: String(memory) });
  }

  get #memoryLimit(): string {
    return this.#mounts.v1.memory === undefined ? 'memory.max' : 'memory.limit_in_bytes';
  }

  #limitMemory(id: string, bytes: string | undefined): void {
    const v1 = this.#mounts.v1.memory !== undefined;
    const usage = Number(readOrEmpty(this.counterPaths(id).memoryPath ?? ''));
    if (!v1 && bytes !== undefined && usage > Number(bytes)) throw memoryInUse(undefined);
    this.#limit(id, 'memory', this.#memoryLimit, bytes ?? String(memoryOf({ memoryBytes: undefined })), bytes);
  }

  #limit(id: string, controller: string, file: string, value: string, wanted: unknown): void {
    if (this.#write(id, controller, file, value) || wanted === undefined) return;
    throw new NfioError('UnsupportedError', {
      message: `limits on ${controller} need the cgroup controller ${controller}, which this machine does not have. Run: nfio doctor`,
    });
  }

  /** False when there is no such controller here. */
  #write(id: string, controller: string, file: string, value: string): boolean {
    return writeValue(this.#directory(id, controller), { controller, file, value });
  }

  /** The group that those of all guests are in, of all mounts. */
  #allGuests(controller: string): string | undefined {
    const root = this.#root(controller);
    return root && join(root, 'nfio');
  }

  #directory(id: string, controller: string): string | undefined {
    const root = this.#root(controller);
    return root && this.#in(root, id);
  }

  /** Where the hierarchy of a controller is mounted. */
  #root(controller: string): string | undefined {
    return this.#mounts.v1[controller] ?? this.#mounts.unified;
  }

  #in(root: string, id: string): string {
    return `${root}/nfio/${this.#mountId}/${id}`;
  }

  #roots(controllers: readonly string[]): string[] {
    const wanted = controllers.map((controller) => this.#root(controller));
    return [...new Set(wanted)].filter((root) => root !== undefined);
  }
}

/** @param directory undefined: there is no such controller here. @returns whether there is one. */
function writeValue(
  directory: string | undefined,
  { controller, file, value }: { readonly controller: string; readonly file: string; readonly value: string },
): boolean {
  if (directory === undefined) return false;
  try {
    writeFileSync(`${directory}/${file}`, value, { flag: 'r+' });
    return true;
  } catch (cause) {
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    if (errno === 'ENOENT' || errno === 'EACCES') return false; // version 2: the controller is not delegated
    if (errno === 'EBUSY' && controller === 'memory') throw memoryInUse(cause);
    throw new NfioError('InvalidValueError', { errno, message: `the kernel refuses ${file} = ${value} (${errno})`, cause });
  }
}

function processesIn(procsFile: string): number[] {
  return readOrEmpty(procsFile)
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 1);
}

function moveProcess(pid: number, procsFile: string): void {
  try {
    writeFileSync(procsFile, String(pid), { flag: 'r+' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause; // it has ended
  }
}

function killNow(pid: number): void {
  unlessAbsent(() => process.kill(pid, 'SIGKILL')); // else it ended by itself
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
  for (let tries = 0; ; tries++) {
    try {
      return rmdirSync(directory);
    } catch (cause) {
      if (errnoName(errnoOf(cause)) === 'ENOENT') return;
      if (tries === 0) for (const name of subdirectories(directory)) await removeGroup(join(directory, name));
      if (tries >= 100) throw new NfioError('VNFDestroyError', { errno: 'EBUSY', message: `${directory} still holds processes`, cause });
    }
    await sleep(Math.min(1 + tries, 20));
  }
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (!isAbsence(error)) throw error;
    return [];
  }
}
