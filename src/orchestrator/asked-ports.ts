import { isAsWanted, wantedState } from '../domain/port-plan.ts';
import type { HypervisorDriver } from '../domain/ports/hypervisor.ts';
import type { PortState } from '../domain/ports/network.ts';
import { idOf, type VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';

/** How long a guest may take to answer, and how long its answer is good for who reads all of its ports. Milliseconds. */
const askTimeoutMs = 20_000;
const freshMs = 300;

type PortStates = Awaited<ReturnType<NonNullable<HypervisorDriver['portStates']>>>;

/** Asks guests how their ports are, where nobody else knows: virtual machines. */
export class AskedPorts {
  readonly #model: Model;
  /** The last answer of a VNF, by serial. */
  readonly #answers = new Map<number, { readonly sinceMs: number; readonly states: Promise<PortStates> }>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** How a port is in its guest, or as it is wanted, where the guest does not tell. What is found is kept in the model. @throws NotFoundError */
  async ask(vnf: VnfRecord, portSerial: number): Promise<PortState> {
    const port = vnf.ports.find(({ serial }) => serial === portSerial);
    if (port === undefined) throw new NfioError('NotFoundError', { message: 'the port has been removed' });
    const { portStates, parts } = this.#model;
    if (!this.#model.asksPorts(vnf)) return portStates.get(portSerial) ?? wantedState(port);
    const states = await this.#answer(vnf).catch((error: Error) => {
      parts.logger.warn(`${vnf.type}/${vnf.name}: its ports cannot be looked at: ${error.message}`);
      return undefined;
    });
    const state = states?.get(idOf(portSerial)) ?? wantedState(port);
    if (isAsWanted(port, state)) portStates.delete(portSerial);
    else portStates.set(portSerial, state);
    return state;
  }

  /** What it said is old: its ports were changed. */
  forget(serial: number): void {
    this.#answers.delete(serial);
  }

  #answer(vnf: VnfRecord): Promise<PortStates> {
    const known = this.#answers.get(vnf.serial);
    if (known !== undefined && performance.now() - known.sinceMs < freshMs) return known.states;
    const states = (async (): Promise<PortStates> => {
      const told = this.#model.driverOf(vnf).portStates?.(this.#model.ref(vnf), AbortSignal.timeout(askTimeoutMs));
      return (await told) ?? new Map();
    })();
    this.#answers.set(vnf.serial, { sinceMs: performance.now(), states });
    return states;
  }
}
