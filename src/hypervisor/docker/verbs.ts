import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import type { Logger } from '../../domain/ports/logger.ts';
import { NfioError } from '../../errors/index.ts';
import { addPorts, type Fabric, isAlive, isEnding } from '../../network/index.ts';
import { notRunning } from '../refusals.ts';
import { noPorts } from './check-spec.ts';
import { copyConfig, makeContainer, removeContainer, removeLeftovers } from './container.ts';
import { asFailure, type Doing } from './failure.ts';
import type { Guest } from './guest.ts';
import { logFile } from './guest-files.ts';
import { containerLimits } from './limits.ts';
import { setContainerLimits } from './live-limits.ts';
import { mainProcessRuns } from './main-process.ts';
import { undoneIfAborted } from './undone-if-aborted.ts';
import type { Watcher } from './watcher.ts';

/** Docker's own convention: a guest has so long to end by itself. */
const stopTimeoutMs = 10_000;
/** What a guest printed last is in its log when a verb that ended it returns, if it comes within that. */
const logTimeoutMs = 500;

/** What verbs work with. */
export interface VerbsParts {
  readonly mountId: string;
  readonly watcher: Watcher;
  readonly fabric: Fabric;
  readonly logger: Logger;
}

/** What changes a container. One that fails leaves it as it was; the caller runs one at a time on a guest, and has checked that it fits. */
export class Verbs {
  readonly #parts: VerbsParts;

  constructor(parts: VerbsParts) {
    this.#parts = parts;
  }

  /** Makes the container, with its image fetched if need be. */
  deploy(guest: Guest, spec: GuestSpec, signal: AbortSignal): Promise<void> {
    return this.#verb(guest, 'deploy', { code: 'VNFDeployError', done: 'deployed' }, async () => {
      try {
        const { mountId } = this.#parts;
        const containerId = await makeContainer(guest, spec, { mountId, signal, onProgress: (percent) => this.#pulling(guest, percent) });
        const limits = JSON.stringify(containerLimits(spec.limits, guest.link.local));
        guest.remember({ containerId, ports: spec.ports, configDir: spec.configDir, limits });
        await copyConfig(guest, signal);
        await this.#parts.watcher.look(guest, signal);
      } catch (error) {
        await this.#undoDeploy(guest);
        throw error;
      }
    });
  }

