import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NfioError } from '../errors/index.ts';
import { sealedStdio } from '../network/index.ts';
import { stateWriteError, takesNothing } from '../state/durable-file.ts';
import { makeDirectory } from '../state/make-directory.ts';
import { cachedEnvironment } from './compile-cache.ts';
import type { Tell } from './earlier-mount.ts';
import type { SupervisorMessage } from './messages.ts';
import { parseMountOptions } from './mount-options.ts';
import { daemonModule, type MountOptions, type MountRequest } from './options.ts';
import { checkMountable } from './preflight.ts';
import { ignoreHangup } from './stay-alive.ts';

export type { MountOptions, MountRequest } from './options.ts';

/** A larger daemon.log is emptied at a start. Bytes. */
const logLimit = 4 * 1024 * 1024;

/** A daemon that was started. */
export interface RunningDaemon {
  /** Of its supervisor. */
  readonly pid: number;
  /** Real path of the mountpoint. */
  readonly mountpoint: string;
  /** What its user must know: records that could not be read. */
  readonly warnings: readonly string[];
}

/**
 * Mounts in the background; resolves when the file system can be used.
 *
 * @throws NfioError InvalidValueError for an option that cannot be, NotPermittedError (EPERM) for any user but root, MountError and others
 *   with the sentence of what failed.
 */
export async function startDaemon(request: MountRequest): Promise<RunningDaemon> {
  return await launch(parseMountOptions(request));
}

/** The same, with options that are checked already. @param tell is given sentences on what takes time, for a terminal. */
export async function launch(options: MountOptions, tell?: Tell): Promise<RunningDaemon> {
  const mountable = await checkMountable(options, tell);
  const log = openLog(options.root);
  try {
    const supervisor = spawnSupervisor(mountable, log);
    const warnings = await ready(supervisor, `See ${join(options.root, 'daemon.log')}`);
    supervisor.disconnect();
    supervisor.unref();
    return { pid: supervisor.pid ?? 0, mountpoint: mountable.mountpoint, warnings };
  } finally {
    closeSync(log);
  }
}

/**
 * Mounts in the foreground; resolves with the exit status when it has been unmounted.
 *
 * @param mounted called when the file system can be used.
 */
export async function runForeground(options: MountOptions, mounted: (daemon: RunningDaemon) => void, tell?: Tell): Promise<number> {
  const mountable = await checkMountable(options, tell);
  const supervisor = spawnSupervisor(mountable, 'inherit');
  const ended = new Promise<number>((resolve) => supervisor.once('exit', (status) => resolve(status ?? 1)));
  // The supervisor is in a session of its own, so that it gets each signal once, from here.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.kill(signal));
  ignoreHangup(); // its terminal may go
  const warnings = await ready(supervisor, 'See the lines above');
  mounted({ pid: supervisor.pid ?? 0, mountpoint: mountable.mountpoint, warnings });
  return await ended;
}

function spawnSupervisor(options: MountOptions, output: number | 'inherit'): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(daemonModule('supervisor')), JSON.stringify(options)], {
    cwd: '/',
    detached: true,
    env: cachedEnvironment(),
    stdio: sealedStdio(['ignore', output, output, 'ipc']), // a lock that a script holds (flock(1)) is not the daemon's
  });
}

/** @param where the log is, as the first words of a sentence. */
function ready(supervisor: ChildProcess, where: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const fail = (message: string, cause?: unknown): void => reject(new NfioError('MountError', { message, cause }));
    supervisor.once('error', (cause) => fail(`The daemon could not be started: ${cause.message}`, cause));
    supervisor.once('exit', (status, signal) =>
      fail(`The daemon ended with ${signal ?? `status ${status}`} before the mount was ready. ${where}.`),
    );
    supervisor.once('message', (message: SupervisorMessage) => {
      if (message.kind === 'ready') resolve(message.warnings);
      else fail(message.message);
    });
  });
}

/** A root that takes nothing is served without a log. */
function openLog(root: string): number {
  try {
    makeDirectory(root, 0o700);
    const path = join(root, 'daemon.log');
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > logLimit) truncateSync(path);
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if (!takesNothing(error)) throw stateWriteError(root, error);
    return openSync('/dev/null', 'a');
  }
}
