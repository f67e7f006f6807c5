import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isThere, NfioError, unlessAbsent } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';
import { searchPath } from '../search-path.ts';
import { programOf } from './left-programs.ts';

const program = fileURLToPath(new URL('machine-layer.pl', import.meta.url));

/** What guests see of the machine as it is, at the top of its root. */
const liveNames = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** The same as paths. */
export const liveDirectories: readonly string[] = liveNames.map((name) => `/${name}`);

/** The command that makes the layer in a directory. */
export function layerCommand(directory: string): readonly [string, ...string[]] {
  return ['perl', program, directory, ...liveNames];
}

/** Of what the machine has when these were changed another layer is made. Packages bring files of /etc and directories of /var. */
const watched = ['/', '/var/lib/dpkg/status'];

/**
 * The layer of overlays that says what guests see of the machine (machine-layer.pl): a tmpfs of some megabytes for each state of the machine, below a directory. An overlay keeps the layer that it was
 * mounted with, so that one that is unmounted stays with the guests that have it.
 */
export class MachineLayer implements AsyncDisposable {
  readonly #directory: string;
  readonly #mountId: string;
  #last: { readonly name: string; readonly layer: Promise<string> } | undefined;

  /** @param directory is made when it is needed. @param mountId of the mount whose guests these are. */
  constructor(directory: string, mountId: string) {
    this.#directory = directory;
    this.#mountId = mountId;
  }

  /**
   * Path of the layer for the machine as it is now. It stays at least until the one after the next is made.
   *
   * @throws VNFStartError when it cannot be made: no guest starts without.
   */
  path(): Promise<string> {
    const name = stateOfMachine();
    if (this.#last?.name === name) return this.#last.layer;
    const before = this.#last?.name;
    const layer = this.#make(name, before).catch((error: unknown) => {
      if (this.#last?.layer === layer) this.#last = undefined;
      throw error;
    });
    this.#last = { name, layer };
    return layer;
  }

  /** Has it made beside other work. Who needs it asks again, and is told of a failure. */
  prepare(): void {
    void Promise.allSettled([this.path()]);
  }

  async #make(name: string, before: string | undefined): Promise<string> {
    const place = join(this.#directory, name);
    if (!isThere(join(place, 'whole'))) {
      await this.#forget((other) => other !== before);
      const env = { PATH: searchPath, ...programOf(this.#mountId) };
      const { exitCode, stderr } = await runProgram(layerCommand(place), { signal: new AbortController().signal, env });
      if (exitCode !== 0)
        throw new NfioError('VNFStartError', {
          message: `what guests see of this machine could not be made: ${stderr.trim().slice(0, 300)}. See what is missing. Run: nfio doctor`,
        });
    }
    return join(place, 'layer');
  }

  /** Unmounts those that are not wanted any more, also one of which the making was cut short. */
  async #forget(isUnwanted: (name: string) => boolean): Promise<void> {
    const unwanted = (unlessAbsent(() => readdirSync(this.#directory)) ?? []).filter(isUnwanted).map((name) => join(this.#directory, name));
    const mounted = unwanted.filter((place) => statSync(place).dev !== statSync(this.#directory).dev);
    if (mounted.length > 0) await runProgram(['umount', '--lazy', '--', ...mounted], { signal: new AbortController().signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#last?.layer]);
    await this.#forget(() => true);
  }
}

function stateOfMachine(): string {
  const times = watched.map((path) => statSync(path, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? 0n);
  return times.map((time) => time.toString(36)).join('-');
}
