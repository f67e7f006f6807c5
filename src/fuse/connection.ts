import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { unlessAbsent } from '../errors/absence.ts';
import { Errno, errnoOf } from '../errors/errno.ts';
import { FuseMountError } from './mount.ts';
import { mountAt } from './mount-info.ts';

/**
 * Where fusectl is mounted, by a process in a mount namespace of its own: it shows each connection as a directory named by the minor number of the
 * mount's device (Documentation/filesystems/fuse.rst). Not every machine has it on its usual place, /sys/fs/fuse/connections, nobody else is to see this
 * mount, and a second one on the same place would be refused.
 */
const connections = '/sys/fs/fuse';

/** The holder is given up after so long, milliseconds. */
const holderTimeoutMs = 30_000;

/** Arguments of unshare: mounts it, says so, and stays until its input ends. */
const holder = ['--mount', '--propagation', 'private', 'sh', '-c', `mount -t fusectl fusectl ${connections} && echo mounted && read -r _`];

/**
 * A mounted connection as the kernel shows it. It is an open directory of fusectl, so it is this connection's for good: when the kernel gives
 * the number to another file system, the directory is empty.
 */
export class FuseConnection implements Disposable {
  /** Device of the file system, `MAJOR:MINOR`, as in mountinfo. */
  readonly device: string;
  #directory: number | undefined;

  private constructor(device: string, directory: number) {
    this.device = device;
    this.#directory = directory;
  }

  /**
   * Opens the connection of what is mounted at a path.
   *
   * @throws FuseMountError: EINVAL (nothing mounted there), EOPNOTSUPP (the kernel does not show its connections), ENOENT (no unshare).
   */
  static async open(mountpoint: string): Promise<FuseConnection> {
    const device = mountAt(mountpoint)?.device;
    if (device === undefined) throw new FuseMountError(Errno.EINVAL, `${mountpoint} is not a mountpoint: it has no connection.`);
    const directory = await openConnection(device.slice(device.indexOf(':') + 1));
    // A number is given away again only after an unmount.
    if (mountAt(mountpoint)?.device === device) return new FuseConnection(device, directory);
    closeSync(directory);
    throw new FuseMountError(Errno.EINVAL, `${mountpoint} was unmounted meanwhile.`);
  }

  /** How many requests wait for an answer; undefined when the connection has ended and no mount of it is left. @throws as node:fs does when it cannot be told. */
  waiting(): number | undefined {
    const waiting = unlessAbsent(() => readFileSync(this.#file('waiting'), 'latin1'));
    return waiting === undefined ? undefined : Number(waiting);
  }

  /** Ends the connection at once: its server reads that it was unmounted, and every use of a mount of it that is left fails with ENOTCONN. */
  abort(): void {
    try {
      writeFileSync(this.#file('abort'), '1', { flag: 'r+' });
    } catch (error) {
      if (errnoOf(error) !== Errno.ENOENT) throw error; // it has ended
    }
  }

  [Symbol.dispose](): void {
    if (this.#directory !== undefined) closeSync(this.#directory);
    this.#directory = undefined;
  }

  #file(name: string): string {
    return `/proc/self/fd/${this.#directory}/${name}`;
  }
}

/** Opens the directory of a connection in the holder's mount namespace. The descriptor is all that is left of the holder's mount. */
async function openConnection(minor: string): Promise<number> {
  const env = { ...process.env, LC_ALL: 'C' };
  const child = spawn('unshare', holder, {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    env,
    timeout: holderTimeoutMs,
    killSignal: 'SIGKILL',
  });
  const printed = text(child.stderr);
  const ended = once(child, 'close');
  try {
    const mounted = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (!mounted) throw new Error((await printed).trim());
    return openSync(`/proc/${child.pid}/root${connections}/${minor}`, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT' && child.pid === undefined)
      throw new FuseMountError(Errno.ENOENT, 'unshare cannot be run: install util-linux (apt-get install util-linux).', { cause });
    throw new FuseMountError(Errno.EOPNOTSUPP, `The kernel does not show its FUSE connections: ${(cause as Error).message}`, { cause });
  } finally {
    child.stdin.end();
    await ended.catch(() => undefined);
  }
}
