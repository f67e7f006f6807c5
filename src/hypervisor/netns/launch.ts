import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { errnoName, NfioError } from '../../errors/index.ts';
import { findProcess, listWords, type ProcessId, type Report, requestWords, signalProcess } from '../../network/index.ts';
import { searchPath } from '../search-path.ts';
import { capabilityMask, guestCapabilities } from './capabilities.ts';
import { kernelSettings, linkRequests, privateFiles } from './guest-setup.ts';
import { guestLabel } from './labels.ts';
import type { Launcher } from './launcher.ts';
import { mountTable } from './mount-table.ts';

const startTimeoutMs = 30_000;
const giveUpMs = 1000;

/** What launching needs besides the guest itself. */
export interface LaunchOptions {
  readonly mountId: string;
  readonly launcher: Launcher;
  readonly cgroupFiles: readonly string[];
  /** Directory of device nodes to be /dev. */
  readonly devDirectory: string;
  /** An existing directory, over which each guest mounts what only it sees. */
  readonly privateDirectory: string;
  /** The network namespace that ports end in, undefined for a guest without ports. */
  readonly fabricPath: string | undefined;
  /** Interface indexes of bridges there, by the ids of their segments. */
  readonly bridges: ReadonlyMap<string, number>;
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
  return new Promise((resolve, reject) => {
    let request: number | undefined;
    let init: ProcessId | undefined;
    let unwanted: NfioError | undefined;
    const giveUp = (error: NfioError): void => {
      unwanted ??= error;
      if (init !== undefined) signalProcess(init, 'SIGKILL'); // the launcher reports that, if it can
      clearTimeout(timer);
      timer = setTimeout(() => take({ word: 'fail', rest: '0 setup: ' }), giveUpMs);
    };
    const abort = (): void => giveUp(new NfioError('InterruptedError', { cause: signal.reason }));
    const late = (): void => giveUp(new NfioError('TimeoutError', { message: `the guest was not set up in ${startTimeoutMs} ms` }));
    let timer = setTimeout(late, startTimeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      if (request !== undefined) launcher.forget(request);
    };
    const take = ({ word, rest }: Report): void => {
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
        reject(unwanted ?? setupError(rest));
      }
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      request = launcher.request(guestWords(spec, options), take);
    } catch (error) {
      end();
      reject(error);
    }
    if (signal.aborted) abort();
  });
}

/** Lets the main process of a launched guest, if it has one, run. Idempotent. */
export function letGo(init: ProcessId): void {
  signalProcess(init, 'SIGUSR1');
}

/** The words of a request, in the order guest-launcher.pl takes them. */
function guestWords(spec: GuestSpec, options: LaunchOptions): string[] {
  const { boot, command = [], guestDir, id, name } = spec;
  const { directories, files } = privateFiles(spec);
  const lists = [
    options.cgroupFiles,
    Object.entries(guestEnvironment(spec)).map(([variable, value]) => `${variable}=${value}`),
    command,
    directories.flat(),
    files.flat(),
    kernelSettings(spec).flat(),
  ];
  const capabilities = boot.privileged ? '' : capabilityMask(guestCapabilities(boot.capabilities));
  const label = guestLabel({ mountId: options.mountId, id, type: spec.type, name });
  const words = [label, name, guestDir, options.privateDirectory, capabilities, options.fabricPath ?? ''];
  const links = requestWords(linkRequests(spec, options.bridges));
  return [...words, ...lists.flatMap(listWords), ...links, ...listWords(mountTable(spec, options.devDirectory).flat())];
}

/** The environment of a guest's processes. */
export function guestEnvironment(spec: Pick<GuestSpec, 'name' | 'boot'>): Record<string, string> {
  const wrong = Object.keys(spec.boot.env).find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong !== undefined)
    throw new NfioError('InvalidValueError', { message: `env.${wrong.slice(0, 40)}: not a name of an environment variable` });
  return { PATH: searchPath, HOME: '/root', HOSTNAME: spec.name, TERM: 'dumb', ...spec.boot.env };
}

function setupError(said: string): NfioError {
  const [, number = '0', step = '', why = ''] = /^(\d+) (.*?): (.*)$/.exec(said) ?? [];
  const errno = errnoName(Number(number)) ?? 'EIO';
  const message =
    step === 'setup'
      ? 'the setup of the guest ended early: it was killed; is vm.memory too small?'
      : `the guest could not be set up, step "${step}": ${why || said}`;
  return new NfioError('VNFStartError', { errno, message });
}
