import { constants, fdatasync as fdatasyncCallback, type PathLike } from 'node:fs';
import { link, open, rename, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import { candidateOf, isStillConfiguration } from './config-files.ts';
import type { Configurator } from './configurator.ts';
import type { Model } from './model.ts';

const fdatasync = promisify(fdatasyncCallback);

/** What a file of config/ held that configures a VNF, or is about to. */
export interface SavedFile {
  readonly serial: number;
  /** `fd`: to read. undefined: it is no regular file. */
  readonly file: { readonly fd: number; readonly content: Uint8Array } | undefined;
}

/** A file that gets the name of a configuration. Paths on this machine. */
export interface Replacement extends SavedFile {
  readonly how: 'rename' | 'link';
  readonly from: string | Uint8Array;
  readonly to: string | Uint8Array;
  /** Below config/, as yet. */
  readonly path: string;
}

/** What happens when a user saves a file in config/. */
export class ConfigSaver {
  readonly #model: Model;
  readonly #configurator: Configurator;

  constructor(model: Model, configurator: Configurator) {
    this.#model = model;
    this.#configurator = configurator;
  }

  /**
   * Makes the content of an open user file durable, and the names in a directory (that of a new file, or one that is synced itself); and
   * the objects there are, for the file may be the first of a new one.
   */
  async sync(fd: number | undefined, newIn: string | Uint8Array | undefined): Promise<void> {
    await this.#model.parts.store.sync();
    if (fd !== undefined) await fdatasync(fd);
    if (newIn === undefined) return;
    // Below rfs/ a guest may have put a FIFO in its place.
    const directory = await open(newIn as PathLike, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  /**
   * A VNF's configuration was saved: it is checked, and applied, if the VNF runs. Then it is durable too. What has lost the name to another file since is left alone.
   *
   * @param how.onlyNew leave alone what runs already.
   * @returns whether it is in force now, and was not before.
   * @throws ConfigurationError (EINVAL) naming the line; the running configuration stays.
   */
  async save({ serial, file }: SavedFile, how: { readonly onlyNew: boolean; readonly signal: AbortSignal }): Promise<boolean> {
    const saved = await this.#inLane(serial, async (vnf) => {
      if (this.#model.state(vnf) !== 'running' || (file !== undefined && !isStillConfiguration(this.#model, vnf, file.fd))) return false;
      const candidate = candidateOf(this.#model, vnf, file?.content);
      if (candidate === undefined || (how.onlyNew && candidate.text === this.#configurator.applied(vnf))) return false;
      await this.#configurator.change(vnf, candidate, how.signal);
      return true;
    });
    if (saved) await this.sync(file?.fd, this.#model.parts.store.configDir(this.#model.vnf(serial)));
    return saved;
  }

  /** The like for a file that is renamed or linked to the name of the configuration: after it was accepted. */
  async replace({ serial, file, how, path, ...names }: Replacement, signal: AbortSignal): Promise<boolean> {
    const { store } = this.#model.parts;
    const [from, to] = [names.from as PathLike, names.to as PathLike];
    const saved = await this.#inLane(serial, async (vnf) => {
      const candidate = this.#model.state(vnf) === 'running' ? candidateOf(this.#model, vnf, file?.content, path) : undefined;
      const before = this.#configurator.applied(vnf);
      if (candidate !== undefined) await this.#configurator.change(vnf, candidate, signal);
      try {
        await (how === 'rename' ? rename(from, to) : this.#link(vnf, file, { from, to }));
      } catch (error) {
        // The name could not be given (a full disk): then what ran before runs on, where that is known.
        if (candidate !== undefined && before !== undefined) await this.#configurator.change(vnf, { ...candidate, text: before }, signal);
        throw error;
      }
      return candidate !== undefined;
    });
    if (saved) await this.sync(file?.fd, store.configDir(this.#model.vnf(serial)));
    return saved;
  }

  /** Unlike a rename, a link keeps nobody from giving the file's name to another one while it is judged. @throws BusyError, and nothing is linked then. */
  async #link(vnf: VnfRecord, file: SavedFile['file'], { from, to }: { readonly from: PathLike; readonly to: PathLike }): Promise<void> {
    await link(from, to);
    if (file === undefined || isStillConfiguration(this.#model, vnf, file.fd)) return;
    await unlink(to);
    throw new NfioError('BusyError', { message: 'another file got the name of the one that was linked to nf_conf. Try again' });
  }

  /** Runs an operation in a VNF's lane, and keeps its outcome in `error`. @returns what that says. */
  async #inLane(serial: number, operation: (vnf: VnfRecord) => Promise<boolean>): Promise<boolean> {
    return await this.#model.recordVnf(serial, 'save', () =>
      this.#model.runtime(serial).lane.run(() => operation(this.#model.vnf(serial))),
    );
  }
}
