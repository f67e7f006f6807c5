import { constants } from 'node:fs';
import { access, mkdir, readdir, realpath, stat } from 'node:fs/promises';
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

/** Makes the root directory if it is not there. Rejects with a sentence when it cannot be one. */
export async function checkRoot(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const isFile = errnoOf(cause) === Errno.EEXIST || errnoOf(cause) === Errno.ENOTDIR;
    const why = isFile ? 'is not a directory' : `cannot be made: ${(cause as NodeJS.ErrnoException).code}`;
    throw new NfioError('StateWriteError', { message: `The root ${path} ${why}. Choose another directory with --root.`, cause });
  }
}

/** Rejects with a sentence when a module directory that was named is not there. */
export async function checkModules(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const isDirectory = await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
  if (isDirectory) return;
  throw new NfioError('NotFoundError', { message: `${path} is not a directory of modules. Check --modules, or make it: mkdir -p ${path}` });
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
