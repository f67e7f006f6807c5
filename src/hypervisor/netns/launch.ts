import type { GuestRef, GuestSpec } from '../../domain/ports/hypervisor.ts';
import { errnoName, NfioError } from '../../errors/index.ts';
import { findProcess, listWords, type ProcessId, type Report, requestWords, signalProcess } from '../../network/index.ts';
import { memoryOf } from '../default-limits.ts';
import { searchPath } from '../search-path.ts';
import { hasOwnUsers, ownerOfUsers } from './capabilities.ts';
import { kernelSettings, linkRequests, type PrivateFile, type PrivateFiles } from './guest-setup.ts';
import { guestLabel } from './labels.ts';
import type { Launcher } from './launcher.ts';
import { mountTable, privateDirectories, restMountTable } from './mount-table.ts';
import { restrictionWords } from './restriction.ts';

const startTimeoutMs = 30_000;
const giveUpMs = 1000;
const killAgainMs = 100;
/** What the launcher says of an init that ended without a word. */
const noReason = '0 setup: ';

/** What launching needs besides the guest itself. */
export interface LaunchOptions {
  readonly mountId: string;
  readonly launcher: Launcher;
  readonly cgroupFiles: readonly string[];
  /** Directory of device nodes to be /dev. */
  readonly devDirectory: string;
  /** An existing directory, over which each guest mounts what only it sees. */
  readonly privateDirectory: string;
  /** What guests see of the machine, a layer of their roots. */
  readonly machineLayer: string;
  /** What it has there of its own from the start. */
  readonly files: PrivateFiles;
  /** The network namespace that ports end in, undefined for a guest without ports. */
  readonly fabricPath: string | undefined;
  /** Interface indexes of bridges there, by the ids of their segments. */
  readonly bridges: ReadonlyMap<string, number>;
  readonly signal: AbortSignal;
}

/** A guest that is set up. */
export interface LaunchedGuest {
  /** Its init. */
  readonly process: ProcessId;
  /**
   * Lets its main process, if it has one, run; resolves when it does.
   *
   * @throws VNFStartError when there is no such program, or it cannot be run; nothing is left of the guest then.
   */
  run(): Promise<void>;
}

/**
 * Starts a guest as far as everything but its main process, which waits for `run`. A guest outlives this process: it has a
 * session of its own and writes to its log itself.
 *
 * @throws VNFStartError naming the step that failed; nothing is left of the guest then.
 */
export async function launch(spec: GuestSpec, options: LaunchOptions): Promise<LaunchedGuest> {
  const launching = new Launching(options.launcher, options.signal);
  const process = await launching.begin(guestWords(spec, options));
  return { process, run: () => launching.run(process) };
}

/**
 * Starts a process whose root (`/proc/PID/root`) is that of a guest that does not run, as it would be when it started. Killing the process ends it.
 *
 * @throws as launch does.
 */
export function launchView(
  ref: GuestRef,
  files: readonly PrivateFile[],
  options: Pick<LaunchOptions, 'mountId' | 'launcher' | 'privateDirectory' | 'machineLayer' | 'signal'>,
): Promise<ProcessId> {
  return new Launching(options.launcher, options.signal).begin(viewWords(ref, files, options));
}

