import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Errno, errnoOf } from '../errors/errno.ts';
import { isMounted, placeOf } from './mount-info.ts';

/** Why a file system could not be mounted or unmounted: one sentence with what to do, and the closest errno. */
export class FuseMountError extends Error {
  readonly errno: number;

  constructor(errno: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FuseMountError';
    this.errno = errno;
  }
}

/** How to mount. */
export interface MountOptions {
  /** What mount(8) lists as the source. Default `nfio`. */
  readonly fsname?: string;
  /** The type will read `fuse.SUBTYPE`. Default: the fsname. */
  readonly subtype?: string;
  /** Others than the mounting user may use the file system. Default true. */
  readonly allowOther?: boolean;
  /** The kernel checks permissions, by the modes the file system gives. Default true. */
  readonly defaultPermissions?: boolean;
  readonly readOnly?: boolean;
  /** The longest READ, in bytes; not above the session's maxWrite. Default 1 MiB. */
  readonly maxRead?: number;
}

/** A program that waits for something of the machine, such as a disk that does not answer, is given up. Milliseconds. */
const programTimeoutMs = 30_000;

const capSysAdmin = 1n << 21n;
const wordPattern = /^[\w./:@+-]+$/;

/**
 * Mounts a FUSE file system on an empty directory and returns the descriptor of /dev/fuse that serves it. The kernel's first request waits to be read
 * when this resolves; uses of the mount wait until a session answers.
 *
 * @throws FuseMountError: ENODEV (no /dev/fuse), EPERM, ENOENT, ENOTDIR, ENOTEMPTY, EBUSY (a mountpoint already), EINVAL, EIO.
 */
