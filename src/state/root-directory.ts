import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { isThere, NfioError } from '../errors/index.ts';
import { stateWriteError, takesNothing } from './durable-file.ts';
import { makeDirectory } from './make-directory.ts';
import { currentFormat, findHeader, lockName, newMountId, type RootHeader } from './root-header.ts';

/** The last process of a mount that has ended may hold its lock for a moment longer. Seconds. */
const lockTimeoutS = 3;

/** Serials below this one belong to objects that every root has: the root itself, this machine. */
const firstSerial = 16;

const directories = ['nf-types', 'chns', 'networks', 'hosts', 'quotas', 'guests', 'trash'];

/** From a format to the next one. A root is taken through them one by one. */
const migrations: Readonly<Record<number, (root: string, header: RootHeader) => Promise<void>>> = {
  // Format 1 had no directory for guests; nothing else moved.
  1: async (root) => {
    mkdirSync(join(root, 'guests'), { recursive: true, mode: 0o700 });
  },
  // Format 2 had no hosts; its records are read as they are.
  2: async () => undefined,
  // Format 3 had no service chains.
  3: async () => undefined,
  // Format 4 had no checksums; its records are read as they are.
  4: async () => undefined,
};

/**
 * Locks a root directory against a second mount, for as long as this process, or one that inherits the descriptor,
 * lives. The lock is the kernel's (flock(2), taken by flock(1) on our open file), so that no crash leaves it behind.
 *
 * @returns the descriptor that holds it.
 * @throws StateInUseError (EBUSY) when another mount holds it.
 */
export function lockRoot(root: string): number {
  const lock = openLock(root);
  const { status, error } = spawnSync('flock', ['--timeout', String(lockTimeoutS), '--exclusive', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', lock],
  });
  if (status === 0) return lock;
  closeSync(lock);
  if (error !== undefined) {
    throw new NfioError('MissingToolError', { message: 'flock is not installed. Run: apt-get install util-linux', cause: error });
  }
  throw new NfioError('StateInUseError', {
    message: `${root} is in use by another mount. See which: nfio status. Unmount that one, or choose another root directory`,
  });
}

/** flock(2) needs no writing. */
function openLock(root: string): number {
  const path = join(root, lockName);
  try {
    makeDirectory(root, 0o700);
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if (takesNothing(error) && isThere(path)) return openSync(path, 'r');
    throw stateWriteError(root, error);
  }
}

/** A root that was opened. */
export interface OpenedRoot {
  readonly header: RootHeader;
  /** False: the copies of the header are to be written. */
  readonly hasCopy: boolean;
  /** What its user must know, a sentence each. */
  readonly told: readonly string[];
}

/**
 * Reads the header of a locked root, makes it in an empty one, and brings an older layout up to date.
 *
 * @throws StateVersionError (EPROTO) when a newer version made it; nothing is changed then. StateWriteError for a new root that cannot be made.
 */
export async function openRoot(root: string): Promise<OpenedRoot> {
  const found = findHeader(root);
  const header = found.header ?? { format: currentFormat, mountId: newMountId(), serialLimit: firstSerial };
  if (header.format > currentFormat) {
    throw new NfioError('StateVersionError', {
      message: `${root} has format ${header.format}, and this nfio reads up to ${currentFormat}. Install a newer nfio, or choose another root directory`,
    });
  }
  try {
    for (let format = header.format; format < currentFormat; format += 1) await migrations[format]?.(root, header);
    for (const directory of directories) mkdirSync(join(root, directory), { recursive: true, mode: 0o700 });
  } catch (error) {
    if (found.header === undefined) throw stateWriteError(root, error);
    // What an older version did not have holds nothing, and what is put into it will tell.
  }
  return { header: { ...header, format: currentFormat }, hasCopy: found.hasCopy && header.format === currentFormat, told: found.told };
}
