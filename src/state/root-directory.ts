import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NfioError } from '../errors/index.ts';
import { replaceFile, stateWriteError } from './durable-file.ts';

/** What nfio.json in a root says of it. */
export interface RootHeader {
  /** Version of the layout below the root. */
  readonly format: number;
  readonly mountId: string;
  /** Serials below this one may be in use; a start continues from here. */
  readonly serialLimit: number;
}

/** The layout this version writes. */
export const currentFormat = 4;

/** Serials below this one belong to objects that every root has: the root itself, this machine. */
const firstSerial = 16;

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
};

/**
 * Locks a root directory against a second mount, for as long as this process, or one that inherits the descriptor,
 * lives. The lock is the kernel's (flock(2), taken by flock(1) on our open file), so that no crash leaves it behind.
 *
 * @returns the descriptor that holds it.
 * @throws StateInUseError (EBUSY) when another mount holds it.
 */
export function lockRoot(root: string): number {
  let lock: number;
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    lock = openSync(join(root, 'lock'), 'a', 0o600);
  } catch (error) {
    throw stateWriteError(root, error);
  }
  const { status, error } = spawnSync('flock', ['--nonblock', '--exclusive', '3'], { stdio: ['ignore', 'ignore', 'ignore', lock] });
  if (status === 0) return lock;
  closeSync(lock);
  if (error !== undefined) {
    throw new NfioError('MissingToolError', { message: 'flock is not installed. Run: apt-get install util-linux', cause: error });
  }
  throw new NfioError('StateInUseError', {
    message: `${root} is in use by another mount. See which: nfio status. Unmount that one, or choose another root directory`,
  });
}

/**
 * Reads the header of a locked root, makes it in an empty one, and brings an older layout up to date.
 *
 * @throws StateVersionError (EPROTO) when a newer version made it; nothing is changed then.
 */
export async function openRoot(root: string): Promise<RootHeader> {
  const header = (await readHeader(root)) ?? { format: currentFormat, mountId: newMountId(), serialLimit: firstSerial };
  if (header.format > currentFormat) {
    throw new NfioError('StateVersionError', {
      message: `${root} has format ${header.format}, and this nfio reads up to ${currentFormat}. Install a newer nfio, or choose another root directory`,
    });
  }
  for (let format = header.format; format < currentFormat; format += 1) {
    await migrations[format]?.(root, header);
  }
  for (const directory of ['nf-types', 'chns', 'networks', 'hosts', 'guests', 'trash']) {
    mkdirSync(join(root, directory), { recursive: true, mode: 0o700 });
  }
  return { ...header, format: currentFormat };
}

/** Makes the header durable. @throws StateWriteError */
export function writeHeader(root: string, header: RootHeader): void {
  const path = join(root, 'nfio.json');
  try {
    replaceFile(path, `${JSON.stringify(header, undefined, 2)}\n`);
  } catch (error) {
    throw stateWriteError(path, error);
  }
}

async function readHeader(root: string): Promise<RootHeader | undefined> {
  const path = join(root, 'nfio.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { format, mountId, serialLimit } = JSON.parse(text) as Partial<RootHeader>;
    if (!Number.isSafeInteger(format) || !Number.isSafeInteger(serialLimit) || !/^[a-z0-9]{8}$/.test(mountId ?? ''))
      throw new SyntaxError();
    return { format, mountId, serialLimit } as RootHeader;
  } catch (cause) {
    throw new NfioError('StateVersionError', { message: `${path} is not a header of nfio. Restore it from a backup`, errno: 'EIO', cause });
  }
}

/** Eight characters of `[a-z0-9]`, at random. */
function newMountId(): string {
  return Array.from(randomBytes(8), (byte) => (byte % 36).toString(36)).join('');
}