export async function openAndMount(mountpoint: string, options: MountOptions = {}): Promise<{ fd: number }> {
  const place = checkMountpoint(mountpoint);
  const settings = mountSettings(options);
  const fd = openDevice();
  try {
    const result = await run('mount', ['-i', '-t', 'fuse', '-o', settings, options.fsname ?? 'nfio', place], fd);
    if (result.status !== 0) throw mountFailure(place, result);
    return { fd };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Unmounts. Lazy: from the tree at once, from the kernel when nothing uses it any more.
 *
 * @throws FuseMountError: EINVAL (nothing mounted there), EBUSY (in use), EPERM.
 */
export async function unmount(mountpoint: string, { lazy = false }: { readonly lazy?: boolean } = {}): Promise<void> {
  const place = placeOf(mountpoint);
  if (!isMounted(place))
    throw new FuseMountError(
      Errno.EINVAL,
      `${place} is not a mountpoint, so there is nothing to unmount. See what is mounted: findmnt -t fuse.nfio`,
    );
  const { status, message } = await run('umount', ['-i', '-c', ...(lazy ? ['-l'] : []), '--', place]);
  if (status === 0) return;
  if (!mayMount()) throw new FuseMountError(Errno.EPERM, `${place} can only be unmounted by root: use sudo. (${message})`);
  throw new FuseMountError(
    Errno.EBUSY,
    `${place} is in use. See by whom: fuser -vm ${place}; or detach it: umount --lazy ${place} (${message})`,
  );
}

function checkMountpoint(mountpoint: string): string {
  if (mountpoint === '' || /[\0\n]/.test(mountpoint)) {
    throw new FuseMountError(Errno.EINVAL, 'The mountpoint is empty or has a NUL or newline in it: give the path of a directory.');
  }
  if (isMounted(mountpoint)) {
    throw new FuseMountError(Errno.EBUSY, `${mountpoint} is a mountpoint already: unmount it first (umount ${mountpoint}).`);
  }
  try {
    const place = realpathSync(mountpoint);
    if (isMounted(place)) throw new FuseMountError(Errno.EBUSY, `${place} is a mountpoint already: unmount it first (umount ${place}).`);
    if (!statSync(place).isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
    if (readdirSync(place).length > 0) {
      throw new FuseMountError(Errno.ENOTEMPTY, `${place} is not empty: mount on an empty directory, so that nothing is hidden.`);
    }
    return place;
  } catch (error) {
    if (error instanceof FuseMountError) throw error;
    throw mountpointFailure(mountpoint, error);
  }
}

function mountpointFailure(mountpoint: string, cause: unknown): FuseMountError {
  const errno = errnoOf(cause);
  const reasons: { readonly [errno: number]: string } = {
    [Errno.ENOENT]: `${mountpoint} does not exist: make it first (mkdir -p ${mountpoint}).`,
    [Errno.ENOTDIR]: `${mountpoint} is not a directory: mount on an empty directory.`,
    [Errno.EACCES]: `${mountpoint} cannot be read: check the permissions of the directories above it.`,
    [Errno.ENAMETOOLONG]: `${mountpoint} is too long for a path.`,
    [Errno.ELOOP]: `${mountpoint} has too many symbolic links in it.`,
  };
  return new FuseMountError(errno, reasons[errno] ?? `${mountpoint} cannot be looked at: ${String(cause)}`, { cause });
}

function mountSettings(options: MountOptions): string {
  const {
    fsname = 'nfio',
    subtype = fsname,
    allowOther = true,
    defaultPermissions = true,
    readOnly = false,
    maxRead = 1024 * 1024,
  } = options;
  for (const word of [fsname, subtype]) {
    if (!wordPattern.test(word)) {
      throw new FuseMountError(
        Errno.EINVAL,
        `${JSON.stringify(word)} cannot name a file system: use letters, digits and . / : @ + - _ only.`,
      );
    }
  }
  const ids = `user_id=${process.getuid?.() ?? 0},group_id=${process.getgid?.() ?? 0}`;
  const switches = [allowOther && 'allow_other', defaultPermissions && 'default_permissions', readOnly && 'ro'].filter(Boolean);
  return ['nosuid', 'nodev', 'fd=3', 'rootmode=40000', ids, `max_read=${maxRead}`, `subtype=${subtype}`, ...switches].join(',');
}

function openDevice(): number {
  try {
    return openSync('/dev/fuse', constants.O_RDWR);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === Errno.ENOENT || errno === Errno.ENODEV || errno === Errno.ENXIO) {
      throw new FuseMountError(Errno.ENODEV, '/dev/fuse is not there: load the kernel module (modprobe fuse).', { cause });
    }
    throw new FuseMountError(
      errno,
      `/dev/fuse cannot be opened (${String(cause)}): run as root, and in a container pass --device /dev/fuse.`,
      {
        cause,
      },
    );
  }
}

interface Finished {
  readonly status: number | null;
  /** The first line it printed as an error. */
  readonly message: string;
}

function mountFailure(place: string, { status, message }: Finished): FuseMountError {
  if (!mayMount())
    return new FuseMountError(Errno.EPERM, `Mounting on ${place} is not permitted: run as root with CAP_SYS_ADMIN. (${message})`);
  return new FuseMountError(Errno.EIO, `Mounting on ${place} failed: ${message === '' ? `mount ended with ${status}` : message}`);
}

/** True when this process has CAP_SYS_ADMIN (capabilities(7), proc(5) CapEff). */
function mayMount(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${effective}`) & capSysAdmin) !== 0n;
}

/** Runs a program of util-linux to its end; `fd`, if given, is its descriptor 3. */
async function run(program: string, args: readonly string[], fd?: number): Promise<Finished> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe', fd ?? 'ignore'],
    env: { ...process.env, LC_ALL: 'C' },
    timeout: programTimeoutMs,
    killSignal: 'SIGKILL',
  });
  const status = new Promise<number | null>((settle, fail) => {
    child.once('error', fail);
    child.once('close', settle);
  });
  const printed = text(child.stderr as NodeJS.ReadableStream);
  try {
    return { status: await status, message: (await printed).trim().split('\n', 1)[0] ?? '' };
  } catch (cause) {
    throw new FuseMountError(errnoOf(cause), `${program} cannot be run: install util-linux (apt-get install mount).`, { cause });
  }
}
