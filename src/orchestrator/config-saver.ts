import { constants, fdatasync as fdatasyncCallback, type PathLike } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { readCandidate } from './config-files.ts';
import { guestAccess } from './guest-spec.ts';
import type { Model } from './model.ts';

const fdatasync = promisify(fdatasyncCallback);

/** What happens when a user saves a file in config/. */
export class ConfigSaver {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
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
   * Checks a file of config/ that is to be the configuration of a VNF, and applies it if the VNF runs.
   *
   * @param name of the file in config/ that holds it now: `nf_conf`, or the one about to be renamed to that.
   * @throws ConfigurationError (EINVAL) naming the line; the running configuration stays.
   */
  async apply(serial: number, name: string, signal: AbortSignal): Promise<void> {
    await this.#model.recordVnf(serial, 'save', () =>
      this.#model.runtime(serial).lane.run(async () => {
        const vnf = this.#model.vnf(serial);
        if (this.#model.state(vnf) !== 'running') return;
        const language = this.#model.middlebox(vnf.type).configuration?.language;
        const candidate = readCandidate(this.#model, vnf, name);
        if (language === undefined || candidate === undefined) return;
        const guest = guestAccess(this.#model, vnf, signal);
        await language.check(candidate, guest);
        await language.apply(candidate, guest);
        this.#model.runtime(serial).configured = candidate;
        await this.#model.driverOf(vnf).openPorts(this.#model.ref(vnf), signal); // it may be the first that could be applied
      }),
    );
  }
}
