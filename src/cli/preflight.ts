import { constants } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { Errno, errnoOf, NfioError } from '../errors/index.ts';
import { readMountTable } from './mount-table.ts';

/** Rejects with a NotPermittedError when this process may not do what only root may. */
export async function checkPrivilege(command: string): Promise<void> {
  if (process.geteuid?.() === 0) return;
  throw new NfioError('NotPermittedError', {
    message: `nfio ${command} makes mounts and network namespaces, which needs root. Run it with sudo.`,
  });
}

/**
 * The real path of a directory that a file system can be mounted on. Rejects with a sentence when it is none: nothing
 * there, no directory, not empty, mounted already.
 */
export async function checkMountpoint(path: string): Promise<string> {
  await checkUnmounted(path);
  try {
    const real = await realpath(path);
    await checkUnmounted(real);
    if (!(await stat(real)).isDirectory()) {
      throw new NfioError('MountError', {
        errno: 'ENOTDIR',
        message: `${path} is not a directory. Choose a directory, or make one: mkdir -p`,
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
async function checkUnmounted(path: string): Promise<void> {
  const mounted = (await readMountTable()).some((entry) => entry.mountpoint === path);
  if (!mounted) return;
  throw new NfioError('BusyError', {
    message: `${path} has something mounted on it already. Unmount that first, or choose another directory.`,
  });
}

function mountpointError(path: string, cause: unknown): NfioError {
  const errno = errnoOf(cause);
  if (errno === Errno.ENOENT)
    return new NfioError('MountError', { errno: 'ENOENT', message: `${path} does not exist. Make it: mkdir -p ${path}`, cause });
  return new NfioError('MountError', { message: `${path} cannot be used as a mountpoint: ${(cause as Error).message}`, cause });
}

/** Rejects with a MountError when the kernel offers no FUSE here. */
export async function checkFuseDevice(): Promise<void> {
  try {
    await access('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new NfioError('MountError', {
      errno: 'ENODEV',
      message:
        '/dev/fuse cannot be opened. Load the kernel module: modprobe fuse (in a container: --device /dev/fuse --cap-add SYS_ADMIN).',
      cause,
    });
  }
}
