import type { ConfigCandidate, ConfigLanguage } from '../domain/middlebox.ts';
import type { VnfRecord } from '../domain/records.ts';
import { readCandidate } from './config-files.ts';
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
    if (candidate !== undefined) {
      await this.#language(vnf)
        ?.apply(candidate, guestAccess(this.#model, vnf, signal))
        .catch(async (error: unknown) => {
          throw await explainFailure(this.#model, vnf, error);
        });
    }
    this.#model.runtime(vnf.serial).configured = candidate;
  }

  /** Lets packets pass the ports of a guest that is configured. */
  async open(vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    await this.#model.driverOf(vnf).openPorts(this.#model.ref(vnf), signal);
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
      .catch((error: Error) => this.#model.parts.logger.warn(`${pathOf(vnf)}: its ports stay closed: ${error.message}`));
  }

  /** What runs: the file may hold something that was refused since. */
  #running(vnf: VnfRecord): ConfigCandidate | undefined {
    return this.#model.runtime(vnf.serial).configured ?? readCandidate(this.#model, vnf);
  }

  #language(vnf: VnfRecord): ConfigLanguage | undefined {
    return this.#model.middlebox(vnf.type).configuration?.language;
  }
}
