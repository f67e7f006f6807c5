import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NfioError } from '../errors/index.ts';
import { cachedEnvironment } from './compile-cache.ts';
import type { SupervisorMessage } from './messages.ts';
import { daemonModule, type MountOptions } from './options.ts';

export type { MountOptions } from './options.ts';

/** The daemon's log is begun anew at a start when it is larger. Bytes. */
const logLimit = 4 * 1024 * 1024;

/**
 * Mounts in the background; resolves when the file system can be used.
 *
 * @throws MountError with the sentence of what failed.
 */
export async function startDaemon(options: MountOptions): Promise<{ readonly pid: number }> {
  const log = openLog(options.root);
  try {
    const supervisor = spawnSupervisor(options, log);
    await ready(supervisor);
    supervisor.disconnect();
    supervisor.unref();
    return { pid: supervisor.pid ?? 0 };
  } finally {
    closeSync(log);
  }
}

/** Mounts in the foreground; resolves with the exit status when it has been unmounted. */
export async function runForeground(options: MountOptions): Promise<number> {
  const supervisor = spawnSupervisor(options, 'inherit');
  const ended = new Promise<number>((resolve) => supervisor.once('exit', (status) => resolve(status ?? 1)));
  // The supervisor is in a session of its own, so that it gets each signal once, from here.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.kill(signal));
  await ready(supervisor);
  return await ended;
}

function spawnSupervisor(options: MountOptions, output: number | 'inherit'): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(daemonModule('supervisor')), JSON.stringify(options)], {
    cwd: '/',
    detached: true,
    env: cachedEnvironment(),
    stdio: ['ignore', output, output, 'ipc'],
  });
}

function ready(supervisor: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    supervisor.once('error', (cause) => reject(new NfioError('MountError', { message: cause.message, cause })));
    supervisor.once('exit', () =>
      reject(new NfioError('MountError', { message: 'the daemon ended before the mount was ready: see daemon.log in the root' })),
    );
    supervisor.once('message', (message: SupervisorMessage) => {
      if (message.kind === 'ready') resolve();
      else reject(new NfioError('MountError', { message: message.message }));
    });
  });
}

function openLog(root: string): number {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const path = join(root, 'daemon.log');
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > logLimit) truncateSync(path);
  return openSync(path, 'a', 0o600);
}
