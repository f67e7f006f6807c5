import { constants } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { Errno, errnoOf, isAbsence, NfioError } from '../errors/index.ts';
import { mountAt } from '../fuse/mount-info.ts';
import { makeDirectory } from '../state/make-directory.ts';
import { detachDead, type Tell, waitForEarlierMount } from './earlier-mount.ts';
import type { MountOptions } from './options.ts';

/**
 * Checks what a mount needs before anything is made or started. A dead mount of nf.io in its place is detached, and an earlier one of its root that ends is waited for.
 *
 * @returns the options with the real path of the mountpoint.
 * @throws NfioError with the sentence of what is missing: root, /dev/fuse, an empty directory to mount on, one of modules, a root directory.
 */
export async function checkMountable(options: MountOptions, tell: Tell = () => undefined): Promise<MountOptions> {
  checkPrivilege('nfio mount');
  await detachDead(options.mountpoint, tell);
  const mountpoint = await checkMountpoint(options.mountpoint);
  await checkFuseDevice();
  await checkModules(options.modules);
  await checkRoot(options.root, mountpoint);
  await waitForEarlierMount(options.root, tell);
  return { ...options, mountpoint };
}

/** @throws NotPermittedError when this process may not do what only root may. */
export function checkPrivilege(command: string): void {
  if (process.geteuid?.() === 0) return;
  throw new NfioError('NotPermittedError', {
    message: `${command} changes mounts and network namespaces, which only root may. Run the same command with sudo before it.`,
  });
}

/** The real path of a directory that a file system can be mounted on: there, empty, and nothing mounted on it yet. */
async function checkMountpoint(path: string): Promise<string> {
  checkUnmounted(path);
  try {
    const real = await realpath(path);
    checkUnmounted(real);
    if (!(await stat(real)).isDirectory()) {
      throw new NfioError('MountError', {
        errno: 'ENOTDIR',
        message: `${path} is not a directory. Choose an empty directory, or make one: mkdir -p DIR`,
      });
    }
    if ((await readdir(real)).length > 0) {
      throw new NfioError('MountError', {
        errno: 'ENOTEMPTY',
        message: `${path} is not empty; a mount would hide its files. Choose an empty directory.`,
      });
    }
    return real;
  } catch (error) {
    throw error instanceof NfioError ? error : mountpointError(path, error);
  }
}

/** Looks in the kernel's table only: a dead mount cannot hang this. */
function checkUnmounted(path: string): void {
  const mount = mountAt(path);
  if (mount === undefined) return;
  const command = mount.type === 'fuse.nfio' ? 'nfio umount' : 'umount';
  throw new NfioError('MountError', {
    errno: 'EBUSY',
    message: `${path} has something mounted on it already. Choose another directory, or unmount that first: ${command} ${path}`,
  });
}

function mountpointError(path: string, cause: unknown): NfioError {
  const errno = errnoOf(cause);
  if (errno === Errno.ENOENT) {
    return new NfioError('MountError', { errno: 'ENOENT', message: `${path} does not exist. Make it: mkdir -p ${path}`, cause });
  }
  if ((cause as NodeJS.ErrnoException).code === 'ENOTCONN') {
    const message = `${path} is a mount that no process serves any more. Detach it: umount --lazy ${path}`;
    return new NfioError('MountError', { errno: 'EBUSY', message, cause });
  }
  return new NfioError('MountError', { message: `${path} cannot be used as a mountpoint: ${(cause as Error).message}`, cause });
}

/** Makes the root directory if it is not there. A root below the mountpoint would be hidden by the mount that needs it. */
async function checkRoot(path: string, mountpoint: string): Promise<void> {
  if (path === mountpoint || path.startsWith(`${mountpoint}${sep}`)) {
    throw new NfioError('InvalidValueError', {
      message: `The root ${path} is below the mountpoint, and would be hidden by the mount. Choose a root directory elsewhere.`,
    });
  }
  try {
    makeDirectory(path, 0o700);
  } catch (cause) {
    const isFile = errnoOf(cause) === Errno.EEXIST || errnoOf(cause) === Errno.ENOTDIR;
    const why = isFile ? 'is not a directory' : `cannot be made: ${(cause as NodeJS.ErrnoException).code}`;
    throw new NfioError('StateWriteError', { message: `The root ${path} ${why}. Choose another root directory.`, cause });
  }
}

async function checkModules(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (isAbsence(cause) || cause.code === 'ENOTDIR') return undefined;
    throw new NfioError('NotFoundError', { message: `${path} cannot be looked at: ${cause.code}`, cause });
  });
  if (found?.isDirectory()) return;
  throw new NfioError('NotFoundError', { message: `${path} is not a directory of modules. Check its name, or make it: mkdir -p ${path}` });
}

async function checkFuseDevice(): Promise<void> {
  try {
    await access('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new NfioError('MountError', {
      errno: 'ENODEV',
      message:
        '/dev/fuse cannot be opened. Load the kernel module: modprobe fuse (in a container: docker run --device /dev/fuse --cap-add SYS_ADMIN …).',
      cause,
    });
  }
}
