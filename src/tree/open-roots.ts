import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, statfsSync } from 'node:fs';
import type { GuestRoot } from '../domain/ports/hypervisor.ts';
import { isAbsence, O_PATH, unlessAbsent } from '../errors/index.ts';
import { descriptorBudget } from '../vfs/descriptor-limit.ts';
import { type GuestDevices, RootClosedError } from '../vfs/guest-files.ts';
import { HeldDirectories } from '../vfs/held-directories.ts';

/** TMPFS_MAGIC (linux/magic.h). */
const tmpfsMagic = 0x01021994;

/**
 * A process is looked at again when this many milliseconds have passed; until then it is enough that one has its number, which is asked once in so many.
 */
const trustMs = 100;
const askMs = 1;

/** An open root. */
interface OpenRoot {
  readonly root: GuestRoot;
  readonly fd: number;
  readonly devices: GuestDevices;
  readonly held: HeldDirectories;
  checkedMs: number;
  askedMs: number;
}

/**
 * The roots of guests that are looked into, each held by a descriptor, as many as the budget has; the one that was not used for longest is closed when there would be more. One that leads through a process (`/proc/PID/root`) is the guest's only as long as that very process
 * lives: with it ends what is mounted in the root, and another process may get its number.
 */
export class OpenRoots {
  readonly #open = new Map<number, OpenRoot>();

  /** Path of the root of a VNF, good until the next call. @throws RootClosedError when it has to be opened first; ENOENT when it is gone. */
  path(serial: number, root: GuestRoot): string {
    return `/proc/self/fd/${this.#get(serial, root).fd}/.`;
  }

  /** The file systems it consists of. @throws as path does. */
  devices(serial: number, root: GuestRoot): GuestDevices {
    return this.#get(serial, root).devices;
  }

  /** Directories in it that are in use. @throws as path does. */
  held(serial: number, root: GuestRoot): HeldDirectories {
    return this.#get(serial, root).held;
  }

  /** A root is as told from now on: what was opened of another one is closed. */
  changed(serial: number, root: GuestRoot): void {
    const known = this.#open.get(serial);
    if (known !== undefined && !isSame(known.root, root)) this.close(serial);
  }

  /** Lets go of one. */
  close(serial: number): void {
    const known = this.#open.get(serial);
    if (known === undefined) return;
    known.held[Symbol.dispose]();
    closeSync(known.fd);
    this.#open.delete(serial);
  }

  #get(serial: number, root: GuestRoot): OpenRoot {
    const known = this.#open.get(serial);
    if (known !== undefined && isSame(known.root, root) && lives(known)) return known;
    this.close(serial);
    if (root.path === undefined) throw new RootClosedError(serial);
    const opened = openRoot(root, root.path);
    if (opened === undefined) throw new RootClosedError(serial);
    this.#open.set(serial, opened);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= descriptorBudget().roots) break;
      this.close(oldest);
    }
    return opened;
  }
}

function isSame(one: GuestRoot, other: GuestRoot): boolean {
  return one.path === other.path && one.process?.pid === other.process?.pid && one.process?.startTime === other.process?.startTime;
}

/** Undefined when the process has ended. */
function openRoot(root: GuestRoot, path: string): OpenRoot | undefined {
  const fd = openDirectory(path, root.process !== undefined);
  if (fd === undefined) return undefined;
  // It was the guest's if that very process lives afterwards.
  if (root.process !== undefined && startTimeOf(root.process.pid) !== root.process.startTime) {
    closeSync(fd);
    return undefined;
  }
  const now = performance.now();
  return { root, fd, devices: devicesOf(fd, root.mounts), held: new HeldDirectories(), checkedMs: now, askedMs: now };
}

function openDirectory(path: string, mayBeGone: boolean): number | undefined {
  try {
    return openSync(`${path}/.`, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    if (mayBeGone && isAbsence(error)) return undefined;
    throw error;
  }
}

function devicesOf(fd: number, names: readonly string[]): GuestDevices {
  const root = fstatSync(fd).dev;
  const mounts = new Map<string, number>();
  for (const name of names) {
    const path = `/proc/self/fd/${fd}/${name}`;
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() && stats.dev !== root && statfsSync(path).type === tmpfsMagic) mounts.set(name, stats.dev);
  }
  return { root, mounts };
}

function lives(open: OpenRoot): boolean {
  const { process: init } = open.root;
  if (init === undefined) return true;
  const now = performance.now();
  if (now - open.askedMs < askMs) return true;
  open.askedMs = now;
  if (now - open.checkedMs < trustMs) return hasProcess(init.pid);
  open.checkedMs = now;
  return startTimeOf(init.pid) === init.startTime;
}

function hasProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !isAbsence(error);
  }
}

/** Field 22 of /proc/PID/stat (proc(5)); undefined for a process that has ended. */
function startTimeOf(pid: number): number | undefined {
  const stat = unlessAbsent(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20);
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
}