/** One guest on its way from the request to its running command, as the launcher reports of it. */
class Launching {
  readonly #launcher: Launcher;
  readonly #signal: AbortSignal;
  readonly #ready = Promise.withResolvers<ProcessId>();
  readonly #runs = Promise.withResolvers<void>();
  readonly #abort = (): void => this.#giveUp(new NfioError('InterruptedError', { cause: this.#signal.reason }));
  #request: number | undefined;
  #init: ProcessId | undefined;
  #unwanted: NfioError | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(launcher: Launcher, signal: AbortSignal) {
    this.#launcher = launcher;
    this.#signal = signal;
    this.#runs.promise.catch(() => undefined); // it may fail before anyone asks
  }

  begin(words: readonly string[]): Promise<ProcessId> {
    this.#limit();
    this.#signal.addEventListener('abort', this.#abort, { once: true });
    try {
      this.#request = this.#launcher.request(words, (report) => this.#take(report));
    } catch (error) {
      this.#fail(error);
    }
    if (this.#signal.aborted) this.#abort();
    return this.#ready.promise;
  }

  run(init: ProcessId): Promise<void> {
    if (this.#request !== undefined) this.#limit();
    letGo(init);
    return this.#runs.promise;
  }

  #take({ word, rest }: Report): void {
    switch (word) {
      case 'pid':
        this.#find(Number(rest));
        if (this.#unwanted !== undefined) this.#giveUp(this.#unwanted);
        break;
      case 'ready':
        clearTimeout(this.#timer);
        if (this.#unwanted === undefined && this.#init !== undefined) this.#ready.resolve(this.#init);
        else this.#fail(this.#unwanted ?? setupError(noReason));
        break;
      case 'runs':
        this.#end();
        this.#runs.resolve();
        break;
      default:
        this.#fail(this.#unwanted ?? setupError(rest));
    }
  }

  /** One that cannot be looked at is of no use: it could be taken for another later. */
  #find(pid: number): void {
    try {
      this.#init = findProcess(pid);
    } catch (error) {
      this.#unwanted ??= setupError((error as Error).message);
    }
  }

  /** Until it has been looked at: a failure to look may pass. */
  #kill(): void {
    if (this.#init === undefined) return;
    try {
      signalProcess(this.#init, 'SIGKILL');
    } catch {
      setTimeout(() => this.#kill(), killAgainMs);
    }
  }

  #limit(): void {
    const message = `the guest was not set up in ${startTimeoutMs} ms: is this machine out of memory or processors? See: uptime; free -m`;
    this.#timer = setTimeout(() => this.#giveUp(new NfioError('TimeoutError', { message })), startTimeoutMs);
  }

  #giveUp(error: NfioError): void {
    this.#unwanted ??= error;
    this.#kill(); // the launcher reports that, if it can
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(error), giveUpMs);
  }

  #fail(error: unknown): void {
    this.#end();
    this.#kill();
    this.#ready.reject(error);
    this.#runs.reject(error);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#abort);
    if (this.#request !== undefined) this.#launcher.forget(this.#request);
    this.#request = undefined;
  }
}

/** Lets the main process of a launched guest, if it has one, run. Idempotent. */
export function letGo(init: ProcessId): void {
  signalProcess(init, 'SIGUSR1');
}

/** The words of a request, in the order guest-launcher.pl takes them. */
function guestWords(spec: GuestSpec, options: LaunchOptions): string[] {
  const { boot, command = [], guestDir, id, name } = spec;
  const { directories, files } = options.files;
  const lists = [
    options.cgroupFiles,
    Object.entries(guestEnvironment(spec)).map(([variable, value]) => `${variable}=${value}`),
    command,
    directories.flat(),
    files.flat(),
    kernelSettings(spec).flat(),
  ];
  const label = guestLabel({ kind: 'guest', mountId: options.mountId, id, type: spec.type, name });
  const users = hasOwnUsers(boot) ? String(ownerOfUsers(options.mountId, id)) : '';
  const places = [guestDir, options.privateDirectory, options.machineLayer];
  const words = ['guest', label, name, ...places, roomOf(spec.limits), users, ...restrictionWords(boot), options.fabricPath ?? ''];
  const links = requestWords(linkRequests(spec, options.bridges));
  return [...words, ...lists.flatMap(listWords), ...links, ...listWords(mountTable(spec, options.devDirectory).flat())];
}

/** The same for a view: it has only files and mounts. */
function viewWords(
  { id, type, name, guestDir }: GuestRef,
  files: readonly PrivateFile[],
  { mountId, privateDirectory, machineLayer }: Pick<LaunchOptions, 'mountId' | 'privateDirectory' | 'machineLayer'>,
): string[] {
  const label = guestLabel({ kind: 'view', mountId, id, type, name });
  const words = ['view', label, '', guestDir, privateDirectory, machineLayer, roomOf({}), '', '', '', ''];
  const [cgroups, environment, command, sysctl, links]: (readonly string[])[] = [[], [], [], [], []];
  const directories = privateDirectories.flat();
  const lists = [cgroups, environment, command, directories, files.flat(), sysctl, links, restMountTable(guestDir).flat()];
  return [...words, ...lists.flatMap((list) => listWords(list ?? []))];
}

/** Bytes that a guest has in its own tmpfs, at /run, /tmp, /root and /dev/shm together: half of its memory, so that it cannot fill that by files alone. */
function roomOf({ memoryBytes }: Partial<GuestSpec['limits']>): string {
  return String(Math.floor(memoryOf({ memoryBytes }) / 2));
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
  return new NfioError('VNFStartError', { errno, message: sentenceOf(step, why || said) });
}

function sentenceOf(step: string, why: string): string {
  if (step === 'setup') return 'the setup of the guest ended early: it was killed; is vm.memory too small?';
  if (step === 'command')
    return `its command cannot be run: ${why}; install that program on this machine, or change command= in config/boot.conf`;
  if (step === 'user namespace') return `the guest could not be given a user namespace: ${why}. See what is missing. Run: nfio doctor`;
  return `the guest could not be set up, step "${step}": ${why}`;
}
