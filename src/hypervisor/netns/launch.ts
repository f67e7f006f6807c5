import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { sealedStdio, spawnError } from '../../network/index.ts';
import { boundingSet, guestCapabilities } from './capabilities.ts';
import { openLog } from './guest-files.ts';
import { guestLabel } from './guest-scripts.ts';
import { findProcess, type ProcessId } from './process-table.ts';

/** Where programs are looked for, on the machine and in guests. */
export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const startTimeoutMs = 30_000;
const maxReportBytes = 64 * 1024;

/** A guest that is set up and waits to be told to go. */
export interface Launched {
  readonly process: ProcessId;
  /** Lets its main process run. */
  go(): void;
  /** Calls back as soon as its init has ended. */
  onEnd(callback: () => void): void;
}

/** What launching needs besides the guest itself. */
export interface LaunchOptions {
  readonly mountId: string;
  readonly runDir: string;
  readonly cgroupFiles: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Starts a guest as far as everything but its main process. A guest outlives this process: it has a session of its own and
 * writes to its log itself. Descriptor 3, a socket, carries reports here and "go" there; its end tells that init ended.
 *
 * @throws VNFStartError naming the step that failed; nothing is left of the guest then.
 */
export async function launch(spec: GuestSpec, options: LaunchOptions): Promise<Launched> {
  const log = await openLog(spec.guestDir);
  try {
    const child = spawn('sh', [join(options.runDir, 'guest-start.sh'), ...initArguments(spec, options.mountId)], {
      cwd: '/',
      detached: true,
      stdio: sealedStdio(['ignore', log.fd, log.fd, 'pipe']),
      env: launchEnvironment(spec, options),
    });
    return await handshake(child, options.signal);
  } finally {
    await log.close();
  }
}

function initArguments(spec: GuestSpec, mountId: string): string[] {
  const label = [guestLabel, mountId, spec.id, spec.type, spec.name];
  const names = spec.command === undefined ? [] : Object.keys(guestEnvironment(spec));
  return [...label, String(names.length), ...names, ...(spec.command ?? [])];
}

/** The environment of a guest's processes. */
export function guestEnvironment(spec: Pick<GuestSpec, 'name' | 'boot'>): Record<string, string> {
  const wrong = Object.keys(spec.boot.env).find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong !== undefined)
    throw new NfioError('InvalidValueError', { message: `env.${wrong.slice(0, 40)}: not a name of an environment variable` });
  return { PATH: searchPath, HOME: '/root', HOSTNAME: spec.name, TERM: 'dumb', ...spec.boot.env };
}

/** The guest's own variables travel under a prefix, so that none acts on what runs before the guest does. */
function launchEnvironment(spec: GuestSpec, options: LaunchOptions): NodeJS.ProcessEnv {
  const guests = Object.entries(guestEnvironment(spec)).map(([name, value]) => [`NFIO_ENV_${name}`, value]);
  return {
    ...Object.fromEntries(guests),
    PATH: searchPath,
    NFIO_DIR: spec.guestDir,
    NFIO_RUN: options.runDir,
    NFIO_CGROUPS: options.cgroupFiles.join(' '),
    NFIO_BOUNDING: spec.boot.privileged ? '' : boundingSet(guestCapabilities(spec.boot.capabilities)),
  };
}

function handshake(child: ChildProcess, signal: AbortSignal): Promise<Launched> {
  const reports = child.stdio[3] as Duplex & { unref(): void };
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (error: NfioError): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      killSetup(child);
      reports.destroy();
      reject(error);
    };
    const abort = (): void => fail(new NfioError('InterruptedError', { cause: signal.reason }));
    const timer = setTimeout(
      () => fail(new NfioError('TimeoutError', { message: `the guest was not set up in ${startTimeoutMs} ms` })),
      startTimeoutMs,
    );
    signal.addEventListener('abort', abort, { once: true });
    child.once('error', (cause) => fail(spawnError('sh', cause)));
    reports.on('error', () => undefined); // its end tells
    reports.once('end', () => fail(setupError(text)));
    reports.on('data', (chunk: Uint8Array) => {
      text = (text + Buffer.from(chunk).toString()).slice(0, maxReportBytes);
      const ready = /^ready (\d+)$/m.exec(text);
      if (ready === null) return;
      const init = findProcess(Number(ready[1]));
      if (init === undefined) return fail(setupError(text));
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      reports.removeAllListeners('data').removeAllListeners('end');
      child.unref();
      reports.unref();
      resolve(launched(init, reports));
    });
    if (signal.aborted) abort();
  });
}

function launched(init: ProcessId, reports: Duplex): Launched {
  return {
    process: init,
    go: () => void reports.write('go\n'),
    onEnd: (callback) => {
      reports.once('close', callback);
      reports.on('data', () => reports.destroy()); // nothing more is to be said: whoever does is not to be listened to
      reports.resume();
    },
  };
}

/** Init and all that sets it up are in the process group of the first. */
function killSetup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // all ended by themselves
  }
}

function setupError(text: string): NfioError {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('pid '));
  const step = lines.find((line) => line.startsWith('fail '))?.slice('fail '.length);
  const said = lines
    .filter((line) => !line.startsWith('fail '))
    .join(' ')
    .slice(0, 500);
  if (step !== undefined)
    return new NfioError('VNFStartError', { message: `the guest could not be set up, step "${step}": ${said || 'no reason given'}` });
  const message = `the setup of the guest ended early: ${said || 'it was killed; is vm.memory too small?'}`;
  return new NfioError('VNFStartError', { message });
}
