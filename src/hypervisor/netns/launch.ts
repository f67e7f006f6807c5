import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { boundingSet, guestCapabilities } from './capabilities.ts';
import { openLog } from './guest-files.ts';
import { guestLabel } from './guest-scripts.ts';
import type { Launcher, LaunchReport } from './launcher.ts';
import { findProcess, type ProcessId, signalProcess } from './process-table.ts';
import { searchPath } from './search-path.ts';

const startTimeoutMs = 30_000;
const giveUpMs = 1000;

/** What launching needs besides the guest itself. */
export interface LaunchOptions {
  readonly mountId: string;
  readonly launcher: Launcher;
  readonly cgroupFiles: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Starts a guest as far as everything but its main process, which waits for `letGo`. A guest outlives this process: it has a
 * session of its own and writes to its log itself.
 *
 * @throws VNFStartError naming the step that failed; nothing is left of the guest then.
 */
export function launch(spec: GuestSpec, options: LaunchOptions): Promise<ProcessId> {
  const { launcher, signal } = options;
  closeSync(openLog(spec.guestDir));
  return new Promise((resolve, reject) => {
    let init: ProcessId | undefined;
    let unwanted: NfioError | undefined;
    const giveUp = (error: NfioError): void => {
      unwanted ??= error;
      if (init !== undefined) signalProcess(init, 'SIGKILL'); // the launcher reports that, if it can
      clearTimeout(timer);
      timer = setTimeout(() => take({ word: 'fail', rest: 'setup' }), giveUpMs);
    };
    const abort = (): void => giveUp(new NfioError('InterruptedError', { cause: signal.reason }));
    const late = (): void => giveUp(new NfioError('TimeoutError', { message: `the guest was not set up in ${startTimeoutMs} ms` }));
    let timer = setTimeout(late, startTimeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      launcher.forget(spec.id);
    };
    const take = ({ word, rest }: LaunchReport): void => {
      if (word === 'pid') init = findProcess(Number(rest));
      if (word === 'pid') {
        if (unwanted !== undefined) giveUp(unwanted);
        return;
      }
      end();
      if (word === 'ready' && unwanted === undefined && init !== undefined) {
        resolve(init);
      } else {
        if (init !== undefined) signalProcess(init, 'SIGKILL');
        reject(unwanted ?? setupError(spec.guestDir, rest));
      }
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      launcher.request(spec.id, requestWords(spec, options), take);
    } catch (error) {
      end();
      reject(error);
    }
    if (signal.aborted) abort();
  });
}

/** Lets the main process of a launched guest run. */
export function letGo(spec: GuestSpec): void {
  if (spec.command === undefined) return;
  const fifo = openSync(join(spec.guestDir, 'go'), constants.O_WRONLY | constants.O_NONBLOCK);
  writeSync(fifo, 'go\n');
  closeSync(fifo);
}

function requestWords(spec: GuestSpec, { mountId, cgroupFiles }: LaunchOptions): string[] {
  const variables = spec.command === undefined ? [] : Object.entries(guestEnvironment(spec)).map(([name, value]) => `${name}=${value}`);
  const bounding = spec.boot.privileged ? '' : boundingSet(guestCapabilities(spec.boot.capabilities));
  const words = [spec.guestDir, spec.id, cgroupFiles.join(' '), bounding, String(variables.length), ...variables];
  return [...words, ...initArguments(spec, mountId)];
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

function setupError(guestDir: string, step: string): NfioError {
  const said = readSetupWords(guestDir);
  if (step === 'setup')
    return new NfioError('VNFStartError', {
      message: `the setup of the guest ended early: ${said || 'it was killed; is vm.memory too small?'}`,
    });
  return new NfioError('VNFStartError', { message: `the guest could not be set up, step "${step}": ${said || 'no reason given'}` });
}

function readSetupWords(guestDir: string): string {
  try {
    return readFileSync(join(guestDir, 'setup'), 'utf8').trim().replaceAll('\n', ' ').slice(0, 500);
  } catch {
    return '';
  }
}
