import type { ConfigCandidate, ConfigLanguage } from '../domain/middlebox.ts';
import type { VnfRecord } from '../domain/records.ts';
import { readApplied, removeApplied, writeApplied } from './applied-configuration.ts';
import { nfConfInGuest, readCandidate } from './config-files.ts';
import { guestAccess } from './guest-spec.ts';
import { explainFailure } from './last-words.ts';
import { type Model, pathOf } from './model.ts';

/**
 * Puts the configuration of VNFs in force, and lets nothing pass their ports before it is. Call its methods from the VNF's lane.
 *
 * A guest that forwards, or whose type configures its kernel, is guarded: ports that its driver makes, moves or brings up are closed until `open`.
 */
export class Configurator {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Applies nf_conf to a guest that has just started, or is asked to take it again. @throws ConfigurationError */
  async configure(vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    const candidate = readCandidate(this.#model, vnf);
    if (candidate === undefined) {
      removeApplied(this.#model.parts.store.configDir(vnf));
      return;
    }
    await this.#apply(vnf, candidate, signal).catch(async (error: unknown) => {
      throw await explainFailure(this.#model, vnf, error);
    });
  }

  /** Checks what was saved for a guest that runs, and applies it. @throws ConfigurationError: what ran before runs on. */
  async change(vnf: VnfRecord, candidate: ConfigCandidate, signal: AbortSignal): Promise<void> {
    await this.#language(vnf)?.check(candidate, guestAccess(this.#model, vnf, signal));
    await this.#apply(vnf, candidate, signal);
    await this.open(vnf, signal); // it may be the first that could be applied
  }

  async #apply(vnf: VnfRecord, candidate: ConfigCandidate, signal: AbortSignal): Promise<void> {
    await this.#language(vnf)?.apply(candidate, guestAccess(this.#model, vnf, signal));
    try {
      writeApplied(this.#model.parts.store.configDir(vnf), candidate.text);
    } catch (error) {
      // It is in force all the same.
      const why = `what runs cannot be shown there: ${(error as Error).message}. Run: rm -r config/.applied, after destroy`;
      this.#model.note({ path: `${pathOf(vnf)}/config/.applied`, what: 'write failed', why });
    }
  }

  /** The text that runs, or ran last; undefined: none that is known. The file may hold something that was refused since. */
  applied(vnf: VnfRecord): string | undefined {
    return readApplied(this.#model.parts.store.configDir(vnf));
  }

  /** Lets packets pass the ports of a guest that is configured. */
  async open(vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    const opened = this.#model.driverOf(vnf).openPorts(this.#model.ref(vnf), signal);
    await opened.catch(async (error: unknown) => {
      throw await explainFailure(this.#model, vnf, error);
    });
  }

  /**
   * After ports of a running guest were changed: what its configuration had made of them is there again, and then those that are closed open.
   *
   * @throws ConfigurationError when the configuration does not go with the ports that there are now.
   */
  async restore(vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    const language = this.#language(vnf);
    const candidate = language === undefined || language.service === true ? undefined : this.#running(vnf);
    if (language !== undefined && candidate !== undefined) {
      const guest = guestAccess(this.#model, vnf, signal);
      await (language.restore ?? language.apply).call(language, candidate, guest);
    }
    await this.open(vnf, signal);
  }

  /** A guest that runs has closed ports though no verb is under way: a server died in the middle of one, or the guest began anew. What fails is told. */
  async finish(vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    if (!this.#model.driverOf(vnf).hasClosedPorts(this.#model.ref(vnf)) || this.#model.state(vnf) !== 'running') return;
    await this.#model
      .recordVnf(vnf.serial, 'configure', async () => {
        await this.configure(vnf, signal);
        await this.open(vnf, signal);
      })
      .catch((error: Error) => {
        this.#model.noteFailures(error);
        this.#model.parts.logger.warn(`${pathOf(vnf)}: its ports stay closed: ${error.message}`);
      });
  }

  /** What runs, whatever became of its file since. */
  #running(vnf: VnfRecord): ConfigCandidate | undefined {
    const text = this.applied(vnf);
    return text === undefined ? readCandidate(this.#model, vnf) : { text, guestPath: nfConfInGuest };
  }

  #language(vnf: VnfRecord): ConfigLanguage | undefined {
    return this.#model.middlebox(vnf.type).configuration?.language;
  }
}
