import { checkPort, portsOn } from '../domain/addressing.ts';
import type { Actor } from '../domain/authority.ts';
import { givesPower } from '../domain/boot-conf.ts';
import { checkMac } from '../domain/hardware-addresses.ts';
import { cancellableSteps, endsGuest, isVerb, isVerbList, planAgain, planVerb, type Step, verbs, verbsFor } from '../domain/lifecycle.ts';
import type { GuestSpec } from '../domain/ports/hypervisor.ts';
import type { PortSpec } from '../domain/ports/network.ts';
import { promisedTo } from '../domain/quotas.ts';
import type { VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { ChainFollower } from './chains/chain-follower.ts';
import { readCandidate } from './config-files.ts';
import type { Configurator } from './configurator.ts';
import type { DefaultRoutes } from './default-routes.ts';
import { guestAccess, guestSpec } from './guest-spec.ts';
import { hookInstance } from './hook-instance.ts';
import { dropLog, keepLog } from './last-log.ts';
import { explainStart } from './last-words.ts';
import { type Model, pathOf } from './model.ts';
import type { PastCounts } from './past-counts.ts';
import { requireRoom } from './room.ts';
import { tellWhileSlow } from './slow-verbs.ts';

/** How long a step that cannot be cancelled may take, milliseconds: a virtual machine has a minute and a half to boot. */
const finishTimeoutMs = 180_000;
const refreshTimeoutMs = 10_000;

/** How a verb is carried out. */
interface Manner {
  /** Aborted when its caller is cancelled. */
  readonly signal: AbortSignal;
  /** The request came before, to a server that died: what it did is not done twice. */
  readonly again: boolean;
  /** Who wants it. */
  readonly actor: Actor;
  /** Nobody waits for it: it finishes what an earlier mount left. */
  readonly unasked?: boolean;
}

/** Runs the verbs of `action`: a pure plan (domain/lifecycle.ts) gives the steps, this class takes them. */
export class VnfActions {
  readonly #model: Model;
  readonly #chains: ChainFollower;
  readonly #routes: DefaultRoutes;
  readonly #configurator: Configurator;
  readonly #past: PastCounts;

  constructor(
    model: Model,
    parts: {
      readonly chains: ChainFollower;
      readonly routes: DefaultRoutes;
      readonly configurator: Configurator;
      readonly past: PastCounts;
    },
  ) {
    this.#model = model;
    this.#configurator = parts.configurator;
    this.#past = parts.past;
    this.#chains = parts.chains;
    this.#routes = parts.routes;
  }

  /**
   * Does what was written to `action`; resolves when it is done. A verb that is cancelled is taken back, or finished where it cannot be.
   *
   * @returns false for what a copy of an instance brings, which means nothing.
   * @throws InvalidActionError for an unknown verb or one that does not fit the state, BusyError while another runs, InterruptedError (EINTR) when it
   *   was cancelled and taken back, CancelledError for an action of a module, and what the driver throws.
   */
  async act(serial: number, text: string, how: Manner): Promise<boolean> {
    const vnf = this.#model.vnf(serial);
    const word = text.trim();
    // A copy of an instance writes back what it read from `action`, and means nothing by it.
    if (isVerbList(word, this.#model.moduleActions(vnf.type)) && this.#model.state(vnf) === 'undeployed') return false;
    await this.#model.recordVnf(serial, word.slice(0, 80), () =>
      tellWhileSlow(this.#model, { vnf, verb: word }, this.#alone(serial, word, how)),
    );
    return true;
  }

  /** One verb at a time: a second one is refused, not kept waiting. */
  async #alone(serial: number, word: string, how: Manner): Promise<void> {
    const runtime = this.#model.runtime(serial);
    if (runtime.busy !== undefined) throw busyWith(runtime.busy);
    const { verbNotes } = this.#model.parts;
    verbNotes.begin({ serial, verb: word, unasked: how.unasked === true });
    runtime.busy = word;
    this.#model.publishVnf(serial);
    const tell = (): void => {
      runtime.error = `${word}: interrupted; it is still being taken back or finished`;
      this.#model.publishVnf(serial);
    };
    how.signal.addEventListener('abort', tell, { once: true });
    try {
      await runtime.lane.run(() => this.#perform(serial, word, how));
    } finally {
      how.signal.removeEventListener('abort', tell);
      verbNotes.end(serial);
      runtime.busy = undefined;
      this.#model.publishVnf(serial);
      // Also after a failure: the guest may have ended all the same.
      const { signal } = new AbortController();
      await this.#chains.vnfChanged(serial, { anew: false, signal });
      await this.#routes.vnfChanged(serial, signal);
    }
  }

  async #perform(serial: number, word: string, how: Manner): Promise<void> {
    const vnf = this.#model.vnf(serial);
    const steps = isVerb(word) ? (how.again ? planAgain : planVerb)(this.#model.state(vnf), word) : undefined;
    if (steps?.includes('deploy') === true) this.#promise(vnf, how.actor);
    try {
      if (steps === undefined) await this.#runModuleAction(vnf, word, how.signal);
      else await (word === 'activate' ? this.#activate(vnf, steps, how.signal) : this.#run(vnf, steps, how.signal));
    } finally {
      this.#model.inventory.used.put(this.#model.vnf(serial));
      await this.#ask(serial, AbortSignal.timeout(refreshTimeoutMs));
    }
  }

  /** What a guest may take counts before it is made, so that any number that start at once stay within the limits of their owner. */
  #promise(vnf: VnfRecord, actor: Actor): void {
    requireRoom(this.#model, actor.uid, vnf, promisedTo(vnf));
    this.#model.inventory.used.put({ ...vnf, deployed: true });
  }

  async #runModuleAction(vnf: VnfRecord, word: string, signal: AbortSignal): Promise<void> {
    const actions = this.#model.middlebox(vnf.type).actions ?? {};
    const action = Object.hasOwn(actions, word) ? actions[word] : undefined;
    const state = this.#model.state(vnf);
    if (action === undefined || state !== 'running') {
      const known = [...(action === undefined ? verbs : verbsFor(state)), ...Object.keys(actions)].join(', ');
      const problem = action === undefined ? 'is not an action' : `needs a running VNF, this one is ${state}`;
      throw new NfioError('InvalidActionError', { message: `"${word.slice(0, 80)}" ${problem}; there are: ${known}` });
    }
    try {
      await action.run(hookInstance(this.#model, vnf, signal));
    } catch (cause) {
      if (!signal.aborted) throw cause;
      throw new NfioError('CancelledError', { message: 'cancelled by its caller; what it had done by then stays done', cause });
    }
  }

  /** deploy, start, configure; what fails is taken back. */
  async #activate(vnf: VnfRecord, steps: readonly Step[], signal: AbortSignal): Promise<void> {
    try {
      await this.#run(vnf, steps, signal);
    } catch (error) {
      if (this.#model.vnf(vnf.serial).deployed) await this.#undoDeploy(vnf, error);
      throw error;
    }
  }

  async #undoDeploy(vnf: VnfRecord, reason: unknown): Promise<void> {
    const ref = this.#model.ref(vnf);
    await keepLog(ref, this.#model.driverOf(this.#model.vnf(vnf.serial)).logPath(ref));
    try {
      await this.#destroy(this.#model.vnf(vnf.serial));
    } catch (cause) {
      await this.#model.commitVnf({ ...this.#model.vnf(vnf.serial), inconsistent: true });
      throw new NfioError('VNFDeployErrorWithInconsistentState', {
        message: `${(reason as Error).message}; cleaning up failed too: ${(cause as Error).message}. Mend that, then run: echo destroy > ${pathOf(vnf)}/action`,
        cause,
      });
    }
  }

  async #run(vnf: VnfRecord, steps: readonly Step[], signal: AbortSignal): Promise<void> {
    const cancellable = cancellableSteps(steps);
    let deployed: GuestSpec | undefined;
    let started = false;
    try {
      for (const [index, step] of steps.entries()) {
        const current = this.#model.vnf(vnf.serial);
        if (index < cancellable) {
          deployed = await orInterrupted(signal, () => this.#take(step, current, { deployed, signal }));
        } else {
          deployed = await inTime(step, (deadline) => this.#take(step, current, { deployed, signal: deadline }));
        }
        started ||= step === 'start' || step === 'restart';
      }
    } catch (error) {
      if (started) await this.#takeBackStart(vnf);
      throw error;
    }
  }

  /** A guest that could not be configured does not run: its ports are closed, and would stay so. */
  async #takeBackStart(vnf: VnfRecord): Promise<void> {
    const driver = this.#model.driverOf(vnf);
    const ref = this.#model.ref(vnf);
    const { state } = driver.guestStatus(ref);
    if (state !== 'running' && state !== 'paused') return;
    await driver.stop(ref, new AbortController().signal).catch((error: Error) => {
      this.#model.parts.logger.warn(`${pathOf(vnf)} could not be stopped again: ${error.message}`);
    });
  }

  /** @returns what was deployed, if the step did so: a start right after it needs no other specification. */
  async #take(
    step: Step,
    vnf: VnfRecord,
    { deployed, signal }: { readonly deployed: GuestSpec | undefined; readonly signal: AbortSignal },
  ): Promise<GuestSpec | undefined> {
    const driver = this.#model.driverOf(vnf);
    const ref = this.#model.ref(vnf);
    if (endsGuest(step)) await this.#chains.vnfLeaves(vnf.serial, signal);
    switch (step) {
      case 'check':
        await this.#check(vnf, signal);
        break;
      case 'deploy':
        return await this.#deploy(vnf, signal);
      case 'start':
        await this.#start(vnf, { spec: deployed, signal, start: (spec) => driver.start(spec, signal) });
        break;
      case 'restart':
        await this.#start(vnf, { spec: undefined, signal, start: (spec) => driver.restart(spec, signal) });
        break;
      case 'configure':
        await this.#configurator.configure(vnf, signal);
        break;
      case 'open':
        await this.#configurator.open(vnf, signal);
        break;
      case 'stop':
        await driver.stop(ref, signal);
        break;
      case 'pause':
        await driver.pause(ref, signal);
        break;
      case 'unpause':
        await driver.unpause(ref, signal);
        break;
      case 'destroy':
        await this.#destroy(vnf);
        break;
    }
    return undefined;
  }

  async #check(vnf: VnfRecord, signal: AbortSignal): Promise<void> {
    for (const port of vnf.ports) {
      const network = this.#model.networkOf(port);
      if (network === undefined) continue;
      const others = this.#model.deployedPorts(network.name);
      checkPort({ vnf, port }, network, others);
      checkMac({ vnf, port }, { network, others: [...others, ...portsOn(network.name, vnf)], mountId: this.#model.parts.store.mountId });
    }
    const candidate = readCandidate(this.#model, vnf);
    const language = this.#model.middlebox(vnf.type).configuration?.language;
    const running = this.#model.state(vnf) === 'running';
    if (candidate !== undefined) await language?.check(candidate, running ? guestAccess(this.#model, vnf, signal) : undefined);
  }

  async #deploy(vnf: VnfRecord, signal: AbortSignal): Promise<GuestSpec> {
    const spec = guestSpec(this.#model, vnf);
    const placement = this.#model.placement(vnf);
    const runtime = this.#model.runtime(vnf.serial);
    runtime.hidden.clear();
    runtime.hasDomain = false;
    dropLog(spec);
    // On record before it is there, so that a crash in between leaves something that is found again.
    const driver = this.#model.driver(placement.hypervisor);
    const powerful = givesPower(spec.boot) || (spec.owner === 0 && driver.rootHasMore === true);
    await this.#model.commitVnf({ ...vnf, deployed: true, placement, powerful });
    try {
      await driver.deploy(spec, signal);
      return spec;
    } catch (error) {
      await this.#undoDeploy(vnf, error);
      throw error;
    }
  }

  async #start(
    vnf: VnfRecord,
    how: { readonly spec: GuestSpec | undefined; readonly start: (spec: GuestSpec) => Promise<void>; readonly signal: AbortSignal },
  ): Promise<void> {
    const { spec = guestSpec(this.#model, vnf), start, signal } = how;
    // A guest that runs again may have been given more since it was deployed.
    if (givesPower(spec.boot) && !vnf.powerful) await this.#model.commitVnf({ ...vnf, powerful: true });
    await this.#ensureSegments(spec.ports, signal);
    // On record as deployed, and not there: nf.io died before it made the guest, or someone removed it behind our back.
    const driver = this.#model.driverOf(vnf);
    if (driver.guestStatus(this.#model.ref(vnf)).state === 'absent') await driver.deploy(spec, signal);
    await this.#past.forget(vnf);
    await start(spec).catch(async (error: unknown) => {
      throw await explainStart(this.#model, vnf, error);
    });
    this.#model.runtime(vnf.serial).applied = spec.ports;
  }

  async #ensureSegments(ports: readonly PortSpec[], signal: AbortSignal): Promise<void> {
    for (const { segment } of ports) {
      if (segment !== undefined) await this.#model.parts.network.ensureSegment(segment, signal);
    }
  }

  async #destroy(vnf: VnfRecord): Promise<void> {
    // Not interruptible: half a removal helps nobody.
    if (this.#model.address(vnf) === undefined) this.#forget(vnf);
    else await this.#model.driverOf(vnf).destroy(this.#model.ref(vnf), { force: true, signal: new AbortController().signal });
    this.#model.runtime(vnf.serial).applied = [];
    await this.#model.commitVnf({ ...vnf, deployed: false, placement: undefined, powerful: false, inconsistent: false });
  }

  /** The user took the address of the machine away: it will not come back, and with it went the guest. */
  #forget(vnf: VnfRecord): void {
    const why = `hosts/${vnf.placement?.host} has no address: a guest that is still there is removed when that machine is back`;
    this.#model.note({ path: pathOf(vnf), what: 'forgotten', why });
  }

  /** Brings the addresses and identifiers that the tree shows up to date. */
  async refresh(serial: number, signal: AbortSignal): Promise<void> {
    await this.#ask(serial, signal);
    this.#model.publishVnf(serial);
  }

  /** Asks for them. What a hypervisor does not tell now stays as it told it last. */
  async #ask(serial: number, signal: AbortSignal): Promise<void> {
    const vnf = this.#model.inventory.vnf(serial);
    if (vnf === undefined) return;
    const runtime = this.#model.runtime(serial);
    const ref = this.#model.ref(vnf);
    const running = ['running', 'paused'].includes(this.#model.state(vnf));
    const driver = this.#model.driverOf(vnf);
    runtime.ip = running ? await driver.getIp(ref, signal).catch(() => runtime.ip) : '';
    runtime.id = vnf.deployed ? await driver.getId(ref, signal).catch(() => runtime.id) : '';
  }
}

/** Takes a step that takes back what it did when it is cancelled. @throws InterruptedError (EINTR) then. */
async function orInterrupted<T>(signal: AbortSignal, take: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await take();
  } catch (cause) {
    if (!signal.aborted || (cause as { code?: unknown }).code === 'VNFDeployErrorWithInconsistentState') throw cause;
    throw new NfioError('InterruptedError', { message: 'interrupted by its caller; the VNF is as it was before', cause });
  }
}

/** Takes a step that is carried out to its end. @throws TimeoutError (ETIMEDOUT) when that does not come. */
async function inTime<T>(step: Step, take: (deadline: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(finishTimeoutMs);
  try {
    return await take(deadline);
  } catch (cause) {
    if (!deadline.aborted) throw cause;
    const message = `${step} did not end within ${finishTimeoutMs / 1000} s. See the files status and log of the VNF, then run in it: echo destroy > action`;
    throw new NfioError('TimeoutError', { message, cause });
  }
}

/** An action cannot begin while another is under way. */
export function busyWith(action: string): NfioError {
  return new NfioError('BusyError', { message: `${action} is still under way; wait for it or interrupt it`, retryable: true });
}