  /** Starts it; resolves when its main process runs and its ports are there. */
  start(guest: Guest, spec: GuestSpec, signal: AbortSignal): Promise<void> {
    return this.#verb(guest, 'start', { code: 'VNFStartError', done: 'started' }, async () => {
      guest.remember({ ports: spec.ports, configDir: spec.configDir, guarded: spec.guarded === true, closed: [] });
      try {
        await setContainerLimits(guest, spec.limits, signal);
        await copyConfig(guest, signal);
        const never = new AbortController().signal;
        await undoneIfAborted(this.#call(guest, 'start', never), signal, () => this.#call(guest, 'kill', never));
        await this.#parts.watcher.look(guest, signal);
        if (guest.runs) await this.#attachPorts(guest, spec, signal);
        await this.#checkMainProcess(guest, signal);
      } catch (error) {
        await this.#undoStart(guest);
        throw error;
      }
    });
  }

  /** Has it end by itself, by the signal its image names, and kills it when it does not. */
  stop(guest: Guest, signal: AbortSignal): Promise<void> {
    return this.#verb(guest, 'stop', { code: 'VNFStopError', done: 'stopped' }, async () => {
      await this.#closePorts(guest);
      if (guest.isPaused) await this.#call(guest, 'unpause', signal);
      await this.#call(guest, `stop?t=${stopTimeoutMs / 1000}`, signal);
      await this.#parts.watcher.look(guest, signal);
      if (guest.runs)
        throw new NfioError('VNFStopError', {
          errno: 'ETIMEDOUT',
          message: `${guest.ref.name} does not end. See what runs in it: docker top ${guest.containerId}`,
        });
      await this.#clearAfterEnd(guest);
    });
  }

  /** Idempotent. */
  async pause(guest: Guest, signal: AbortSignal): Promise<void> {
    if (guest.isPaused) return;
    await this.#verb(guest, 'pause', { code: 'VNFPauseError', done: 'paused' }, async () => {
      await this.#call(guest, 'pause', signal);
      await this.#parts.watcher.look(guest, signal);
    });
  }

  /** Idempotent. */
  async unpause(guest: Guest, signal: AbortSignal): Promise<void> {
    if (!guest.isPaused) return;
    await this.#verb(guest, 'unpause', { code: 'VNFUnpauseError', done: 'unpaused' }, async () => {
      await this.#call(guest, 'unpause', signal);
      await this.#parts.watcher.look(guest, signal);
    });
  }

  /** Removes it, running or not. */
  remove(guest: Guest, signal: AbortSignal): Promise<void> {
    return this.#verb(guest, 'destroy', { code: 'VNFDestroyError', done: 'destroyed' }, () => this.#remove(guest, signal));
  }

  #pulling(guest: Guest, percent: number): void {
    guest.pulling(percent);
    this.#parts.watcher.tell(guest);
  }

  /** Runs a verb; what happens to the guest meanwhile is the verb's doing, what comes after it is news. */
  async #verb(guest: Guest, verb: NonNullable<Guest['verb']>, what: Doing, operation: () => Promise<void>): Promise<void> {
    guest.verb = verb;
    guest.news();
    try {
      await operation();
    } catch (cause) {
      const error = await asFailure(what, guest.ref, guest.link, cause);
      if (verb !== 'deploy') await this.#parts.watcher.look(guest, AbortSignal.timeout(stopTimeoutMs)).catch(() => undefined);
      throw error;
    } finally {
      guest.verb = undefined;
      guest.news();
      this.#parts.watcher.lookAgain(guest);
    }
  }

  #call({ link, containerId }: Guest, path: string, signal: AbortSignal): Promise<void> {
    return link.engine.json({ method: 'POST', path: `/containers/${containerId}/${path}`, timeoutMs: stopTimeoutMs + 60_000 }, signal);
  }

  async #attachPorts(guest: Guest, { ports }: GuestSpec, signal: AbortSignal): Promise<void> {
    if (ports.length === 0) return;
    if (guest.process === undefined) await this.#checkMainProcess(guest, signal);
    if (guest.process === undefined) throw noPorts(guest.ref, guest.link);
    if (guest.guarded) guest.network.take(guest.process);
    const init = guest.process;
    await addPorts(init, this.#parts.fabric, ports, { guarded: guest.guarded, signal }).catch(async (error: unknown) => {
      throw (await isEnding(init)) ? notRunning(guest.ref, 'exited') : error;
    });
    guest.portsMade();
  }

  /** What is left of a guarded guest while it ends passes on nothing. */
  async #closePorts(guest: Guest): Promise<void> {
    if (!guest.guarded) return;
    await this.#parts.fabric.close(guest.ports);
    guest.closedAll();
  }

  /** @throws VNFStartError when the main process could not be executed, with what it, or docker-init for it, said. */
  async #checkMainProcess(guest: Guest, signal: AbortSignal): Promise<void> {
    const init = guest.process;
    if (init !== undefined) await mainProcessRuns(init);
    if (guest.stale) await this.#parts.watcher.look(guest, signal);
    // Docker learns of an end a little later than the kernel. A guest of this machine that runs, but as no process, had ended before it could be found.
    const hasEnded = (): boolean => (init === undefined ? guest.link.local && guest.process === undefined : !isAlive(init));
    for (let tries = 0; guest.runs && hasEnded() && tries < 40; tries += 1) {
      await sleep(50);
      await this.#parts.watcher.look(guest, signal);
    }
    const { state, exitCode = 0 } = guest.status;
    if (state !== 'exited' || (exitCode !== 126 && exitCode !== 127)) return;
    await this.#clearAfterEnd(guest);
    const said = readFileSync(logFile(guest.ref.guestDir), 'utf8').trim().split('\n').at(-1) ?? '';
    throw new NfioError('VNFStartError', {
      errno: exitCode === 127 ? 'ENOENT' : 'EACCES',
      message: `the main process of ${guest.ref.name} cannot be executed (exit status ${exitCode}): ${said.slice(0, 300)}`,
    });
  }

  async #undoDeploy(guest: Guest): Promise<void> {
    const leftover = { id: guest.ref.id, mountId: this.#parts.mountId };
    await removeLeftovers(guest.link.engine, leftover, AbortSignal.timeout(stopTimeoutMs)).catch((error: Error) => {
      this.#parts.logger.warn(
        `${guest.ref.type}/${guest.ref.name}: ${error.message}; what was made there is removed when the engine is back`,
      );
    });
    guest.gone();
  }

  async #undoStart(guest: Guest): Promise<void> {
    await this.#call(guest, 'kill', AbortSignal.timeout(stopTimeoutMs)).catch(() => undefined); // it may not run at all
    await this.#clearAfterEnd(guest).catch(() => undefined);
  }

  async #remove(guest: Guest, signal: AbortSignal): Promise<void> {
    await this.#closePorts(guest);
    if (guest.containerId !== '') await removeContainer(guest.link.engine, guest.containerId, signal);
    guest.log?.[Symbol.dispose]();
    await guest.log?.done;
    guest.gone();
    await this.#parts.fabric.removePorts(guest.ports.map(({ id }) => id));
    guest.network[Symbol.dispose]();
  }

  async #clearAfterEnd({ ports, log, network }: Guest): Promise<void> {
    await this.#parts.fabric.removePorts(ports.map(({ id }) => id));
    network[Symbol.dispose]();
    await Promise.race([log?.done, sleep(logTimeoutMs, undefined, { ref: false })]);
  }
}
