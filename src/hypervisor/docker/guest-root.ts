import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { isAbsence, O_PATH } from '../../errors/index.ts';
import { isAlive, type ProcessId } from '../../network/index.ts';

/** Who was told the old path has let go of it by then. */
const graceMs = 5000;

/** Where the root file system of a running guest is on this machine. */
export interface GuestRoot extends Disposable {
  readonly path: string;
  /** Directory of what the guest itself wrote; undefined where the engine has none. */
  readonly written: string | undefined;
}

/** What an engine says of where it keeps a container's files: those of its storage driver overlay2. */
export interface EngineDirectories {
  readonly MergedDir?: string;
  readonly UpperDir?: string;
}

/**
 * The root file system of a container: where the engine keeps it mounted, if this process sees that, else by way of the guest's init. The latter through a
 * descriptor of its root, never through the number of a process, which another one may have by the time it is used.
 *
 * @param engine where the engine says that it is.
 * @param init verified to be the guest's.
 */
export function openGuestRoot(engine: EngineDirectories, init: ProcessId): GuestRoot | undefined {
  const { MergedDir: merged, UpperDir: upper } = engine;
  if (merged !== undefined && isMountPoint(merged)) {
    const written = upper !== undefined && isDirectory(upper) ? upper : undefined;
    return { path: merged, written, [Symbol.dispose]: () => undefined };
  }
  let fd: number;
  try {
    fd = openSync(`/proc/${init.pid}/root/.`, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    if (isAbsence(error)) return undefined; // it has just ended
    throw error;
  }
  const close = (): void => closeSync(fd);
  if (isAlive(init))
    return { path: `/proc/self/fd/${fd}/.`, written: undefined, [Symbol.dispose]: () => void setTimeout(close, graceMs).unref() };
  close();
  return undefined;
}

function isDirectory(path: string): boolean {
  return path.startsWith('/') && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isMountPoint(path: string): boolean {
  if (!path.startsWith('/')) return false;
  const [own, above] = [path, dirname(path)].map((each) => lstatSync(each, { throwIfNoEntry: false }));
  return own !== undefined && own.dev !== above?.dev;
}
